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
        var place = UTF8Text.endOfPlain(in: text, from: 0)
        var copied = 0
        while place < text.count {
            let byte = text[place]
            var length = 1
            if byte >= 0x80 {
                let scalar = UTF8Text.scalar(in: text, at: place)
                length = scalar.length
                if scalar.value == nil {
                    bytes.append(contentsOf: text.part(copied..<place))
                    raw(UTF8Text.replacementCharacter)
                    repairs += 1
                    copied = place + length
                }
            } else if byte != 0x7F {
                bytes.append(contentsOf: text.part(copied..<place))
                escape(byte)
                copied = place + 1
            }
            place += length
            // Text in other scripts comes in runs, too.
            if place < text.count, text[place] < 0x80 { place = UTF8Text.endOfPlain(in: text, from: place) }
        }
        bytes.append(contentsOf: text.part(copied..<text.count))
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
