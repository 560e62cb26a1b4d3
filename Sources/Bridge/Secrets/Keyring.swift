/// Sealed with AES-256-GCM: key id, nonce, ciphertext and tag as one text without blanks.
package struct SealedText: Sendable, Equatable, Codable {
    package let text: String

    init(text: String) { self.text = text }

    package init(from decoder: any Decoder) throws { text = try decoder.singleValueContainer().decode(String.self) }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
