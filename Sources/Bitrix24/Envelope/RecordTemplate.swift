/// Text with placeholders such as `{entity}`, from the configuration.
struct Template: Sendable {
    enum Part: Sendable, Equatable {
        /// Bytes within `literals`.
        case literal(Range<Int>)
        case placeholder(Placeholder)
    }

    enum Placeholder: String, Sendable, CaseIterable {
        case entity, scope, action, portal, domain, id
    }

    let parts: [Part]
    let literals: [UInt8]

    init(_ text: String, allowing allowed: [Placeholder]) throws(TemplateError) {
        var parts: [Part] = []
        var literals: [UInt8] = []
        func add(_ literal: Substring) {
            guard !literal.isEmpty else { return }
            parts.append(.literal(literals.count..<literals.count + literal.utf8.count))
            literals += literal.utf8
        }
        var rest = Substring(text)
        while let open = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            guard rest[open] == "{", let close = rest[open...].firstIndex(of: "}") else {
                throw TemplateError("has a brace without its partner; write placeholders as {\(allowed[0].rawValue)}")
            }
            add(rest[..<open])
            let name = String(rest[rest.index(after: open)..<close])
            guard let placeholder = Placeholder(rawValue: name), allowed.contains(placeholder) else {
                let known = allowed.map { "{\($0.rawValue)}" }.joined(separator: ", ")
                throw TemplateError("knows no {\(name)}; use \(known)")
            }
            parts.append(.placeholder(placeholder))
            rest = rest[rest.index(after: close)...]
        }
        add(rest)
        guard !parts.isEmpty else { throw TemplateError("is empty; leave it out to get the default") }
        self.parts = parts
        self.literals = literals
    }
}

/// Says what is wrong with a template, as the rest of a sentence that begins with its key.
package struct TemplateError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// What the placeholders stand for in one event.
struct TemplateValues {
    let eventType: EventType
    /// Valid UTF-8 without control characters, as in the attribute `partitionkey`.
    let memberID: UnsafeRawBufferPointer
    /// From the portal's record, never from the body.
    let domain: String?
    /// What orders the event, as clean as the member_id. `nil`: it concerns the portal as a whole.
    let orderID: UnsafeRawBufferPointer?
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
        guard template.literals.allSatisfy(Self.isLegal) else {
            throw TemplateError(
                "may hold letters, digits, '.', '_' and '-' beside its placeholders; leave out the rest"
            )
        }
        if case .literal = template.parts[0], template.parts.count == 1 {
            let name = template.literals
            guard name != Array(".".utf8), name != Array("..".utf8), name.count <= Self.longestName else {
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
            let noPortal = UnsafeRawBufferPointer(start: nil, count: 0)
            render(TemplateValues(eventType: type, memberID: noPortal, domain: nil, orderID: nil), into: &name)
            names.insert(String(decoding: name, as: UTF8.self))
        }
    }

    /// The topic to which events of this code lead, of one portal.
    package func name(of code: String, portal memberID: String, domain: String?) -> String {
        let type = EventCatalog.standard.eventType(for: code.uppercased()) ?? EventCatalog.unknown
        var name: [UInt8] = []
        Array(memberID.utf8).withUnsafeBytes { bytes in
            render(TemplateValues(eventType: type, memberID: bytes, domain: domain, orderID: nil), into: &name)
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// Appends a legal topic name: what Kafka forbids becomes `_`, and a name that would be too long is cut and ends in a
    /// digest of the whole.
    func render(_ values: TemplateValues, into output: inout [UInt8]) {
        let start = output.count
        for part in template.parts {
            switch part {
            case .literal(let bytes): output.append(contentsOf: template.literals[bytes])
            // The catalog's words are legal.
            case .placeholder(.entity): output.append(contentsOf: values.eventType.entityBytes)
            case .placeholder(.scope): output.append(contentsOf: values.eventType.scopeBytes)
            case .placeholder(.action): output.append(contentsOf: values.eventType.actionBytes)
            case .placeholder(.portal): Self.append(values.memberID, to: &output)
            case .placeholder(.domain): Self.append((values.domain ?? "unknown").utf8, to: &output)
            case .placeholder(.id): break
            }
        }
        if output.count - start > Self.longestName {
            let digest = TokenDigest(token: output[start...]).hexadecimal.prefix(16)
            output.removeSubrange((start + Self.longestName - 17)...)
            output.append(UInt8(ascii: "-"))
            output.append(contentsOf: digest)
        }
        let isDots = output.count - start <= 2 && output[start...].allSatisfy { $0 == UInt8(ascii: ".") }
        if isDots { output.append(UInt8(ascii: "_")) }
    }

    private static func append(_ text: some Sequence<UInt8>, to output: inout [UInt8]) {
        for byte in text { output.append(isLegal(byte) ? byte : UInt8(ascii: "_")) }
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
        guard template.literals.withUnsafeBytes(UTF8Text.isAttribute) else {
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
            case .literal(let bytes): output.append(contentsOf: template.literals[bytes])
            case .placeholder(.portal): output.append(contentsOf: values.memberID)
            case .placeholder(.entity): output.append(contentsOf: values.eventType.entityBytes)
            case .placeholder(.action): output.append(contentsOf: values.eventType.actionBytes)
            case .placeholder(.scope): output.append(contentsOf: values.eventType.scopeBytes)
            case .placeholder(.domain):
                var domain = values.domain ?? "unknown"
                domain.withUTF8 { UTF8Text.attribute(UnsafeRawBufferPointer($0), into: &output) }
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
            output.append(contentsOf: values.memberID)
            output.append(UInt8(ascii: "/"))
            output.append(contentsOf: values.eventType.entityBytes)
        }
        if output.count - start > Self.longestKey {
            let digest = TokenDigest(token: output[start...]).hexadecimal
            output.removeSubrange(start...)
            output.append(contentsOf: digest)
        }
    }
}
