internal import CoreMetrics
internal import Journal
internal import Logging

extension JournalObserver {
    /// The main journal's: it counts its commits as well, and tells the health what state it is in.
    static func main(_ metrics: BridgeMetrics, logger: Logger, health: HealthModel) -> JournalObserver {
        var observer = telling(metrics, logger: logger)
        let logFailure = observer.didFailMaintenance
        let logAbandoned = observer.didAbandonSegment
        observer.didCommit = { report in
            metrics.committed.increment(by: report.records)
            metrics.commitTime.recordNanoseconds((report.write + report.sync).nanoseconds)
            metrics.syncTime.recordNanoseconds(report.sync.nanoseconds)
        }
        observer.didAbandonSegment = { error in
            metrics.abandonedSegments.increment()
            logAbandoned?(error)
        }
        observer.didFailMaintenance = { error in
            metrics.maintenanceFailures.increment()
            logFailure?(error)
        }
        observer.stateChanged = { state in
            health.journalChanged(to: state)
            switch state {
            case .accepting: logger.notice("the journal takes events")
            case .full: logger.error("the journal is full; events wait up to 5 s for room and are lost then")
            case .failing(let error): logger.error("the journal's disk fails", metadata: ["error": "\(error)"])
            case .closed: break
            }
        }
        return observer
    }

    /// Tells the log and the metrics what either journal found and what failed.
    static func telling(_ metrics: BridgeMetrics, logger: Logger) -> JournalObserver {
        JournalObserver(
            didRecover: { report in
                guard report.damagedBytes > 0 else { return }
                metrics.damagedBytes.increment(by: report.damagedBytes)
                logger.error(
                    "a part of the journal could not be read; it was set aside",
                    metadata: [
                        "file": "\(report.fileName)", "damagedBytes": "\(report.damagedBytes)",
                        "records": "\(report.records)",
                    ]
                )
            },
            didFind: { finding in
                metrics.journalFindings[finding.kind.rawValue]?.increment()
                logger.error("\(finding.words)", metadata: ["file": "\(finding.path)"])
            },
            didAbandonSegment: { error in
                logger.error("a segment was given up; a new one takes over", metadata: ["error": "\(error)"])
            },
            didFailMaintenance: { error in
                logger.warning("the journal could not tidy up; trying again", metadata: ["error": "\(error)"])
            }
        )
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
