internal import Locks
import NIOCore
import Synchronization

/// The address a listener is bound to, or why it is not, for all who wait to know.
final class BoundAddress: Sendable {
    private enum State {
        case unknown(waiting: [CheckedContinuation<SocketAddress, any Error>])
        case known(Result<SocketAddress, any Error>)
    }

    private let state = Guarded(State.unknown(waiting: []))

    var value: SocketAddress {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<SocketAddress, any Error>? = state.withLock { state in
                    switch state {
                    case .known(let result):
                        return result
                    case .unknown(let waiting):
                        state = .unknown(waiting: waiting + [continuation])
                        return nil
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }

    /// The first result stays.
    func resolve(_ result: Result<SocketAddress, any Error>) {
        let waiting: [CheckedContinuation<SocketAddress, any Error>] = state.withLock { state in
            guard case .unknown(let waiting) = state else { return [] }
            state = .known(result)
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
