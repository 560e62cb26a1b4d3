/// JSON text written byte by byte. By hand, because a JSON library would first want a tree of objects for every event.
///
/// Source: RFC 8259. Only what must be escaped is escaped; everything else stays UTF-8.
package struct JSONText: Sendable {
    package var bytes: [UInt8] = []
    /// Places where the input was not UTF-8 and U+FFFD stands instead.
    package private(set) var repairs = 0

    package init() {}

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        repairs = 0
    }

    /// Text that is JSON already.
    @inline(__always)
    package mutating func raw(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
    }

    package mutating func string(_ text: ArraySlice<UInt8>) {
        text.withUnsafeBytes { string($0) }
    }

    /// A quoted string of bytes that should be UTF-8.
    package mutating func string(_ text: UnsafeRawBufferPointer) {
        bytes.append(UInt8(ascii: "\""))
        contents(text)
        bytes.append(UInt8(ascii: "\""))
    }

    /// What stands between the quotes. Ill-formed parts are told from `text` alone, whatever comes before and after.
    mutating func contents(_ text: UnsafeRawBufferPointer) {
        var plain = 0
        var place = 0
        while place < text.count {
            let byte = text[place]
            if byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                place += 1
                continue
            }
            if byte >= 0x80 {
                let scalar = UTF8Text.scalar(in: text, at: place)
                if scalar.value == nil {
                    bytes.append(contentsOf: text[plain..<place])
                    bytes.append(contentsOf: UTF8Text.replacementCharacter)
                    repairs += 1
                    plain = place + scalar.length
                }
                place += scalar.length
                continue
            }
            bytes.append(contentsOf: text[plain..<place])
            escape(byte)
            place += 1
            plain = place
        }
        bytes.append(contentsOf: text[plain..<place])
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            raw("u00")
            bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
            let low = byte & 15
            bytes.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }
}

/// Reading of bytes that should be UTF-8.
enum UTF8Text {
    static let replacementCharacter: [UInt8] = [0xEF, 0xBF, 0xBD]

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

    /// `text` as a CloudEvents attribute may be: valid UTF-8 without control characters and noncharacters, each of which
    /// becomes U+FFFD (CloudEvents 1.0.2, "Type System", String).
    static func attribute(_ text: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        if text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            output.append(contentsOf: text)
            return
        }
        var place = 0
        while place < text.count {
            let (value, length) = scalar(in: text, at: place)
            if let value, !isForbidden(value) {
                output.append(contentsOf: text[place..<place + length])
            } else {
                output.append(contentsOf: replacementCharacter)
            }
            place += length
        }
    }

    /// Whether `attribute` would leave `text` as it is.
    static func isAttribute(_ text: UnsafeRawBufferPointer) -> Bool {
        var output: [UInt8] = []
        attribute(text, into: &output)
        return output.elementsEqual(text)
    }

    /// How many of the first `limit` bytes of valid UTF-8 are whole characters.
    static func wholeCharacters(of text: [UInt8], within limit: Int) -> Int {
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
