internal import CLibrdkafka

/// A topic as one producer knows it. Ask the producer for it (`topic(named:)`); use it with that producer only.
package final class KafkaTopic {
    package let name: String
    let nameBytes: [UInt8]
    let hash: UInt64
    /// `nil` when the name cannot be a topic's and after the producer was closed.
    private(set) var handle: OpaquePointer?
    /// Why nothing can be sent to it, whatever the cluster says.
    let fault: KafkaError?
    unowned let producer: KafkaProducer

    init(nameBytes: [UInt8], hash: UInt64, handle: OpaquePointer?, fault: KafkaError?, producer: KafkaProducer) {
        self.name = String(decoding: nameBytes, as: UTF8.self)
        self.nameBytes = nameBytes
        self.hash = hash
        self.handle = handle
        self.fault = fault
        self.producer = producer
    }

    /// Gives the handle back. The producer does it before it closes: afterwards librdkafka's memory is gone.
    func invalidate() {
        guard let handle else { return }
        rd_kafka_topic_destroy(handle)
        self.handle = nil
    }

    deinit { assert(handle == nil, "a topic handle outlived its producer's table") }
}

extension KafkaTopic {
    /// Kafka's own rule for names: 1 to 249 of `[a-zA-Z0-9._-]`, neither `.` nor `..` (`Topic.java`, `validate`).
    package static func isLegal(_ name: UnsafeRawBufferPointer) -> Bool {
        guard (1...249).contains(name.count) else { return false }
        guard !(name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }) else { return false }
        return name.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default:
                false
            }
        }
    }
}
