/// Parameters as a query or a form body, as PHP reads them: `a[b]=1&c[0]=x`.
enum FormQuery {
    /// In the order of the names, so that equal parameters make equal texts. `null` is left out, as PHP does.
    static func text(_ parameters: [String: JSONValue]) -> String {
        var pairs: [String] = []
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) { add(value, escaped(name), to: &pairs) }
        return pairs.joined(separator: "&")
    }

    private static func add(_ value: JSONValue, _ name: String, to pairs: inout [String]) {
        switch value {
        case .null: break
        case .bool(let flag): pairs.append("\(name)=\(flag ? 1 : 0)")
        case .int, .double, .string: pairs.append("\(name)=\(escaped(value.text ?? ""))")
        case .array(let elements):
            for (index, element) in elements.enumerated() { add(element, "\(name)%5B\(index)%5D", to: &pairs) }
        case .object(let members):
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                add(member, "\(name)%5B\(escaped(key))%5D", to: &pairs)
            }
        }
    }

    /// All but letters, digits, `-`, `.`, `_` and `~` (RFC 3986, 2.3) percent-encoded.
    static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            default:
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
