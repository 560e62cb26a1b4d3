internal import CLibrdkafka

/// A record read back, with bytes of its own.
package struct ConsumedRecord: Sendable, Equatable {
    package struct Header: Sendable, Equatable {
        package let name: String
        /// `nil` for null.
        package let value: [UInt8]?
    }

    package let topic: String
    package let partition: Int32
    package let offset: Int64
    /// Milliseconds since 1970; `nil` when the broker gave none.
    package let timestampMilliseconds: Int64?
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [Header]

    /// The last header of this name.
    package func header(_ name: String) -> [UInt8]? { headers.last { $0.name == name }?.value }
}

extension ConsumedRecord {
    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        let fields = message.pointee
        topic = fields.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? ""
        partition = fields.partition
        offset = fields.offset
        let timestamp = rd_kafka_message_timestamp(message, nil)
        timestampMilliseconds = timestamp < 0 ? nil : timestamp
        key = fields.key.map { Array(UnsafeRawBufferPointer(start: $0, count: fields.key_len)) }
        value = fields.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: fields.len)) }
        var headers: [Header] = []
        forEachHeader(of: message) { header in
            headers.append(
                Header(
                    name: String(decoding: header.name, as: UTF8.self),
                    value: header.value.baseAddress == nil ? nil : Array(header.value)
                )
            )
        }
        self.headers = headers
    }
}
