internal import Bitrix24REST

/// What orders ask of whoever drains the queues.
package protocol OfflineDraining: Sendable {
    func drain(_ memberID: String, since: Int64?, patience: Duration) async -> OfflineDrain.Result
    func standing(of memberID: String) -> OfflineDrain.Standing?
}

extension OfflineDrain: OfflineDraining {}

extension RESTWork {
    /// Looks into the portal's queues, and tells what the owner knows of them also where the portal does not answer.
    ///
    /// - Throws: when the owner is being stopped.
    func lookIntoQueues(of portal: RegisteredPortal, _ report: inout PortalReport) async throws(RESTError) {
        let memberID = portal.memberID
        let connectors = settings.offlineConnectors(of: portal)
        let standing = drain?.standing(of: memberID)
        var queue = PortalReport.Queue(standing ?? .init(), onlineOnly: settings.onlineOnly(of: memberID))
        if connectors.isEmpty {
            report.error = .noQueue
        } else {
            do throws(RESTError) {
                queue.sources = try await client.surveyOfflineQueues(connectors, of: memberID).map { .init($0) }
            } catch {
                guard !Task.isCancelled else { throw error }
                metrics.failed(error.code.text)
                report.error = PortalReport(error).error
            }
        }
        queue.callsLeft = client.budget(of: memberID).calls
        report.queue = queue
    }

    /// Has the portal's queue emptied before all others.
    ///
    /// - Throws: when the owner is being stopped: whoever owns the work next does it again.
    func emptyQueues(
        of portal: RegisteredPortal,
        since: Int64?,
        patience: Duration,
        _ report: inout PortalReport
    ) async throws(RESTError) {
        let memberID = portal.memberID
        var drained = PortalReport.Drained(onlineOnly: settings.onlineOnly(of: memberID))
        if settings.offlineConnectors(of: portal).isEmpty {
            report.error = .noQueue
        } else if let drain {
            let result = await drain.drain(memberID, since: since, patience: patience)
            guard !Task.isCancelled else {
                throw RESTError(portal: memberID, method: "event.offline.get", code: .cancelled, message: "stopped")
            }
            drained.take(result)
            report.error = result.error
        } else {
            report.error = .notDrained
        }
        report.drained = drained
    }
}

extension PortalReport.Fault {
    package static let noQueue = Self(
        code: "no_queue",
        message: "no offline events are declared for it: name them in subscriptions.offline, or in its entry of "
            + "subscriptions.portals"
    )
    static let notDrained = Self(code: "not_drained", message: "the bridge that does the REST work drains no queues")
}

extension PortalReport.Queue {
    init(_ standing: OfflineDrain.Standing, onlineOnly: [String]) {
        self.init(
            sources: [],
            drained: standing.drained,
            held: standing.held,
            deadLettered: standing.deadLettered,
            emptyAt: standing.emptyAt,
            nextAt: standing.nextAt,
            problem: standing.errorCode,
            callsLeft: 0,
            onlineOnly: onlineOnly
        )
    }
}

extension PortalReport.Queue.Source {
    init(_ survey: OfflineSurvey) {
        self.init(
            connector: survey.connector,
            rows: survey.rows,
            reserved: survey.reserved,
            erroneous: survey.erroneous,
            oldest: survey.oldest
        )
    }
}

extension PortalReport.Drained {
    init(onlineOnly: [String]) {
        self.init(rows: 0, deadLettered: 0, recovered: 0, isEmpty: false, onlineOnly: onlineOnly)
    }

    mutating func take(_ result: OfflineDrain.Result) {
        (rows, deadLettered, recovered) = (result.rows, result.deadLettered, result.recovered)
        isEmpty = result.isEmpty
    }
}
