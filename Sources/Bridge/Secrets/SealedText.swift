/// Sealed with AES-256-GCM: key id, nonce, ciphertext and tag as one text without blanks.
package struct SealedText: Sendable, Equatable, Codable {
    package let text: String

    package init(text: String) { self.text = text }

    package init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }

    /// Under which key it was sealed. `nil`: this is no sealed text.
    package var keyID: String? { parts.map { String($0.keyID) } }

    /// Key id, and what it seals in base64.
    var parts: (keyID: Substring, box: Substring)? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == Self.version ? (parts[1], parts[2]) : nil
    }

    static let version = "1"
}
