/// Reading of bytes that should be UTF-8.
enum UTF8Text {
    static let replacementCharacter: StaticString = "\u{FFFD}"

    /// The scalar at `place` and its length, or no value and the length of the ill-formed part, which one U+FFFD replaces
    /// (Unicode 15, section 3.9, "maximal subpart").
    static func scalar(in text: UnsafeRawBufferPointer, at place: Int) -> (value: UInt32?, length: Int) {
        let lead = text[place]
        let count: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        var value: UInt32
        switch lead {
        case 0..<0x80: return (UInt32(lead), 1)
        case 0xC2...0xDF: (count, value) = (2, UInt32(lead & 0x1F))
        case 0xE0...0xEF:
            (count, value) = (3, UInt32(lead & 0x0F))
            if lead == 0xE0 { second = 0xA0...0xBF }
            if lead == 0xED { second = 0x80...0x9F }
        case 0xF0...0xF4:
            (count, value) = (4, UInt32(lead & 0x07))
            if lead == 0xF0 { second = 0x90...0xBF }
            if lead == 0xF4 { second = 0x80...0x8F }
        default: return (nil, 1)
        }
        for offset in 1..<count {
            guard place + offset < text.count, second.contains(text[place + offset]) else { return (nil, offset) }
            value = value << 6 | UInt32(text[place + offset] & 0x3F)
            second = 0x80...0xBF
        }
        return (value, count)
    }

    /// The end of the run of bytes from `start` on that stand for themselves everywhere: ASCII but for control characters,
    /// `"` and `\`.
    @inline(__always)
    static func endOfPlain(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var place = start
        while place &+ 8 <= text.count {
            let word = text.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian
            let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
            let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
            // The top bit is set in each byte that is not plain, and maybe in some behind the first such one.
            var special = (word &- ones &* 0x20) & ~word | word | (word &+ ones)
            special |= (quote &- ones) & ~quote | (backslash &- ones) & ~backslash
            let plain = (special & (ones &* 0x80)).trailingZeroBitCount >> 3
            place &+= plain
            if plain < 8 { return place }
        }
        while place < text.count, isPlain(text[place]) { place &+= 1 }
        return place
    }

    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// `text` as a CloudEvents attribute may be: valid UTF-8 without control characters and noncharacters, each of which
    /// becomes U+FFFD (CloudEvents 1.0.2, "Type System", String).
    static func attribute(_ text: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        var place = endOfPlain(in: text, from: 0)
        var copied = 0
        while place < text.count {
            let (value, length) = scalar(in: text, at: place)
            if value.map(isForbidden) ?? true {
                output.append(contentsOf: text.part(copied..<place))
                replacementCharacter.withUTF8Buffer { output.append(contentsOf: $0) }
                copied = place + length
            }
            place = endOfPlain(in: text, from: place + length)
        }
        output.append(contentsOf: text.part(copied..<text.count))
    }

    /// Whether `attribute` would leave `text` as it is.
    static func isAttribute(_ text: UnsafeRawBufferPointer) -> Bool {
        var output: [UInt8] = []
        attribute(text, into: &output)
        return output.elementsEqual(text)
    }

    /// How many of the first `limit` bytes of valid UTF-8 are whole characters.
    static func wholeCharacters(of text: UnsafeRawBufferPointer, within limit: Int) -> Int {
        guard text.count > limit else { return text.count }
        var end = limit
        while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return end
    }

    private static func isForbidden(_ scalar: UInt32) -> Bool {
        scalar < 0x20 || (0x7F...0x9F).contains(scalar) || (0xFDD0...0xFDEF).contains(scalar)
            || scalar & 0xFFFE == 0xFFFE
    }
}
