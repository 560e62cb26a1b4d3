/// What of a configuration may stand in a fault.
enum Quoting {
    private static let maxCharacters = 64
    private static let secretWords = ["passw", "passphrase", "secret", "token", "credential", "key", "auth", "jaas"]

    /// Whether a key's name says that its value is nobody else's business. Says so too often rather than too seldom.
    static func looksSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return secretWords.contains { key.contains($0) }
    }

    /// A value in quotes, a number without. Cut after 64 characters, control characters escaped.
    static func value(_ text: String) -> String {
        let isNumber =
            text.unicodeScalars.first.map { ("0"..."9").contains($0) || $0 == "-" } == true
            && text.unicodeScalars.allSatisfy {
                $0.isASCII && ($0.properties.isAlphabetic || "0123456789._+-".unicodeScalars.contains($0))
            }
        return isNumber && text.count <= maxCharacters ? text : "\"\(name(text))\""
    }

    /// A key or a path as written. Cut after 64 characters, control characters escaped.
    static func name(_ text: String) -> String {
        var name = ""
        for (index, scalar) in text.unicodeScalars.enumerated() {
            guard index < maxCharacters else { return name + "…" }
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                name += scalar.escaped(asASCII: true)
            default:
                name.unicodeScalars.append(scalar)
            }
        }
        return name
    }

    /// A file's path; longer than a name may be.
    static func path(_ path: String) -> String {
        String(String.UnicodeScalarView(path.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
