/// The attribute `source`: `/bitrix24/` and the portal's member_id.
package enum PortalSource {
    private static let prefix: StaticString = "/bitrix24/"

    /// The header that holds it in binary mode.
    package static var header: StaticString { EnvelopeWriter.Name.source.header }

    /// The member_id in the attribute's text, percent-encoded as it stands there. `nil`: no text of ours.
    package static func encodedMemberID(in source: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard source.count >= prefix.utf8CodeUnitCount, source.starts(with: prefix) else { return nil }
        return source.part(prefix.utf8CodeUnitCount..<source.count)
    }

    package static func decode(_ encoded: UnsafeRawBufferPointer) -> [UInt8] {
        var decoded: [UInt8] = []
        var place = 0
        while place < encoded.count {
            if encoded[place] == UInt8(ascii: "%"), place + 2 < encoded.count,
                let byte = UInt8(String(decoding: encoded[place + 1...place + 2], as: UTF8.self), radix: 16)
            {
                decoded.append(byte)
                place += 3
            } else {
                decoded.append(encoded[place])
                place += 1
            }
        }
        return decoded
    }

    static func write(_ memberID: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        prefix.withUTF8Buffer { output.append(contentsOf: $0) }
        guard !memberID.allSatisfy(isUnreserved) else { return output.append(contentsOf: memberID) }
        for byte in memberID {
            if isUnreserved(byte) {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output.append(digit(byte >> 4))
                output.append(digit(byte & 15))
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }

    /// RFC 3986, section 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes begin with those of `text`, without making anything of either.
    fileprivate func starts(with text: StaticString) -> Bool {
        text.withUTF8Buffer { self.prefix($0.count).elementsEqual($0) }
    }
}
