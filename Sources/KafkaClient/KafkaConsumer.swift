internal import CLibrdkafka

/// How a consumer reaches its cluster.
package struct ConsumerConfiguration: Sendable {
    package enum Start: Sendable, Equatable {
        case beginning
        case end
    }

    package var bootstrapServers: String
    package var clientID: String
    /// Members of one group share the partitions when they subscribe; offsets are never committed.
    package var groupID: String
    /// Where to read from.
    package var start: Start
    /// librdkafka properties; those meant for producers are ignored by it.
    package var properties: [String: String]
    /// With the mechanism OAUTHBEARER, where the tokens come from.
    package var tokens: BearerTokens?

    package init(
        bootstrapServers: String,
        clientID: String = "kafka-client",
        groupID: String,
        start: Start = .beginning,
        properties: [String: String] = [:],
        tokens: BearerTokens? = nil
    ) {
        self.bootstrapServers = bootstrapServers
        self.clientID = clientID
        self.groupID = groupID
        self.start = start
        self.properties = properties
        self.tokens = tokens
    }
}

/// Reads records back, for looking and verifying: it copies every record and commits nothing. Belongs to one thread.
/// Must be closed before it is released.
package final class KafkaConsumer {
    let client: OpaquePointer
    private let redactor: SecretRedactor
    private let tokens: BearerTokens?
    private let start: ConsumerConfiguration.Start
    private var isClosed = false
    private var endedPartitions: Set<Position> = []
    /// The last error that `poll` did not throw, as librdkafka goes on trying.
    package private(set) var passedOver: KafkaErrorCode?

    private struct Position: Hashable {
        let topic: String
        let partition: Int32
    }

    package init(_ configuration: ConsumerConfiguration) throws(KafkaConfigurationError) {
        redactor = SecretRedactor(properties: configuration.properties)
        start = configuration.start
        tokens = configuration.tokens
        let settings = ClientSettings(redactor: redactor)
        // Errors come out of `poll`; lines on standard error would mix with a command's output.
        settings.set("log_level", "0")
        settings.set("enable.auto.commit", "false")
        settings.set("fetch.wait.max.ms", "100")
        settings.set("topic.metadata.refresh.interval.ms", "5000")
        for (key, value) in configuration.properties.sorted(by: { $0.key < $1.key }) { settings.set(key, value) }
        settings.set("bootstrap.servers", configuration.bootstrapServers)
        settings.set("client.id", configuration.clientID)
        settings.set("group.id", configuration.groupID)
        settings.set("auto.offset.reset", start == .beginning ? "earliest" : "latest")
        settings.set("enable.partition.eof", "true")
        client = try settings.makeClient(RD_KAFKA_CONSUMER, properties: configuration.properties, tokens: tokens)
        rd_kafka_poll_set_consumer(client)
    }

    deinit {
        assert(isClosed, "a KafkaConsumer must be closed before it is released")
    }

    /// Shares the topics' partitions with the other members of the group. A name that begins with `^` is a regular
    /// expression over all topics.
    package func subscribe(to topics: [String]) throws(KafkaError) {
        let list = PartitionList()
        for topic in topics { list.add(topic: topic, partition: -1) }
        try check(rd_kafka_subscribe(client, list.pointer))
    }

    /// Reads all partitions of the topics, without a group, from where the configuration says. Blocks for up to
    /// `timeout` to learn the partitions; partitions that are added later are not read.
    package func assign(topics: [String], timeout: Duration) throws(KafkaError) {
        let list = PartitionList()
        for topic in topics {
            for partition in 0..<(try partitionCount(of: topic, timeout: timeout)) {
                list.add(topic: topic, partition: partition, offset: start == .beginning ? -2 : -1)
            }
        }
        endedPartitions = []
        try check(rd_kafka_assign(client, list.pointer))
    }

    /// What each partition of the topic holds at this moment, by its number: from the oldest offset to the one that the next
    /// record gets. Blocks for up to `timeout`.
    package func offsets(of topic: String, timeout: Duration) throws(KafkaError) -> [Int32: Range<Int64>] {
        let deadline = ContinuousClock.now + timeout
        var offsets: [Int32: Range<Int64>] = [:]
        for partition in 0..<(try partitionCount(of: topic, timeout: timeout)) {
            var (low, high): (Int64, Int64) = (0, 0)
            let left = (deadline - .now).timeoutMilliseconds
            try check(rd_kafka_query_watermark_offsets(client, topic, partition, &low, &high, left))
            offsets[partition] = low..<max(low, high)
        }
        return offsets
    }

    /// The next record, or `nil` when `limit` has passed or the end of a partition was reached. Errors that librdkafka
    /// mends by itself (a connection lost) are not thrown.
    package func poll(upTo limit: Duration) throws(KafkaError) -> ConsumedRecord? {
        precondition(!isClosed)
        let deadline = ContinuousClock.now + limit
        repeat {
            let timeout = (deadline - .now).timeoutMilliseconds
            guard let message = rd_kafka_consumer_poll(client, timeout) else { return nil }
            defer { rd_kafka_message_destroy(message) }
            switch KafkaErrorCode(message.pointee.err) {
            case .noError:
                let record = ConsumedRecord(message)
                endedPartitions.remove(Position(topic: record.topic, partition: record.partition))
                return record
            case .partitionEnd:
                endedPartitions.insert(
                    Position(
                        topic: message.pointee.rkt.map { String(cString: rd_kafka_topic_name($0)) } ?? "",
                        partition: message.pointee.partition
                    )
                )
                return nil
            case let code where code.classification == .retryable:
                passedOver = code
                continue
            case let code:
                let words = rd_kafka_message_errstr(message).map { redactor.redact(String(cString: $0)) }
                throw KafkaError(code: code, message: words)
            }
        } while ContinuousClock.now < deadline
        return nil
    }

    /// What this consumer reads at the moment: of a group, its share.
    package var assignment: [(topic: String, partition: Int32)] {
        PartitionList(assignmentOf: client).elements.map { (topic: $0.0, partition: $0.1) }
    }

    /// Every assigned partition was read to its end, as it was when the last `poll` looked.
    package var isAtEnd: Bool {
        let assigned = PartitionList(assignmentOf: client).elements
        return !assigned.isEmpty
            && assigned.allSatisfy { endedPartitions.contains(Position(topic: $0.0, partition: $0.1)) }
    }

    /// Reads everything that is assigned from its oldest record again.
    package func seekToBeginning() throws(KafkaError) {
        let list = PartitionList(assignmentOf: client)
        list.setOffsets(-2)
        endedPartitions = []
        try check(rd_kafka_assign(client, list.pointer))
    }

    /// Leaves the group and ends the client. Closing again does nothing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        rd_kafka_consumer_close(client)
        destroyClient(client, tokens: tokens)
    }

    private func partitionCount(of topic: String, timeout: Duration) throws(KafkaError) -> Int32 {
        guard let handle = rd_kafka_topic_new(client, topic, nil) else {
            throw KafkaError(code: KafkaErrorCode(rd_kafka_last_error()))
        }
        defer { rd_kafka_topic_destroy(handle) }
        var answer: UnsafePointer<rd_kafka_metadata>?
        try check(rd_kafka_metadata(client, 0, handle, &answer, timeout.timeoutMilliseconds))
        guard let answer else { return 0 }
        defer { rd_kafka_metadata_destroy(answer) }
        let found = ClusterMetadata(answer.pointee).topics.first
        if let error = found?.error { throw KafkaError(code: error) }
        return Int32(found?.partitions.count ?? 0)
    }

    func check(_ code: rd_kafka_resp_err_t) throws(KafkaError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code: KafkaErrorCode(code)) }
    }
}
