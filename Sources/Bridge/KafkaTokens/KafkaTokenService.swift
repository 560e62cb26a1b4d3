internal import AsyncHTTPClient
internal import Bitrix24
internal import CoreMetrics
internal import KafkaClient
internal import Logging
internal import ServiceLifecycle

/// Keeps the token for the Kafka clients fresh: asks for the next one well before the last expires, whether anything is sent
/// or not. While the token server is away the last token is used for as long as it is good; events wait in the journal.
struct KafkaTokenService: Service, CustomStringConvertible {
    let oauth: BridgeSettings.OAuth
    let failures: Counter?
    let logger: Logger
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    /// The service group logs its services.
    var description: String { "KafkaTokenService" }

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await keepFresh() }
    }

    /// Returns when it is cancelled.
    ///
    /// - Parameter first: what came before, if a token was asked for already.
    func keepFresh(after first: TokenEndpoint.Grant? = nil) async throws {
        try await HTTPClient.withHTTPClient(configuration: .outbound) { client in
            let endpoint = TokenEndpoint(oauth, client)
            var schedule = TokenSchedule()
            var saidFailure: String?
            var isFirst = first == nil
            if let first {
                let pause = schedule.pause(afterTokenFor: first.lifetime, random: .random(in: 0...1))
                guard (try? await sleep(pause)) != nil else { return }
            }
            while !Task.isCancelled {
                let pause: Duration
                do {
                    let grant = try await endpoint.grant()
                    try use(grant, isFirst: isFirst, saidFailure: &saidFailure)
                    isFirst = false
                    pause = schedule.pause(afterTokenFor: grant.lifetime, random: .random(in: 0...1))
                } catch is CancellationError {
                    return
                } catch {
                    fail("\(error)", &saidFailure)
                    pause = schedule.pauseAfterFailure(random: .random(in: 0...1))
                }
                guard (try? await sleep(pause)) != nil else { return }
            }
        }
    }

    private func use(_ grant: TokenEndpoint.Grant, isFirst: Bool, saidFailure: inout String?) throws(TokenFault) {
        if let refusal = oauth.tokens.use(grant.token) { throw TokenFault("\(refusal)") }
        let metadata: Logger.Metadata = [
            "tokenEndpoint": "\(oauth.tokenEndpoint)", "lifetime": "\(grant.lifetime.components.seconds) s",
        ]
        if saidFailure != nil {
            saidFailure = nil
            logger.notice("there are tokens for Kafka again", metadata: metadata)
        } else if isFirst {
            logger.info("there is a token for Kafka", metadata: metadata)
        }
    }

    private func fail(_ words: String, _ saidFailure: inout String?) {
        failures?.increment()
        oauth.tokens.fail(words)
        guard words != saidFailure else { return }
        saidFailure = words
        let isHeld = oauth.tokens.secondsLeft.map { $0 > 0 } ?? false
        logger.error(
            "there is no new token for Kafka; trying again",
            metadata: [
                "error": "\(words)",
                "effect": isHeld
                    ? "the last token is good for \(Int(oauth.tokens.secondsLeft ?? 0)) s more"
                    : "nothing can be delivered; events wait in the journal",
            ]
        )
    }
}

extension BearerTokens {
    /// How long the token is still good, below 0 if it has expired; `nil` if there was none yet.
    var secondsLeft: Double? {
        current.map { Double($0.expiresAt - WallClock.now().milliseconds) / 1000 }
    }
}
