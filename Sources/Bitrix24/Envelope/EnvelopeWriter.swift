/// Writes CloudEvents attributes where the mode wants them: as JSON members or as headers.
///
/// All attributes are texts. In JSON each one's name ends the text of the one before, so that a member takes two writes;
/// `specversion` comes first and `data` last.
struct EnvelopeWriter {
    /// An attribute's name as either mode writes it.
    struct Name {
        let member: StaticString
        let header: StaticString
    }

    let mode: EnvelopeMode

    func begin(_ record: inout EventRecord) {
        switch mode {
        case .structured:
            record.value.raw("{\"specversion\":\"1.0")
            record.headers.append("content-type", "application/cloudevents+json; charset=UTF-8")
        case .binary:
            record.headers.append("content-type", "application/json")
            record.headers.append("ce_specversion", "1.0")
        }
    }

    /// An attribute whose text needs no escaping.
    @inline(__always)
    func safe(_ name: Name, to record: inout EventRecord, _ write: (inout [UInt8]) -> Void) {
        switch mode {
        case .structured:
            record.value.raw(name.member)
            write(&record.value.bytes)
        case .binary: record.headers.append(name.header, value: write)
        }
    }

    /// An attribute of any valid UTF-8.
    func text(_ name: Name, _ value: UnsafeRawBufferPointer, to record: inout EventRecord) {
        switch mode {
        case .structured:
            record.value.raw(name.member)
            record.value.contents(value)
        case .binary: record.headers.append(name.header, value)
        }
    }

    /// The entity, and behind a slash the id if there is one.
    func subject(_ entity: [UInt8], _ id: UnsafeRawBufferPointer?, to record: inout EventRecord) {
        safe(.subject, to: &record) { output in
            output.append(contentsOf: entity)
            if id != nil { output.append(UInt8(ascii: "/")) }
        }
        guard let id else { return }
        switch mode {
        case .structured: record.value.contents(id)
        case .binary: record.headers.extendLast(by: id)
        }
    }

    /// The record's key.
    func partitionKey(to record: inout EventRecord) {
        switch mode {
        case .structured:
            record.value.raw(Name.partitionKey.member)
            record.key.withUnsafeBytes { record.value.contents($0) }
        case .binary: record.headers.append(Name.partitionKey.header, record.key)
        }
    }

    /// A header that structured mode has beside the envelope. In binary mode the attribute itself is that header.
    @inline(__always)
    func header(_ name: Name, to record: inout EventRecord, _ write: (inout [UInt8]) -> Void) {
        if mode == .structured { record.headers.append(name.header, value: write) }
    }

    /// `datacontenttype`, which is the content-type header in binary mode.
    func contentType(to record: inout EventRecord) {
        if mode == .structured { record.value.raw("\",\"datacontenttype\":\"application/json") }
    }

    /// Replica name and 20 digits that the journal fills in when it knows the position.
    func sequence(_ replica: [UInt8], to record: inout EventRecord) {
        let zeros: StaticString = ".00000000000000000000"
        switch mode {
        case .structured:
            record.value.raw(Name.sequence.member)
            replica.withUnsafeBytes { record.value.contents($0) }
            record.value.raw(zeros)
            record.sequencePlace = .value(record.value.bytes.count - 20)
        case .binary:
            record.headers.append(Name.sequence.header) { output in
                output.append(contentsOf: replica)
                zeros.withUTF8Buffer { output.append(contentsOf: $0) }
            }
            record.sequencePlace = .headers(record.headers.bytes.count - 20)
        }
    }

    func beginData(_ record: inout EventRecord) {
        if mode == .structured { record.value.raw("\",\"data\":") }
    }

    func end(_ record: inout EventRecord) {
        if mode == .structured { record.value.raw("}") }
    }
}

extension EnvelopeWriter.Name {
    static var id: Self { Self(member: "\",\"id\":\"", header: "ce_id") }
    static var source: Self { Self(member: "\",\"source\":\"", header: "ce_source") }
    static var type: Self { Self(member: "\",\"type\":\"", header: "ce_type") }
    static var subject: Self { Self(member: "\",\"subject\":\"", header: "ce_subject") }
    static var time: Self { Self(member: "\",\"time\":\"", header: "ce_time") }
    static var partitionKey: Self { Self(member: "\",\"partitionkey\":\"", header: "ce_partitionkey") }
    static var sequence: Self { Self(member: "\",\"sequence\":\"", header: "ce_sequence") }
    static var recordedTime: Self { Self(member: "\",\"recordedtime\":\"", header: "ce_recordedtime") }
    static var event: Self { Self(member: "\",\"b24event\":\"", header: "ce_b24event") }
    static var domain: Self { Self(member: "\",\"b24domain\":\"", header: "ce_b24domain") }
    static var entity: Self { Self(member: "\",\"b24entity\":\"", header: "ce_b24entity") }
    static var entityID: Self { Self(member: "\",\"b24entityid\":\"", header: "ce_b24entityid") }
    static var action: Self { Self(member: "\",\"b24action\":\"", header: "ce_b24action") }
    static var origin: Self { Self(member: "\",\"b24origin\":\"", header: "ce_b24origin") }
    static var handlerID: Self { Self(member: "\",\"b24handlerid\":\"", header: "ce_b24handlerid") }
    static var user: Self { Self(member: "\",\"b24user\":\"", header: "ce_b24user") }
    static var traceParent: Self { Self(member: "\",\"traceparent\":\"", header: "ce_traceparent") }
}
