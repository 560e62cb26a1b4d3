/// Numbers as PHP reads them.
enum PHPNumber {
    /// `intval`: what a text begins with; 0 where that is no number.
    static func int(_ text: String) -> Int {
        let trimmed = text.drop { $0.isWhitespace }
        let sign = trimmed.first.map { $0 == "-" || $0 == "+" } == true ? 1 : 0
        let digits = trimmed.dropFirst(sign).prefix { ("0"..."9").contains($0) }
        return Int(trimmed.prefix(sign) + digits) ?? 0
    }
}
