internal import AsyncHTTPClient
internal import Foundation
internal import Ingress

/// A list of the addresses from which Bitrix24's cloud sends events, as Bitrix24 publishes it. The raw value names it in
/// `http.allowedNetworks`. On-premise portals with a queue server of their own are in none.
///
/// Source: b24restdocs, settings/cloud-and-on-premise/network-access.md
enum SenderList: String, Sendable, CaseIterable {
    case world = "bitrix24-world"
    /// Russia and the CIS.
    case russia = "bitrix24-russia"

    var address: String {
        switch self {
        case .world: "https://dl.bitrix24.com/webhook/app-world.json"
        case .russia: "https://repos.1c-bitrix.ru/webhook/app.json"
        }
    }

    /// - Parameter address: the published one but in tests.
    /// - Throws: `CancellationError`, `OutboundError`; `SenderListFault` for an answer that is no list.
    static func fetch(from address: String, by client: HTTPClient) async throws -> AddressRanges {
        let answer = try await OutboundExchange(client: client).answer(to: HTTPClientRequest(url: address))
        guard answer.status == 200 else { throw SenderListFault(description: "it answers HTTP \(answer.status)") }
        return try networks(in: answer.body)
    }

    private struct Document: Decodable {
        let nodes: [String]
    }

    /// Reads `{"nodes":["3.217.33.54",…]}`. One entry that is no address, or none at all, spoils the whole: half a list would
    /// refuse genuine events.
    static func networks(in document: [UInt8]) throws(SenderListFault) -> AddressRanges {
        let nodes: [String]
        do {
            nodes = try JSONDecoder().decode(Document.self, from: Data(document)).nodes
        } catch {
            throw SenderListFault(description: "it is not of the form {\"nodes\":[\"192.0.2.1\",…]}")
        }
        guard !nodes.isEmpty else { throw SenderListFault(description: "it is empty") }
        do {
            return try AddressRanges(nodes)
        } catch {
            throw SenderListFault(
                description: "an entry of it is no address: \(error.entry.prefix(64).debugDescription)"
            )
        }
    }
}

/// Why an answer is no list of senders.
struct SenderListFault: Error, Equatable, CustomStringConvertible {
    let description: String
}
