internal import CLibrdkafka

/// librdkafka's list of partitions, freed with its owner.
final class PartitionList {
    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?

    init() { pointer = rd_kafka_topic_partition_list_new(8) }

    /// What the consumer reads at the moment; empty when that cannot be learned.
    init(assignmentOf client: OpaquePointer) {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        pointer = rd_kafka_assignment(client, &list) == RD_KAFKA_RESP_ERR_NO_ERROR ? list : nil
    }

    deinit {
        if let pointer { rd_kafka_topic_partition_list_destroy(pointer) }
    }

    /// Offsets below zero are places: -2 the beginning, -1 the end, -1001 none (rdkafka.h, `RD_KAFKA_OFFSET_…`).
    func add(topic: String, partition: Int32, offset: Int64 = -1001) {
        rd_kafka_topic_partition_list_add(pointer, topic, partition)?.pointee.offset = offset
    }

    func setOffsets(_ offset: Int64) {
        for index in 0..<count { pointer?.pointee.elems[index].offset = offset }
    }

    var elements: [(String, Int32)] {
        (0..<count).compactMap { index in
            guard let element = pointer?.pointee.elems[index] else { return nil }
            return (String(cString: element.topic), element.partition)
        }
    }

    private var count: Int { Int(pointer?.pointee.cnt ?? 0) }
}
