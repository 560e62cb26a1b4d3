/// A Kafka record ready to be sent. Written over and over; its arrays keep their memory.
package struct EventRecord: Sendable {
    package var topic: [UInt8] = []
    package var key: [UInt8] = []
    package var headers = RecordHeaders()
    package var value = JSONText()
    /// Where the 20 digits of the journal position belong. `nil`: the record has none.
    package var sequencePlace: SequencePlace?

    package enum SequencePlace: Sendable, Equatable {
        /// Byte offset in `value`.
        case value(Int)
        /// Byte offset in `headers.bytes`.
        case headers(Int)
    }

    package init() {}

    /// Of key, headers and value, which `kafka.maxRecordBytes` limits.
    package var bytes: Int { key.count + headers.bytes.count + value.bytes.count }

    mutating func removeAll() {
        topic.removeAll(keepingCapacity: true)
        key.removeAll(keepingCapacity: true)
        headers.removeAll()
        value.removeAll()
        sequencePlace = nil
    }
}

/// Names and values of a record's headers, back to back: name, value, name, value.
package struct RecordHeaders: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// For each header the number of bytes of its name and of its value.
    package private(set) var lengths: [(name: Int, value: Int)] = []

    package init() {}

    package init(_ headers: [(name: String, value: String)]) {
        for (name, value) in headers {
            bytes += name.utf8
            bytes += value.utf8
            lengths.append((name: name.utf8.count, value: value.utf8.count))
        }
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func append(_ name: StaticString, value: (inout [UInt8]) -> Void) {
        let start = bytes.count
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        let middle = bytes.count
        value(&bytes)
        lengths.append((name: middle - start, value: bytes.count - middle))
    }

    mutating func append(_ name: StaticString, _ value: StaticString) {
        append(name) { output in value.withUTF8Buffer { output.append(contentsOf: $0) } }
    }

    mutating func append(_ name: StaticString, _ value: some Collection<UInt8>) {
        append(name) { output in output.append(contentsOf: value) }
    }

    mutating func extendLast(by value: UnsafeRawBufferPointer) {
        guard !lengths.isEmpty else { return }
        bytes.append(contentsOf: value)
        lengths[lengths.count - 1].value += value.count
    }

    /// Calls `header` for each, in order.
    package func forEach(_ header: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void) {
        var start = 0
        for length in lengths {
            let middle = start + length.name
            let end = middle + length.value
            header(bytes[start..<middle], bytes[middle..<end])
            start = end
        }
    }
}
