/// Text with placeholders such as `{entity}`, from the configuration.
struct Template: Sendable {
    enum Part: Sendable, Equatable {
        case literal([UInt8])
        case placeholder(Placeholder)
    }

    enum Placeholder: String, Sendable, CaseIterable {
        case entity, scope, action, portal, domain, id
    }

    let parts: [Part]

    init(_ text: String, allowing allowed: [Placeholder]) throws(TemplateError) {
        var parts: [Part] = []
        var rest = Substring(text)
        while let open = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            guard rest[open] == "{", let close = rest[open...].firstIndex(of: "}") else {
                throw TemplateError("has a brace without its partner; write placeholders as {\(allowed[0].rawValue)}")
            }
            if open > rest.startIndex { parts.append(.literal(Array(rest[..<open].utf8))) }
            let name = String(rest[rest.index(after: open)..<close])
            guard let placeholder = Placeholder(rawValue: name), allowed.contains(placeholder) else {
                let known = allowed.map { "{\($0.rawValue)}" }.joined(separator: ", ")
                throw TemplateError("knows no {\(name)}; use \(known)")
            }
            parts.append(.placeholder(placeholder))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.literal(Array(rest.utf8))) }
        guard !parts.isEmpty else { throw TemplateError("is empty; leave it out to get the default") }
        self.parts = parts
    }
}

/// Says what is wrong with a template, as the rest of a sentence that begins with its key.
package struct TemplateError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// What the placeholders stand for in one event.
struct TemplateValues {
    var eventType: EventType
    /// Valid UTF-8 without control characters, as in the attribute `partitionkey`.
    var memberID: String
    /// From the portal's record, never from the body.
    var domain: String?
    /// What orders the event. `nil`: it concerns the portal as a whole.
    var orderID: [UInt8]?
}

/// The setting `kafka.topic`.
package struct TopicTemplate: Sendable {
    /// Longest name that Kafka takes (`org.apache.kafka.common.internals.Topic`).
    package static let longestName = 249
    package static let defaultText = "bitrix24.{entity}"
    private let template: Template

    /// - Throws: `TemplateError` for an unknown placeholder or a character that no topic name may have.
    package init(_ text: String) throws(TemplateError) {
        template = try Template(text, allowing: [.entity, .scope, .action, .portal, .domain])
        for case .literal(let bytes) in template.parts where !bytes.allSatisfy(Self.isLegal) {
            throw TemplateError(
                "may hold letters, digits, '.', '_' and '-' beside its placeholders; leave out the rest"
            )
        }
        if case .literal(let bytes) = template.parts[0], template.parts.count == 1 {
            guard bytes != Array(".".utf8), bytes != Array("..".utf8), bytes.count <= Self.longestName else {
                throw TemplateError("is no legal topic name; use 1 to \(Self.longestName) characters, not '.' or '..'")
            }
        }
    }

    /// All topics that the events of `catalog` lead to. `nil`: they depend on the portal.
    package func names(of catalog: EventCatalog) -> Set<String>? {
        let perPortal: [Template.Part] = [.placeholder(.portal), .placeholder(.domain)]
        guard !template.parts.contains(where: perPortal.contains) else { return nil }
        return (catalog.eventTypes + [EventCatalog.unknown]).reduce(into: []) { names, type in
            var name: [UInt8] = []
            render(TemplateValues(eventType: type, memberID: "", domain: nil, orderID: nil), into: &name)
            names.insert(String(decoding: name, as: UTF8.self))
        }
    }

    /// Appends a legal topic name: what Kafka forbids becomes `_`, and a name that would be too long is cut and ends in a
    /// digest of the whole.
    func render(_ values: TemplateValues, into output: inout [UInt8]) {
        let start = output.count
        for part in template.parts {
            switch part {
            case .literal(let bytes): output.append(contentsOf: bytes)
            case .placeholder(.entity): Self.append(values.eventType.entity, to: &output)
            case .placeholder(.scope): Self.append(values.eventType.scope, to: &output)
            case .placeholder(.action): Self.append(values.eventType.action, to: &output)
            case .placeholder(.portal): Self.append(values.memberID, to: &output)
            case .placeholder(.domain): Self.append(values.domain ?? "unknown", to: &output)
            case .placeholder(.id): break
            }
        }
        if output.count - start > Self.longestName {
            let digest = TokenDigest(token: output[start...]).hexadecimal.prefix(16)
            output.removeSubrange((start + Self.longestName - 17)...)
            output.append(UInt8(ascii: "-"))
            output.append(contentsOf: digest)
        }
        let isDots = output[start...].allSatisfy { $0 == UInt8(ascii: ".") } && output.count - start <= 2
        if isDots { output.append(UInt8(ascii: "_")) }
    }

    private static func append(_ text: String, to output: inout [UInt8]) {
        for byte in text.utf8 { output.append(isLegal(byte) ? byte : UInt8(ascii: "_")) }
    }

    private static func isLegal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// The setting `kafka.key`. Events with one key keep their order.
package struct KeyTemplate: Sendable {
    /// Longest key in bytes; a longer one is replaced by its SHA-256 in hexadecimal.
    package static let longestKey = 256
    package static let defaultText = "{portal}/{entity}/{id}"
    private let template: Template

    /// - Throws: `TemplateError` for an unknown placeholder or a control character, which an attribute may not have.
    package init(_ text: String) throws(TemplateError) {
        template = try Template(text, allowing: [.portal, .entity, .id, .action, .scope, .domain])
        for case .literal(let bytes) in template.parts where !bytes.withUnsafeBytes(UTF8Text.isAttribute) {
            throw TemplateError("holds a control character; leave it out")
        }
    }

    /// Appends the key. Without an id the placeholder goes and the text right before it with it.
    func render(_ values: TemplateValues, into output: inout [UInt8]) {
        let start = output.count
        var literal = output.count
        for part in template.parts {
            let end = output.count
            switch part {
            case .literal(let bytes): output.append(contentsOf: bytes)
            case .placeholder(.portal): output.append(contentsOf: values.memberID.utf8)
            case .placeholder(.entity): output.append(contentsOf: values.eventType.entity.utf8)
            case .placeholder(.action): output.append(contentsOf: values.eventType.action.utf8)
            case .placeholder(.scope): output.append(contentsOf: values.eventType.scope.utf8)
            case .placeholder(.domain): output.append(contentsOf: (values.domain ?? "unknown").utf8)
            case .placeholder(.id):
                if let id = values.orderID {
                    output.append(contentsOf: id)
                } else {
                    output.removeSubrange(literal...)
                }
            }
            literal = if case .literal = part { end } else { output.count }
        }
        if output.count == start {
            output.append(contentsOf: values.memberID.utf8)
            output.append(UInt8(ascii: "/"))
            output.append(contentsOf: values.eventType.entity.utf8)
        }
        if output.count - start > Self.longestKey {
            let digest = TokenDigest(token: output[start...]).hexadecimal
            output.removeSubrange(start...)
            output.append(contentsOf: digest)
        }
    }
}
