extension BracketForm {
    /// Replaces what the form holds by what it held when a dead letter was written of it, but for the secrets.
    ///
    /// What was under the names of secrets, and secrets elsewhere, are `[redacted]`, and what was not UTF-8 is U+FFFD: just
    /// as the normaliser would have written them. Two members of one map whose names were secrets have become one.
    ///
    /// - Parameter pairs: names and values as they stand in the letter.
    package mutating func decode(deadLetterPairs pairs: [(name: String, value: String)]) throws(FormError) {
        var body: [UInt8] = []
        for (name, value) in pairs {
            if !body.isEmpty { body.append(UInt8(ascii: "&")) }
            FormText.append(Self.withStandIns(Array(name.utf8)), to: &body)
            body.append(UInt8(ascii: "="))
            FormText.append(value.utf8, to: &body)
        }
        try decode(body)
        removeStandIns()
    }

    /// What stands for `[redacted]` between brackets while the form is decoded, or its own brackets would end the key. As
    /// long as that, and no UTF-8, so that no letter holds it.
    private static let standIn: [UInt8] = [0xFF] + Array("redacted".utf8) + [0xFE]

    private static func withStandIns(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var isInBrackets = false
        var rest = name[...]
        while let byte = rest.first {
            if isInBrackets, rest.starts(with: Redactor.replacement) {
                result += standIn
                rest = rest.dropFirst(Redactor.replacement.count)
                continue
            }
            if byte == UInt8(ascii: "[") { isInBrackets = true }
            if byte == UInt8(ascii: "]") { isInBrackets = false }
            result.append(byte)
            rest = rest.dropFirst()
        }
        return result
    }

    private mutating func removeStandIns() {
        var place = 0
        while place + Self.standIn.count <= textEnd {
            let range = place..<place + Self.standIn.count
            if text[place] == Self.standIn[0], text[range].elementsEqual(Self.standIn) {
                text.replaceSubrange(range, with: Redactor.replacement)
                place = range.upperBound
            } else {
                place += 1
            }
        }
    }
}
