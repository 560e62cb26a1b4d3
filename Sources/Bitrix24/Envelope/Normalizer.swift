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
    /// The request's header of that name, passed through if well-formed.
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
    let envelope: EnvelopeWriter
    /// First half of the attribute `sequence`. `nil`: there is no journal and no such attribute.
    let replica: [UInt8]?
    var redactor = Redactor()
    var texts = CleanTexts()
    /// The parts of an id put together, before they are cleaned: a token may lie across them.
    private var joined: [UInt8] = []

    package init(topic: TopicTemplate, key: KeyTemplate, mode: EnvelopeMode, replica: String?) {
        self.topic = topic
        self.key = key
        envelope = EnvelopeWriter(mode: mode)
        self.replica = replica.map { name in
            var cleaned: [UInt8] = []
            Array(name.utf8).withUnsafeBytes { UTF8Text.attribute($0, into: &cleaned) }
            return cleaned
        }
    }

    /// Writes the record of `event` over what `record` held.
    ///
    /// - Parameter domain: the portal's domain from its record, for the placeholders of topic and key.
    /// - Throws: `RedactionError` when the body's secrets cannot all be looked for. The record then holds nothing of use.
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
        form.withView { view in
            let places = clean(event, type: type, trace: receipt.traceparent, of: view)
            texts.bytes.withUnsafeBytes { texts in
                let source = AttributeSource(
                    values: TemplateValues(
                        eventType: type,
                        memberID: texts.part(places.memberID),
                        domain: domain,
                        orderID: places.orderID.map { texts.part($0) }
                    ),
                    texts: texts,
                    places: places,
                    happened: view.scalar(of: BracketForm.root, named: "ts").flatMap { Timestamp(unixSeconds: $0) },
                    receipt: receipt
                )
                topic.render(source.values, into: &record.topic)
                key.render(source.values, into: &record.key)
                writeAttributes(from: source, to: &record)
            }
            envelope.beginData(&record)
            if let data = view.child(of: BracketForm.root, named: "data") {
                write(data, of: view, to: &record.value)
            } else {
                record.value.raw("{}")
            }
            envelope.end(&record)
        }
        if redactor.isExhausted { throw .tooAlike }
    }

    // MARK: Attributes

    /// Where in `texts` the request's texts stand that become attributes.
    private struct Places {
        var memberID = 0..<0
        var id: Range<Int>?
        /// What orders the event, mostly its id.
        var orderID: Range<Int>?
        var code: Range<Int>?
        var domain: Range<Int>?
        var handlerID: Range<Int>?
        var user: Range<Int>?
        var trace: Range<Int>?
    }

    /// All that attributes are made of.
    private struct AttributeSource {
        let values: TemplateValues
        let texts: UnsafeRawBufferPointer
        let places: Places
        let happened: Timestamp?
        let receipt: Receipt
    }

    private mutating func clean(_ event: InboundEvent, type: EventType, trace: String?, of form: FormView) -> Places {
        texts.removeAll()
        var places = Places()
        event.sentMemberID.withUnsafeBytes { places.memberID = texts.add($0, without: &redactor) ?? 0..<0 }
        places.id = clean(type.idPath, of: form)
        places.orderID = type.orderPath.isNone ? places.id : clean(type.orderPath, of: form) ?? places.id
        event.sentCode.withUnsafeBytes { places.code = texts.add($0, without: &redactor) }
        places.domain = texts.add(form.scalar(of: event.auth, named: "domain"), without: &redactor)
        places.handlerID = texts.add(
            form.scalar(of: BracketForm.root, named: "event_handler_id"),
            without: &redactor
        )
        places.user = texts.add(form.scalar(of: event.auth, named: "user_id"), without: &redactor)
        if var trace, TraceParent.isWellFormed(trace) {
            trace.withUTF8 { trace in
                let trace = UnsafeRawBufferPointer(trace)
                let place = texts.add(trace, without: &redactor)
                // With a token cut out of it, it would lead nowhere.
                if let place, texts.bytes[place].elementsEqual(trace) { places.trace = place }
            }
        }
        return places
    }

    private mutating func clean(_ path: ValuePath, of form: FormView) -> Range<Int>? {
        joined.removeAll(keepingCapacity: true)
        guard path.appendValue(in: form, to: &joined) else { return nil }
        return joined.withUnsafeBytes { texts.add($0, without: &redactor) }
    }

    private func writeAttributes(from source: AttributeSource, to record: inout EventRecord) {
        let (places, receipt, type) = (source.places, source.receipt, source.values.eventType)
        envelope.begin(&record)
        envelope.header(.id, to: &record) { receipt.id.write(into: &$0) }
        envelope.header(.type, to: &record) { $0.append(contentsOf: type.cloudEventTypeBytes) }
        envelope.safe(.id, to: &record) { receipt.id.write(into: &$0) }
        envelope.safe(.source, to: &record) { PortalSource.write(source.values.memberID, into: &$0) }
        envelope.safe(.type, to: &record) { $0.append(contentsOf: type.cloudEventTypeBytes) }
        envelope.subject(type.entityBytes, places.id.map { source.texts.part($0) }, to: &record)
        envelope.safe(.time, to: &record) { output in
            (source.happened ?? receipt.receivedAt).write(into: &output, withMilliseconds: source.happened == nil)
        }
        envelope.contentType(to: &record)
        envelope.partitionKey(to: &record)
        if let replica { envelope.sequence(replica, to: &record) }
        envelope.safe(.recordedTime, to: &record) { receipt.receivedAt.write(into: &$0, withMilliseconds: true) }
        write(.event, places.code, from: source, to: &record)
        write(.domain, places.domain, from: source, to: &record)
        envelope.safe(.entity, to: &record) { $0.append(contentsOf: type.entityBytes) }
        write(.entityID, places.id, from: source, to: &record)
        envelope.safe(.action, to: &record) { $0.append(contentsOf: type.actionBytes) }
        envelope.safe(.origin, to: &record) { $0.append(contentsOf: receipt.origin.rawValue.utf8) }
        write(.handlerID, places.handlerID, from: source, to: &record)
        write(.user, places.user, from: source, to: &record)
        if let trace = places.trace {
            write(.traceParent, trace, from: source, to: &record)
            record.headers.append("traceparent", source.texts.part(trace))
        }
    }

    /// An attribute with no value is left out.
    private func write(
        _ name: EnvelopeWriter.Name,
        _ place: Range<Int>?,
        from source: AttributeSource,
        to record: inout EventRecord
    ) {
        if let place { envelope.text(name, source.texts.part(place), to: &record) }
    }

    // MARK: Data

    /// `data` as PHP's `json_encode` would write it, without the request's secrets.
    private mutating func write(_ node: BracketForm.Node, of form: FormView, to json: inout JSONText) {
        let entry = form.entry(node)
        if entry.isSecret {
            json.raw("\"[redacted]\"")
            return
        }
        guard entry.isMap else {
            write(form.bytes(entry.value), to: &json)
            return
        }
        json.raw(entry.isSequential ? "[" : "{")
        var names: MemberNames?
        var next = BracketForm.Node(index: entry.firstChild)
        while next.index >= 0 {
            let child = form.entry(next)
            if !entry.isSequential {
                let start = json.bytes.count
                if write(form.bytes(child.name), to: &json) {
                    var taken = names ?? unchangedNames(of: entry, in: form)
                    taken.makeUnique(&json, from: start)
                    names = taken
                }
                json.raw(":")
            }
            write(next, of: form, to: &json)
            next = BracketForm.Node(index: child.nextSibling)
            if next.index >= 0 { json.raw(",") }
        }
        json.raw(entry.isSequential ? "]" : "}")
    }

    /// The names of a map's members that are written as they are.
    private mutating func unchangedNames(of map: BracketForm.Entry, in form: FormView) -> MemberNames {
        var names = MemberNames()
        var next = map.firstChild
        while next >= 0 {
            let child = form.entry(BracketForm.Node(index: next))
            var text = JSONText()
            if !write(form.bytes(child.name), to: &text) { names.insert(text.bytes) }
            next = child.nextSibling
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
}
