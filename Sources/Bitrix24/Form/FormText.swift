/// Names and values of a form as PHP's `http_build_query` writes them, in either of its two ways.
package enum FormText {
    package enum Style: Sendable {
        /// A space is a plus, and all but letters, digits and `-_.` is escaped.
        case rfc1738
        /// All but letters, digits and `-_.~` is escaped.
        case rfc3986
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    package static func append(_ text: some Sequence<UInt8>, to body: inout [UInt8], style: Style = .rfc1738) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                body.append(byte)
            case UInt8(ascii: "~") where style == .rfc3986: body.append(byte)
            case UInt8(ascii: " ") where style == .rfc1738: body.append(UInt8(ascii: "+"))
            default: body += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }
}
