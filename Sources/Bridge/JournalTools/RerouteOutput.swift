internal import Dispatch
internal import Journal
internal import Locks
internal import Synchronization

/// Appends to a journal and waits for its disk.
final class RerouteOutput {
    private struct State {
        var through = JournalPosition(0)
        var failure: AppendFailure?
    }

    /// Shared with the journal's commit thread.
    private final class Resolutions: Sendable {
        let state = Guarded(State())
        let changed = DispatchSemaphore(value: 0)
    }

    var scratch: [UInt8] = []
    private let appender: JournalAppender
    private let resolutions: Resolutions
    private var last = JournalPosition(0)

    init(_ journal: Journal) {
        let resolutions = Resolutions()
        self.resolutions = resolutions
        appender = journal.makeAppender { resolution in
            resolutions.state.withLock { state in
                state.through = resolution.through
                if case .failed(let failure) = resolution.outcome { state.failure = state.failure ?? failure }
            }
            resolutions.changed.signal()
        }
    }

    func append(_ payload: UnsafeRawBufferPointer) -> JournalToolError? {
        while true {
            switch appender.append(payload) {
            case .pending(let position):
                last = position
                return resolutions.state.withLock { $0.failure }.map(Self.error)
            case .refused(.overloaded): resolutions.changed.wait()
            case .refused(let refusal): return JournalToolError("a record was not taken (\(refusal))")
            }
        }
    }

    /// Waits until everything is on disk.
    func finish() -> JournalToolError? {
        while true {
            let (through, failure) = resolutions.state.withLock { ($0.through, $0.failure) }
            if let failure { return Self.error(failure) }
            if through >= last { return nil }
            resolutions.changed.wait()
        }
    }

    private static func error(_ failure: AppendFailure) -> JournalToolError {
        switch failure {
        case .disk(let error): JournalToolError("\(error); everything is as it was")
        case .full, .closed, .brokenOff:
            JournalToolError("the records could not be written (\(failure)); everything is as it was")
        }
    }
}
