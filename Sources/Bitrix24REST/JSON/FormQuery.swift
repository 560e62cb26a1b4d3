internal import Bitrix24

/// Parameters as a query or a form body, as PHP reads them: `a[b]=1&c[0]=x`.
package enum FormQuery {
    /// In the order of the names, so that equal parameters make equal texts. `null` is left out, as PHP does.
    package static func text(_ parameters: [String: JSONValue]) -> String {
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

    static func escaped(_ text: String) -> String {
        var result: [UInt8] = []
        FormText.append(text.utf8, to: &result, style: .rfc3986)
        return String(decoding: result, as: UTF8.self)
    }
}
