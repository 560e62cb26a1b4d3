import Synchronization
import UnixSignals

/// Raised by a signal, for work that looks at it now and then.
final class StopFlag: Sendable {
    private let flag = Atomic(false)

    var isRaised: Bool { flag.load(ordering: .relaxed) }

    private func raise() { flag.store(true, ordering: .relaxed) }

    /// Runs `body`, which may block, with a flag that SIGTERM, Ctrl-C and the end of the terminal raise.
    static func raisedBySignals<T>(_ body: (StopFlag) throws -> T) async rethrows -> T {
        let stop = StopFlag()
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) { stop.raise() }
        }
        defer { signals.cancel() }
        return try body(stop)
    }

    /// The same for work that awaits.
    static func raisedBySignals<T>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: (StopFlag) async throws -> T
    ) async rethrows -> T {
        let stop = StopFlag()
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup) { stop.raise() }
        }
        defer { signals.cancel() }
        return try await body(stop)
    }
}
