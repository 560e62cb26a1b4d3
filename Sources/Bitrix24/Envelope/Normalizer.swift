/// How an envelope becomes a Kafka record (CloudEvents Kafka protocol binding 1.0.2).
package enum EnvelopeMode: String, Sendable, CaseIterable {
    /// The value is the whole envelope as JSON.
    case structured
    /// The value is `data`; the attributes are headers.
    case binary
}

/// What is known of one receipt beside the body.
package struct Receipt: Sendable {
    package var id: EnvelopeID
    package var receivedAt: Timestamp
    package var origin: EventOrigin
    /// The request's header of that name, passed through if well-formed (https://www.w3.org/TR/trace-context/).
    package var traceparent: String?

    package init(id: EnvelopeID, receivedAt: Timestamp, origin: EventOrigin, traceparent: String? = nil) {
        self.id = id
        self.receivedAt = receivedAt
        self.origin = origin
        self.traceparent = traceparent
    }
}

/// Turns a decoded event into the record that goes to Kafka. Pure; holds scratch memory, so confined to one thread.
package struct Normalizer: Sendable {
    let topic: TopicTemplate
    let key: KeyTemplate
    let mode: EnvelopeMode
    /// First half of the attribute `sequence`. `nil`: there is no journal and no such attribute.
    let replica: [UInt8]?
    var redactor = Redactor()

    package init(topic: TopicTemplate, key: KeyTemplate, mode: EnvelopeMode, replica: String?) {
        self.topic = topic
        self.key = key
        self.mode = mode
        self.replica = replica.map { name in
            var cleaned: [UInt8] = []
            Array(name.utf8).withUnsafeBytes { UTF8Text.attribute($0, into: &cleaned) }
            return cleaned
        }
    }

    /// Writes the record of `event` over what `record` held.
    ///
    /// - Parameter domain: the portal's domain from its record, for the topic's placeholder.
    /// - Throws: `RedactionError` when the body has too many secrets to be sure of removing them.
    package mutating func normalize(
        _ event: InboundEvent,
        of form: BracketForm,
        domain: String?,
        receipt: Receipt,
        into record: inout EventRecord
    ) throws(RedactionError) {
        record.removeAll()
        try redactor.learn(from: form)
        let type = event.eventType ?? EventCatalog.unknown
        let id = type.idPath.value(in: form).map { cleaned($0) }
        let values = TemplateValues(
            eventType: type,
            memberID: String(decoding: cleaned(event.sentMemberID), as: UTF8.self),
            domain: domain.map { String(decoding: cleaned(Array($0.utf8)), as: UTF8.self) },
            orderID: type.orderPath.value(in: form).map { cleaned($0) } ?? id
        )
        topic.render(values, into: &record.topic)
        key.render(values, into: &record.key)

        var envelope = EnvelopeWriter(mode: mode, record: record)
        record = EventRecord()
        writeAttributes(of: event, type: type, id: id, values: values, form: form, receipt: receipt, to: &envelope)
        envelope.beginData()
        if let data = form.child(of: BracketForm.root, named: "data") {
            write(data, of: form, to: &envelope.record.value)
        } else {
            envelope.record.value.raw("{}")
        }
        envelope.end()
        record = envelope.record
        if redactor.isExhausted { throw .tooAlike }
    }

    private mutating func writeAttributes(
        of event: InboundEvent,
        type: EventType,
        id: [UInt8]?,
        values: TemplateValues,
        form: BracketForm,
        receipt: Receipt,
        to envelope: inout EnvelopeWriter
    ) {
        envelope.constant("specversion", "1.0")
        envelope.header("ce_id") { receipt.id.write(into: &$0) }
        envelope.header("ce_type") { $0.append(contentsOf: type.cloudEventType.utf8) }
        envelope.safe("id") { receipt.id.write(into: &$0) }
        envelope.safe("source") { output in
            output.append(contentsOf: "/bitrix24/".utf8)
            Self.percentEncode(values.memberID.utf8, into: &output)
        }
        envelope.safe("type") { $0.append(contentsOf: type.cloudEventType.utf8) }
        envelope.text("subject") { output in
            output.append(contentsOf: type.entity.utf8)
            if let id {
                output.append(UInt8(ascii: "/"))
                output.append(contentsOf: id)
            }
        }
        let happened = form.scalar(of: BracketForm.root, named: "ts").flatMap(Timestamp.init(unixSeconds:))
        envelope.safe("time") { output in
            (happened ?? receipt.receivedAt).write(into: &output, withMilliseconds: happened == nil)
        }
        envelope.contentType()
        let key = envelope.record.key
        envelope.text("partitionkey") { $0.append(contentsOf: key) }
        if let replica { envelope.sequence(replica) }
        envelope.safe("recordedtime") { receipt.receivedAt.write(into: &$0, withMilliseconds: true) }
        envelope.text("b24event", cleaned(event.sentCode))
        envelope.text("b24domain", form.scalar(of: event.auth, named: "domain").map { cleaned($0) })
        envelope.safe("b24entity") { $0.append(contentsOf: type.entity.utf8) }
        envelope.text("b24entityid", id)
        envelope.safe("b24action") { $0.append(contentsOf: type.action.utf8) }
        envelope.safe("b24origin") { $0.append(contentsOf: receipt.origin.rawValue.utf8) }
        envelope.text(
            "b24handlerid",
            form.scalar(of: BracketForm.root, named: "event_handler_id").map { cleaned($0) }
        )
        envelope.text("b24user", form.scalar(of: event.auth, named: "user_id").map { cleaned($0) })
        if let trace = receipt.traceparent, TraceParent.isWellFormed(trace) {
            let text = Array(trace.utf8)
            // With a token cut out of it, it would lead nowhere.
            guard text.withUnsafeBytes({ redactor.redacted($0) }) == nil else { return }
            envelope.text("traceparent", text)
            envelope.passedThroughHeader("traceparent", text)
        }
    }

    /// `data` as PHP's `json_encode` would write it, without the request's secrets.
    private mutating func write(_ node: BracketForm.Node, of form: BracketForm, to json: inout JSONText) {
        if form.isSecret(node) {
            json.raw("\"[redacted]\"")
            return
        }
        let entry = form.entries[Int(node.index)]
        guard entry.isMap else {
            form.text[entry.value.range].withUnsafeBytes { _ = write($0, to: &json) }
            return
        }
        json.raw(entry.isSequential ? "[" : "{")
        var names: MemberNames?
        var next = entry.firstChild
        while next >= 0 {
            let child = form.entries[Int(next)]
            if !entry.isSequential {
                let start = json.bytes.count
                let isChanged = form.text[child.name.range].withUnsafeBytes { write($0, to: &json) }
                if isChanged {
                    var unique = names ?? unchangedNames(of: node, in: form)
                    unique.makeUnique(&json, from: start)
                    names = unique
                }
                json.raw(":")
            }
            write(BracketForm.Node(index: next), of: form, to: &json)
            next = child.nextSibling
            if next >= 0 { json.raw(",") }
        }
        json.raw(entry.isSequential ? "]" : "}")
    }

    /// The names of a map's members that are written as they are.
    private mutating func unchangedNames(of map: BracketForm.Node, in form: BracketForm) -> MemberNames {
        var names = MemberNames()
        for child in form.children(of: map) {
            var text = JSONText()
            let isChanged = form.name(child).withUnsafeBytes { write($0, to: &text) }
            if !isChanged { names.insert(text.bytes) }
        }
        return names
    }

    /// - Returns: whether something was redacted or repaired.
    @discardableResult
    mutating func write(_ text: UnsafeRawBufferPointer, to json: inout JSONText) -> Bool {
        let repairs = json.repairs
        var isRedacted = false
        json.raw("\"")
        redactor.cut(text) {
            json.contents($0)
        } token: {
            isRedacted = true
            json.raw("[redacted]")
        }
        json.raw("\"")
        return isRedacted || json.repairs != repairs
    }

    /// Text from the request as an attribute may hold it.
    mutating func cleaned(_ text: some Collection<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        Array(text).withUnsafeBytes { bytes in
            redactor.cut(bytes) {
                UTF8Text.attribute($0, into: &output)
            } token: {
                output.append(contentsOf: Redactor.replacement)
            }
        }
        return output
    }

    /// Text of the event normalised last, without its secrets and control characters, for a log line.
    package mutating func shown(_ text: ArraySlice<UInt8>, longest: Int) -> String {
        String(decoding: cleaned(text).prefix(longest), as: UTF8.self)
    }

    /// RFC 3986: all but unreserved characters.
    private static func percentEncode(_ text: some Sequence<UInt8>, into output: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                output.append(byte)
            default:
                output.append(UInt8(ascii: "%"))
                output.append(digits[Int(byte >> 4)])
                output.append(digits[Int(byte & 15)])
            }
        }
    }
}

enum TraceParent {
    /// Version, trace id, parent id and flags in lower-case hexadecimal, of which later versions may have more. No id is
    /// all zeros, and there is no version `ff`.
    static func isWellFormed(_ text: String) -> Bool {
        let fields = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard fields.count >= 4, text.utf8.count <= 128, zip(fields, [2, 32, 16, 2]).allSatisfy({ $0.count == $1 }),
            !fields[0].elementsEqual("ff".utf8), fields.count == 4 || !fields[0].elementsEqual("00".utf8),
            fields[1...2].allSatisfy({ id in id.contains { $0 != UInt8(ascii: "0") } })
        else { return false }
        return fields.allSatisfy { field in
            field.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
        }
    }
}
