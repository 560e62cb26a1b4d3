/// Words of an answer, made fit for errors and logs.
struct SafeText: Sendable {
    private static let replacement = "[redacted]"
    private static let longest = 300
    /// Tokens, secrets and webhook keys are longer runs of letters and digits than words are; Bitrix24's shortest has 16.
    private static let tokenLength = 16

    /// Of this call: tokens, secrets.
    private let secrets: [String]

    init(secrets: [String]) { self.secrets = secrets.filter { $0.utf8.count >= 4 } }

    /// One line without secrets, nor what may be one: anybody's tokens, any incoming webhook's key.
    func clean(_ text: String) -> String {
        var text = text
        for secret in secrets { text = text.replacing(secret, with: Self.replacement) }
        // What is longer is cut off below anyway.
        var result = ""
        var word = ""
        func endWord() {
            result += Self.isToken(word) ? Self.replacement : word
            word = ""
        }
        for character in text.unicodeScalars.prefix(4 * Self.longest) {
            if Self.isTokenScalar(character) {
                word.unicodeScalars.append(character)
            } else {
                endWord()
                result.unicodeScalars.append(character.value < 0x20 || character.value == 0x7F ? " " : character)
            }
        }
        endWord()
        result.replace(/rest\/[0-9]+\/[^\s\/"']+/) { _ in "rest/\(Self.replacement)" }
        return String(result.prefix(Self.longest))
    }

    /// A code is a word; anything else that stands in its place is not repeated.
    func code(_ text: String) -> RESTError.Code {
        let isWord = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard isWord, !text.isEmpty, text.utf8.count <= 64, !secrets.contains(where: text.contains),
            text.split(whereSeparator: { "_-.".contains($0) }).allSatisfy({ !Self.isToken(String($0)) })
        else { return .unnamed }
        return RESTError.Code(text)
    }

    private static func isTokenScalar(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9": true
        default: false
        }
    }

    private static func isToken(_ word: String) -> Bool {
        guard word.utf8.count >= tokenLength else { return false }
        return word.utf8.count >= 40 || word.utf8.contains { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
}
