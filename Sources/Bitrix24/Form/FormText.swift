/// Names and values of a form as PHP's `http_build_query` writes them.
package enum FormText {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// RFC 1738: a space is a plus, and all but letters, digits and `-_.` is escaped.
    package static func append(_ text: some Sequence<UInt8>, to body: inout [UInt8]) {
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                body.append(byte)
            case UInt8(ascii: " "): body.append(UInt8(ascii: "+"))
            default: body += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }
}
