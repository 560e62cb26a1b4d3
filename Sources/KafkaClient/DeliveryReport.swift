internal import CLibrdkafka

/// What became of one record: a view of librdkafka's message, valid only during the call that hands it out. Reading a
/// successful one allocates nothing.
package struct DeliveryReport: ~Copyable {
    /// Whether the record is in the topic's log. librdkafka's word, `rd_kafka_msg_status_t`.
    package enum Persistence: Sendable, Equatable {
        case no
        /// Sent, but the answer is not known: sending it again may double it.
        case possibly
        case yes
    }

    /// What `send` was given.
    package let opaque: UInt
    /// `noError` when delivered.
    package let code: KafkaErrorCode
    private let message: UnsafePointer<rd_kafka_message_t>

    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        self.message = message
        opaque = UInt(bitPattern: message.pointee._private)
        code = KafkaErrorCode(message.pointee.err)
    }

    package var isDelivered: Bool { code == .noError }

    /// `nil` when delivered.
    package var error: KafkaError? { isDelivered ? nil : KafkaError(code: code) }

    package var disposition: DeliveryDisposition { isDelivered ? .delivered : code.classification }

    /// Taken back by `purge()` or after a fatal error: it was not refused, and is to be sent again.
    package var isNotDeliveredByPurge: Bool { !isDelivered && code.classification == .notDelivered }

    package var persistence: Persistence {
        switch rd_kafka_message_status(message) {
        case RD_KAFKA_MSG_STATUS_PERSISTED: .yes
        case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED: .possibly
        default: .no
        }
    }

    /// Makes a String on each call.
    package var topicName: String {
        guard let topic = message.pointee.rkt else { return "" }
        return String(cString: rd_kafka_topic_name(topic))
    }

    /// -1 when no partition was chosen.
    package var partition: Int32 { message.pointee.partition }

    /// Negative when not known. A record whose first answer was lost and that the broker then recognised as repeated
    /// is delivered and has none.
    package var offset: Int64 { message.pointee.offset }

    /// The caller's own memory, as given to `send`.
    package var value: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: message.pointee.payload, count: message.pointee.len)
    }

    package var key: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: message.pointee.key, count: message.pointee.key_len)
    }

    /// From `send` to this report, in microseconds; negative when not known.
    package var latencyMicroseconds: Int64 { rd_kafka_message_latency(message) }

    /// Hands out the headers in the order they were sent in. The bytes are valid during the call only.
    package func forEachHeader(_ body: (RecordHeader) -> Void) {
        KafkaClient.forEachHeader(of: message, body)
    }
}

/// Walks the headers of a sent or received message.
func forEachHeader(of message: UnsafePointer<rd_kafka_message_t>, _ body: (RecordHeader) -> Void) {
    var headers: OpaquePointer?
    guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return }
    var index = 0
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var size = 0
    while rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
        // librdkafka ends names with a NUL and does not tell their length.
        var length = 0
        if let name { while name[length] != 0 { length += 1 } }
        body(
            RecordHeader(
                name: UnsafeRawBufferPointer(start: name, count: length),
                value: UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size)
            )
        )
        index += 1
    }
}
