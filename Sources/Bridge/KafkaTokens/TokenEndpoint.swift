internal import AsyncHTTPClient
internal import Bitrix24
internal import Foundation
internal import KafkaClient
internal import NIOCore
internal import NIOHTTP1

/// The token server of `kafka.oauth`, asked for a token by the client credentials grant (RFC 6749, 4.4).
struct TokenEndpoint: Sendable {
    let oauth: BridgeSettings.OAuth
    let exchange: OutboundExchange

    init(_ oauth: BridgeSettings.OAuth, _ client: HTTPClient) {
        self.oauth = oauth
        exchange = OutboundExchange(client: client, maxBytes: 256 << 10)
    }

    /// A token and how long it was good for when it was asked for.
    struct Grant: Sendable {
        let token: BearerToken
        let lifetime: Duration
    }

    /// - Throws: `CancellationError`, or `TokenFault`, which names the mend and no secret.
    func grant() async throws -> Grant {
        // By this clock, and from before the question: the server's may differ, and the answer may be late.
        let askedAt = WallClock.now().milliseconds
        let answer: OutboundExchange.Answer
        do {
            answer = try await exchange.answer(to: request)
        } catch let error as OutboundError {
            throw TokenFault(
                "no token from \(oauth.tokenEndpoint): \(error); let this host reach it, or correct kafka.oauth.tokenEndpoint"
            )
        }
        guard answer.status == 200 else { throw refusal(answer) }
        return try grant(in: answer.body, askedAt: askedAt)
    }

    private var request: HTTPClientRequest {
        var request = HTTPClientRequest(url: oauth.tokenEndpoint)
        request.method = .POST
        // RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
        let credentials = "\(Self.formEncoded(oauth.clientID)):\(Self.formEncoded(oauth.clientSecret.text))"
        request.headers.add(
            name: "Authorization",
            value: "Basic \(Data(credentials.utf8).base64EncodedString())"
        )
        request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        let scope = oauth.scope.isEmpty ? "" : "&scope=\(Self.formEncoded(oauth.scope))"
        request.body = .bytes(ByteBuffer(string: "grant_type=client_credentials\(scope)"))
        return request
    }

    static func formEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += byte < 16 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    // MARK: Answers

    /// RFC 6749, 5.1.
    private struct Success: Decodable {
        let access_token: String
        let token_type: String?
        let expires_in: Seconds?
    }

    /// Some servers write it as text.
    private struct Seconds: Decodable {
        let value: Double

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                value = number
            } else {
                value = Double(try container.decode(String.self)) ?? 0
            }
        }
    }

    /// RFC 6749, 5.2.
    private struct Failure: Decodable {
        let error: String
    }

    private func grant(in body: [UInt8], askedAt: Int64) throws(TokenFault) -> Grant {
        guard let success = try? JSONDecoder().decode(Success.self, from: Data(body)) else {
            throw fault("answers 200 without an access_token; correct kafka.oauth.tokenEndpoint")
        }
        guard success.token_type.map({ $0.lowercased() == "bearer" }) ?? true else {
            throw fault("gives another type of token than Bearer, which is all that OAUTHBEARER takes")
        }
        guard let seconds = success.expires_in?.value, seconds >= 1, seconds.isFinite else {
            throw fault("does not say for how long its token is good (expires_in); have it say so")
        }
        // Longer than that is for ever.
        let lifetime = min(seconds, 366 * 86_400)
        let token = BearerToken(
            success.access_token,
            expiresAt: askedAt + Int64(lifetime * 1000),
            principal: oauth.clientID,
            extensions: oauth.extensions
        )
        guard let token else { throw fault("gives a token that is empty or has characters that no token may have") }
        return Grant(token: token, lifetime: .seconds(lifetime))
    }

    private func refusal(_ answer: OutboundExchange.Answer) -> TokenFault {
        let code = (try? JSONDecoder().decode(Failure.self, from: Data(answer.body)))?.error
        // As it may be anything else in the place of a code, only what is one is repeated.
        guard let code, Self.codes.contains(code) else {
            return fault(
                "answers HTTP \(answer.status); correct kafka.oauth.tokenEndpoint, or look at the server's log"
            )
        }
        return fault("refuses: \(code); \(Self.mend(code))")
    }

    private static let codes = [
        "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
        "invalid_scope", "access_denied", "server_error", "temporarily_unavailable",
    ]

    private static func mend(_ code: String) -> String {
        switch code {
        case "invalid_client": "check kafka.oauth.clientId and kafka.oauth.clientSecret"
        case "invalid_scope": "check kafka.oauth.scope"
        case "server_error", "temporarily_unavailable": "look at the server's log"
        default: "allow this client the client credentials grant there"
        }
    }

    private func fault(_ words: String) -> TokenFault { TokenFault("\(oauth.tokenEndpoint) \(words)") }
}

/// Why there is no token for Kafka, with the mend and without a secret.
package struct TokenFault: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
