internal import Bitrix24

extension PHPValue {
    /// What PHP's `http_build_query` makes of a map: null and empty maps leave no trace, true is 1.
    package var form: [UInt8] {
        var body: [UInt8] = []
        for member in members { Self.append(member.value, named: member.name, to: &body) }
        return body
    }

    private static func append(_ value: PHPValue, named name: String, to body: inout [UInt8]) {
        switch value {
        case .null: return
        case .list, .map:
            for member in value.members { append(member.value, named: "\(name)[\(member.name)]", to: &body) }
        case .bool(let flag): append(flag ? "1" : "0", named: name, to: &body)
        case .text, .int, .double: append(value.text ?? "", named: name, to: &body)
        }
    }

    private static func append(_ text: String, named name: String, to body: inout [UInt8]) {
        if !body.isEmpty { body.append(UInt8(ascii: "&")) }
        FormText.append(name.utf8, to: &body)
        body.append(UInt8(ascii: "="))
        FormText.append(text.utf8, to: &body)
    }

    /// What PHP's `parse_str` makes of a form or a query.
    ///
    /// - Throws: `FormError` when there are more fields or brackets than PHP takes.
    init(form bytes: some Collection<UInt8>) throws(FormError) {
        var form = BracketForm()
        let bytes = Array(bytes)
        let result: Result<Void, FormError> = bytes.withUnsafeBytes { bytes in
            do throws(FormError) { return .success(try form.decode(bytes)) } catch { return .failure(error) }
        }
        try result.get()
        self = Self.value(of: BracketForm.root, in: form)
    }

    private static func value(of node: BracketForm.Node, in form: BracketForm) -> PHPValue {
        if let scalar = form.scalar(node) { return .text(String(decoding: scalar, as: UTF8.self)) }
        let children = Array(form.children(of: node))
        if form.isList(node) { return .list(children.map { value(of: $0, in: form) }) }
        return .map(
            children.map { Member(String(decoding: form.name($0), as: UTF8.self), value(of: $0, in: form)) }
        )
    }
}
