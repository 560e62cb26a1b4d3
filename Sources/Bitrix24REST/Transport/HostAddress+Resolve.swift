internal import Glibc
internal import Locks
internal import NIOCore
internal import NIOPosix
internal import Synchronization

extension HostAddress {
    /// Asks the system, on a thread that may wait: the system itself gives up only after half a minute. Returns at once when the
    /// task is cancelled.
    ///
    /// - Throws: `ResolutionError` when the name stands for nothing.
    package static func resolve(_ host: String) async throws -> [HostAddress] {
        let answer = FirstAnswer()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard answer.expect(continuation) else { return }
                NIOThreadPool.singleton.submit { state in
                    answer.give(state == .active ? Result { try addresses(of: host) } : .failure(CancellationError()))
                }
            }
        } onCancel: {
            answer.give(.failure(CancellationError()))
        }
    }

    private static func addresses(of host: String) throws(ResolutionError) -> [HostAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, nil, &hints, &list)
        guard result == 0 else { throw ResolutionError(description: String(cString: gai_strerror(result))) }
        defer { freeaddrinfo(list) }
        var addresses: [HostAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            guard let address = entry.ai_addr else { continue }
            let known: SocketAddress? =
                switch entry.ai_family {
                case AF_INET: .init(address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee })
                case AF_INET6: .init(address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee })
                default: nil
                }
            if let known, let address = HostAddress(known) { addresses.append(address) }
        }
        return addresses
    }
}

package struct ResolutionError: Error, CustomStringConvertible {
    package let description: String
}

/// Gives the one who waits the first of two answers.
private final class FirstAnswer: Sendable {
    private enum State {
        case nobodyWaits
        case waiting(CheckedContinuation<[HostAddress], any Error>)
        case given
    }

    private let state = Guarded(State.nobodyWaits)

    /// - Returns: false when the answer was given already, and the continuation with it.
    func expect(_ continuation: CheckedContinuation<[HostAddress], any Error>) -> Bool {
        let isFirst = state.withLock { state in
            if case .given = state { return false }
            state = .waiting(continuation)
            return true
        }
        // Only a cancellation comes before anybody waits.
        if !isFirst { continuation.resume(throwing: CancellationError()) }
        return isFirst
    }

    func give(_ answer: Result<[HostAddress], any Error>) {
        let continuation: CheckedContinuation<[HostAddress], any Error>? = state.withLock { state in
            defer { state = .given }
            if case .waiting(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(with: answer)
    }
}
