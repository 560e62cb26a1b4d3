internal import AsyncHTTPClient
internal import CoreMetrics
internal import Ingress
internal import Logging
internal import ServiceLifecycle

/// Fetches the published lists that `http.allowedNetworks` names, each every 10 minutes. A list that cannot be fetched changes
/// nothing: until it was fetched once everybody may send, after that its last state counts.
struct SenderListWatch: Service, CustomStringConvertible {
    let networks: SenderNetworks
    /// The published addresses but in tests.
    let address: @Sendable (SenderList) -> String
    let failures: [String: Counter]
    let logger: Logger
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    var description: String { "SenderListWatch" }

    /// Bitrix24 asks for 5 to 10 minutes, and for no more than one fetch a minute; a new address is on the list for 5 to 10
    /// minutes before it sends.
    static let interval: ClosedRange<Double> = 540...600
    static let retryInterval: ClosedRange<Double> = 60...75

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await HTTPClient.withHTTPClient(configuration: .outbound) { client in
                await withDiscardingTaskGroup { group in
                    for list in networks.lists { group.addTask { await watch(list, client) } }
                }
            }
        }
    }

    private func watch(_ list: SenderList, _ client: HTTPClient) async {
        while !Task.isCancelled {
            var interval = Self.interval
            do {
                take(try await SenderList.fetch(from: address(list), by: client), of: list)
            } catch is CancellationError {
                return
            } catch {
                interval = Self.retryInterval
                fail("\(error)", of: list)
            }
            // Replicas that started together do not ask together for ever.
            guard (try? await sleep(.seconds(.random(in: interval)))) != nil else { return }
        }
    }

    private func take(_ fetched: AddressRanges, of list: SenderList) {
        let (change, wasFailing) = networks.take(fetched, of: list, at: .now)
        var metadata: Logger.Metadata = ["list": "\(list.rawValue)", "entries": "\(fetched.count)"]
        if change == .first {
            let missing = networks.missing.map(\.rawValue).joined(separator: " ")
            metadata["effect"] =
                missing.isEmpty
                ? "only the networks of http.allowedNetworks may send from now on"
                : "everybody may send until \(missing) is fetched as well"
        }
        switch change {
        case .first: logger.notice("a list of Bitrix24's senders was fetched", metadata: metadata)
        case .entries: logger.info("a list of Bitrix24's senders has changed", metadata: metadata)
        case .none where wasFailing:
            logger.notice("a list of Bitrix24's senders can be fetched again", metadata: metadata)
        case .none: break
        }
    }

    private func fail(_ words: String, of list: SenderList) {
        failures[list.rawValue]?.increment()
        guard networks.fail(words, of: list) else { return }
        logger.warning(
            "a list of Bitrix24's senders cannot be fetched; trying again every minute",
            metadata: [
                "list": "\(list.rawValue)", "address": "\(address(list))", "error": "\(words)",
                "effect": networks.knowledge(of: list).networks == nil
                    ? "everybody may send until it is fetched; let this host reach the address"
                    : "the last good list stays in force; let this host reach the address",
            ]
        )
    }
}
