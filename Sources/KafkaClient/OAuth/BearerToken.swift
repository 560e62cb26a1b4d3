/// A token for SASL/OAUTHBEARER. Never described: neither logs nor errors show it.
package struct BearerToken: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    let value: String
    /// Milliseconds since 1970. Clients present the token until it is replaced; brokers refuse it from then on.
    package let expiresAt: Int64
    /// For librdkafka's own messages. It is not sent.
    package let principal: String
    /// Sent beside the token (RFC 7628, 3.1). See ``objection(toExtension:_:)``.
    package let extensions: [String: String]

    /// `nil` when the text cannot be one: empty, or with other characters than visible ASCII (RFC 6750, 2.1). librdkafka would
    /// quote such a token in its refusal.
    package init?(_ value: String, expiresAt: Int64, principal: String, extensions: [String: String] = [:]) {
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        self.value = value
        self.expiresAt = expiresAt
        self.principal = principal
        self.extensions = extensions
    }

    /// What is wrong with an extension; `nil` if it can be sent.
    package static func objection(toExtension name: String, _ value: String) -> String? {
        let isLetters = name.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
        guard !name.isEmpty, isLetters, name != "auth" else {
            return "cannot be the name of an extension; use letters only, and not auth"
        }
        return value.utf8.allSatisfy { (0x20...0x7E).contains($0) } ? nil : "has a value that is not plain ASCII text"
    }

    package var description: String { "BearerToken([redacted])" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}
