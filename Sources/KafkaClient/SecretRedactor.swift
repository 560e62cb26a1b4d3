/// Takes the values of secret properties out of text that librdkafka wrote.
///
/// Quoted values appear whole ("Invalid value …") or from some place on ("… beginning at: …"), so runs of eight bytes
/// and more of a secret go too. A secret shorter than that is only taken out whole.
struct SecretRedactor: Sendable {
    static let replacement = "[redacted]"
    private static let runLength = 8

    private let secrets: [[UInt8]]

    init(properties: [String: String] = [:]) {
        secrets =
            properties
            .filter { SecretRedactor.isSecret($0.key) && !$0.value.isEmpty }
            .map { Array($0.value.utf8) }
            .sorted { $0.count > $1.count }
    }

    /// librdkafka marks these as sensitive (CONFIGURATION.md), but for paths and public certificates. What a later
    /// version may add is caught by the words in its name.
    static func isSecret(_ property: String) -> Bool {
        switch property {
        case "sasl.username", "sasl.oauthbearer.config", "sasl.oauthbearer.extensions", "ssl.key.pem", "ssl_key": true
        default: property.contains("password") || property.contains("secret") || property.contains("token")
        }
    }

    func redact(_ text: String) -> String {
        guard !secrets.isEmpty else { return text }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var position = 0
        var didRedact = false
        while position < bytes.count {
            let length = secrets.reduce(0) { max($0, secretRun(of: $1, in: bytes, at: position)) }
            if length > 0 {
                result.append(contentsOf: SecretRedactor.replacement.utf8)
                position += length
                didRedact = true
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return didRedact ? String(decoding: result, as: UTF8.self) : text
    }

    /// The length of the longest piece of `secret` that stands at `position`, zero when it is too short to matter.
    private func secretRun(of secret: [UInt8], in text: [UInt8], at position: Int) -> Int {
        let least = min(secret.count, SecretRedactor.runLength)
        var longest = 0
        for start in 0...(secret.count - least) {
            var length = 0
            while start + length < secret.count, position + length < text.count,
                secret[start + length] == text[position + length]
            {
                length += 1
            }
            longest = max(longest, length)
        }
        return longest >= least ? longest : 0
    }
}
