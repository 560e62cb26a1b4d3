internal import Locks
import Synchronization

/// Why an append was not taken at all. Nothing was written and no position was used.
package enum AppendRefusal: Sendable, Equatable {
    /// The journal is closing or closed.
    case closed
    /// As much as `maxPendingBytes` waits already.
    case overloaded
    /// An append of an appender that breaks off has failed, and its owner has not resumed.
    case brokenOff
    /// The payload is larger than `maxPayloadBytes`.
    case tooLarge
}

package enum AppendResult: Sendable, Equatable {
    /// The record has its position and waits for its commit; an ``AppendResolution`` settles it.
    case pending(JournalPosition)
    case refused(AppendRefusal)
}

/// Why an append that was pending failed. The record will not be read in this run of the process; where the disk failed, it
/// may still turn up after a restart.
package enum AppendFailure: Error, Sendable, Equatable {
    /// The journal was full and no room came within `roomTimeout`.
    case full
    /// The disk failed in the open segment and in a new one.
    case disk(JournalError)
    /// The journal was closed while the append waited for room.
    case closed
    /// An earlier append of an appender that breaks off has failed.
    case brokenOff
}

/// Settles every append of one appender up to a position that no earlier resolution settled.
package struct AppendResolution: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        /// On disk (synced, unless the configuration says otherwise) and readable.
        case committed
        case failed(AppendFailure)
    }

    package let through: JournalPosition
    package let outcome: Outcome

    package init(through: JournalPosition, outcome: Outcome) {
        self.through = through
        self.outcome = outcome
    }
}

/// Appends for one owner, say one event loop. Resolutions come in the order of the appends, so the owner keeps a plain
/// first-in-first-out list of what is pending and needs no table.
///
/// The journal keeps each appender's closure until it is closed: make one for each owner, not one for each append.
package struct JournalAppender: Sendable {
    let core: JournalCore
    let index: Int

    /// Takes appends again after a failure. For the owner of an appender that breaks off, when it has heard of the failure
    /// and put what is to be appended again before what is to follow; before all earlier appends are settled it does nothing
    /// and returns false.
    @discardableResult
    package func resume() -> Bool {
        core.staging.withLock { $0.resume(index) }
    }

    /// Copies `payload` once and gives it the next position. Any thread may call, and none is ever blocked by the disk.
    ///
    /// - Parameters:
    ///   - payload: The bytes of the record, copied before the call returns.
    ///   - stampAt: Where in the payload the position is written, as 20 ASCII digits; these must lie within it.
    package func append(_ payload: UnsafeRawBufferPointer, stampAt: Int? = nil) -> AppendResult {
        if let stampAt {
            precondition(
                stampAt >= 0 && stampAt <= payload.count - JournalPosition.digits,
                "the position's digits must lie within the payload"
            )
        }
        guard payload.count <= core.configuration.maxPayloadBytes else { return .refused(.tooLarge) }
        let appendedAt = Clock.wallMilliseconds()
        let deadline = Clock.monotonicNanoseconds() &+ core.roomTimeout
        let (result, wake) = core.staging.withLock { queue in
            let result = queue.append(
                payload,
                stampAt: stampAt,
                appender: index,
                appendedAt: appendedAt,
                deadline: deadline
            )
            return (result, queue.takeWake())
        }
        if wake { core.commitBell.ring() }
        return result
    }
}
