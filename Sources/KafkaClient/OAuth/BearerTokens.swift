internal import CLibrdkafka
internal import Glibc
internal import Locks
internal import Synchronization

/// The bearer token of this moment, for all clients that are made with this object: each gets it when it is made, and every
/// new one at once, whether it is busy or idle. Clients without a token do not connect; they wait for the first.
///
/// Any thread may use it.
package final class BearerTokens: Sendable {
    private struct State {
        var token: BearerToken?
        /// Why there is no newer token, in words; `nil` after a success.
        var failure: String?
        var clients: [Client] = []
    }

    /// Sendable, as librdkafka lets any thread set tokens, and a client is detached, under the lock, before it is destroyed.
    private struct Client: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let state = Guarded(State())

    package init() {}

    package var current: BearerToken? { state.withLock { $0.token } }

    package var failure: String? { state.withLock { $0.failure } }

    /// Gives the token to all clients, and to those that come.
    ///
    /// - Returns: why a client refuses it, if one does.
    @discardableResult
    package func use(_ token: BearerToken) -> KafkaError? {
        state.withLock { state in
            state.token = token
            state.failure = nil
            return state.clients.compactMap { Self.give(token, to: $0.pointer) }.first
        }
    }

    /// No token could be had. Clients go on with the one that they have; once it has expired they are told, so that their
    /// errors say why they cannot log in.
    ///
    /// - Parameter words: for people, without secrets.
    package func fail(_ words: String) {
        state.withLock { state in
            state.failure = words
            guard state.token.map(Self.hasExpired) ?? true else { return }
            for client in state.clients { Self.tell(words, to: client.pointer) }
        }
    }

    // MARK: Clients

    func attach(_ client: OpaquePointer) {
        let client = Client(pointer: client)
        state.withLock { state in
            state.clients.append(client)
            if let token = state.token, !Self.hasExpired(token) {
                _ = Self.give(token, to: client.pointer)
            } else if let failure = state.failure {
                Self.tell(failure, to: client.pointer)
            }
        }
    }

    /// After it returns nobody touches the client here. To be called before it is destroyed.
    func detach(_ client: OpaquePointer) {
        let client = Client(pointer: client)
        state.withLock { $0.clients.removeAll { $0.pointer == client.pointer } }
    }

    /// Expired by the clock that librdkafka goes by.
    private static func hasExpired(_ token: BearerToken) -> Bool {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return token.expiresAt <= Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// - Returns: the refusal. librdkafka's words are left out, as they may quote the token.
    private static func give(_ token: BearerToken, to client: OpaquePointer) -> KafkaError? {
        let texts = token.extensions.sorted { $0.key < $1.key }.flatMap { [strdup($0.key), strdup($0.value)] }
        defer { for text in texts { free(text) } }
        var pairs = texts.map { UnsafePointer($0) }
        var code = KafkaErrorCode.noError
        _ = withErrorText { text, size in
            code = KafkaErrorCode(
                rd_kafka_oauthbearer_set_token(
                    client,
                    token.value,
                    token.expiresAt,
                    token.principal,
                    &pairs,
                    pairs.count,
                    text,
                    size
                )
            )
            return code == .noError
        }
        switch code {
        case .noError: return nil
        case .state:
            return KafkaError(code: code, message: "the client does not log in by OAUTHBEARER; check sasl.mechanism")
        default:
            return KafkaError(code: code, message: "librdkafka does not take the token; it may have expired already")
        }
    }

    private static func tell(_ words: String, to client: OpaquePointer) {
        rd_kafka_oauthbearer_set_token_failure(client, words.isEmpty ? "no reason is known" : words)
    }
}
