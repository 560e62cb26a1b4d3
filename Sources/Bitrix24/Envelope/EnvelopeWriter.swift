/// Writes CloudEvents attributes where the mode wants them: as JSON members or as headers.
struct EnvelopeWriter {
    let mode: EnvelopeMode
    var record: EventRecord
    private var scratch: [UInt8] = []
    private var isFirst = true

    init(mode: EnvelopeMode, record: EventRecord) {
        self.mode = mode
        self.record = record
        switch mode {
        case .structured:
            self.record.value.raw("{")
            self.record.headers.append("content-type", "application/cloudevents+json; charset=UTF-8")
        case .binary:
            self.record.headers.append("content-type", "application/json")
        }
    }

    mutating func constant(_ name: StaticString, _ value: StaticString) {
        safe(name) { output in value.withUTF8Buffer { output.append(contentsOf: $0) } }
    }

    /// An attribute whose text needs no escaping.
    mutating func safe(_ name: StaticString, _ write: (inout [UInt8]) -> Void) {
        switch mode {
        case .binary: record.headers.append(name, prefix: "ce_", value: write)
        case .structured:
            begin(name)
            record.value.raw("\"")
            write(&record.value.bytes)
            record.value.raw("\"")
        }
    }

    /// An attribute of any valid UTF-8.
    mutating func text(_ name: StaticString, _ write: (inout [UInt8]) -> Void) {
        switch mode {
        case .binary: record.headers.append(name, prefix: "ce_", value: write)
        case .structured:
            scratch.removeAll(keepingCapacity: true)
            write(&scratch)
            begin(name)
            record.value.string(scratch[...])
        }
    }

    /// The same; an empty or absent value leaves the attribute out.
    mutating func text(_ name: StaticString, _ value: [UInt8]?) {
        guard let value, !value.isEmpty else { return }
        text(name) { $0.append(contentsOf: value) }
    }

    /// A header that structured mode has beside the envelope. In binary mode the attribute itself is that header.
    mutating func header(_ name: StaticString, _ write: (inout [UInt8]) -> Void) {
        if mode == .structured { record.headers.append(name, value: write) }
    }

    /// A header of both modes that is no attribute of the binding.
    mutating func passedThroughHeader(_ name: StaticString, _ value: [UInt8]) {
        record.headers.append(name, value)
    }

    /// `datacontenttype`, which is the content-type header in binary mode.
    mutating func contentType() {
        if mode == .structured { constant("datacontenttype", "application/json") }
    }

    /// Replica name and 20 digits that the journal fills in when it knows the position.
    mutating func sequence(_ replica: [UInt8]) {
        text("sequence") { output in
            output.append(contentsOf: replica)
            output.append(contentsOf: ".00000000000000000000".utf8)
        }
        record.sequencePlace =
            switch mode {
            case .structured: .value(record.value.bytes.count - 21)
            case .binary: .headers(record.headers.bytes.count - 20)
            }
    }

    mutating func beginData() {
        if mode == .structured { begin("data") }
    }

    mutating func end() {
        if mode == .structured { record.value.raw("}") }
    }

    private mutating func begin(_ name: StaticString) {
        record.value.raw(isFirst ? "\"" : ",\"")
        isFirst = false
        record.value.raw(name)
        record.value.raw("\":")
    }
}
