internal import CLibrdkafka

/// Reads everything that is written to some topics after a moment, whatever happens to them: topics and partitions that
/// come later are read from their beginning, and brokers may go and come back. Topics are not created by it.
///
/// Belongs to one thread. Must be closed before it is released.
package final class TopicTail {
    private struct Place: Hashable {
        let topic: String
        let partition: Int32
    }

    private let consumer: KafkaConsumer
    private let topics: Set<String>
    /// The offset that comes next.
    private var next: [Place: Int64] = [:]
    private var nextLook = ContinuousClock.now
    /// Offsets that were jumped over. The cluster had deleted these records before they were read; with transactions, or
    /// where topics are compacted, it need not mean anything.
    package private(set) var skippedOffsets: Int64 = 0
    /// The last error that librdkafka does not mend by itself, if it came after the last record.
    package private(set) var complaint: KafkaError?

    /// Settles where reading begins: what is written after this returns will be read. Blocks for up to `timeout`.
    ///
    /// - Parameter configuration: `start` is of no importance.
    /// - Throws: `invalidArgument` for properties that librdkafka refuses; else why no place could be learned in time.
    package init(
        _ configuration: ConsumerConfiguration,
        topics: Set<String>,
        timeout: Duration
    ) throws(KafkaError) {
        self.topics = topics
        var configuration = configuration
        // Where what comes next was deleted already, what is left is better than nothing.
        configuration.start = .beginning
        do {
            consumer = try KafkaConsumer(configuration)
        } catch {
            throw KafkaError(code: .invalidArgument, message: error.description)
        }
        do throws(KafkaError) {
            try begin(until: .now + timeout)
        } catch {
            consumer.close()
            throw error
        }
    }

    /// The next record, or `nil` when `limit` has passed or the end of a partition was reached. Never throws: what stands
    /// in the way is tried again, and is in `complaint` meanwhile. Now and then it blocks for up to a second longer, to
    /// look for new partitions.
    package func poll(upTo limit: Duration) -> ConsumedRecord? {
        if ContinuousClock.now >= nextLook { look() }
        do throws(KafkaError) {
            guard let record = try consumer.poll(upTo: limit) else { return nil }
            complaint = nil
            let place = Place(topic: record.topic, partition: record.partition)
            if let expected = next[place], record.offset > expected { skippedOffsets += record.offset - expected }
            next[place] = record.offset + 1
            return record
        } catch {
            complaint = error
            return nil
        }
    }

    /// Everything that exists of the topics was read to its end, as it was when the last `poll` looked.
    package var isAtEnd: Bool { next.isEmpty || consumer.isAtEnd }

    package func close() { consumer.close() }

    private func begin(until deadline: ContinuousClock.Instant) throws(KafkaError) {
        while true {
            do throws(KafkaError) {
                var places: [(Place, Int64)] = []
                for place in try existingPlaces(timeout: deadline - .now) {
                    places.append((place, try consumer.endOffset(place.topic, place.partition, deadline - .now)))
                }
                try read(places)
                return
            } catch {
                guard ContinuousClock.now < deadline, error.isRetriable || error.code == .unknownPartitionLocally else {
                    throw error
                }
            }
        }
    }

    /// Looks for topics and partitions that are new.
    private func look() {
        do throws(KafkaError) {
            let found = try existingPlaces(timeout: .seconds(1))
            try read(found.filter { next[$0] == nil }.map { ($0, 0) })
            let isComplete = Set(found.map(\.topic)).count == topics.count
            nextLook = .now + (isComplete ? .seconds(10) : .seconds(1))
        } catch {
            complaint = error
            nextLook = .now + .seconds(1)
        }
    }

    private func existingPlaces(timeout: Duration) throws(KafkaError) -> [Place] {
        try consumer.clusterMetadata(timeout: timeout).topics.flatMap { topic in
            topics.contains(topic.name) && topic.error == nil
                ? topic.partitions.map { Place(topic: topic.name, partition: $0.id) } : []
        }
    }

    private func read(_ places: [(Place, Int64)]) throws(KafkaError) {
        guard !places.isEmpty else { return }
        try consumer.add(places.map { ($0.topic, $0.partition, $1) })
        for (place, offset) in places { next[place] = offset }
    }
}

extension KafkaConsumer {
    /// Of all topics that the credentials may see; none is created by asking.
    fileprivate func clusterMetadata(timeout: Duration) throws(KafkaError) -> ClusterMetadata {
        var answer: UnsafePointer<rd_kafka_metadata>?
        try check(rd_kafka_metadata(client, 1, nil, &answer, timeout.timeoutMilliseconds))
        guard let answer else { throw KafkaError(code: .failed) }
        defer { rd_kafka_metadata_destroy(answer) }
        return ClusterMetadata(answer.pointee)
    }

    fileprivate func endOffset(_ topic: String, _ partition: Int32, _ timeout: Duration) throws(KafkaError) -> Int64 {
        var (low, high): (Int64, Int64) = (0, 0)
        try check(
            rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, timeout.timeoutMilliseconds)
        )
        return high
    }

    /// Reads these as well as what is read already.
    fileprivate func add(_ places: [(topic: String, partition: Int32, offset: Int64)]) throws(KafkaError) {
        let list = PartitionList()
        for place in places { list.add(topic: place.topic, partition: place.partition, offset: place.offset) }
        if let error = rd_kafka_incremental_assign(client, list.pointer) { throw KafkaError(consuming: error) }
    }
}
