internal import CLibrdkafka

/// A client for questions to the cluster. A consumer without a group, as only consumers can ask for a topic without
/// causing its creation (`allow.auto.create.topics`).
final class QueryClient {
    private let client: OpaquePointer
    private let queue: OpaquePointer
    private let redactor: SecretRedactor
    private let tokens: BearerTokens?

    init(_ configuration: ProducerConfiguration) throws(KafkaError) {
        do {
            try validate(configuration)
            redactor = configuration.redactor
            tokens = configuration.tokens
            let settings = ClientSettings(redactor: redactor)
            for (key, value) in configuration.properties { settings.set(key, value) }
            settings.set("bootstrap.servers", configuration.bootstrapServers)
            settings.set("client.id", configuration.clientID)
            settings.set("allow.auto.create.topics", "false")
            settings.set("log.queue", "true")
            settings.enableEvents(RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG)
            client = try settings.makeClient(RD_KAFKA_CONSUMER, properties: configuration.properties, tokens: tokens)
        } catch {
            throw KafkaError(code: .invalidArgument, message: error.description)
        }
        guard let queue = rd_kafka_queue_get_main(client) else {
            preconditionFailure("rd_kafka_queue_get_main never returns null (rdkafka.h)")
        }
        self.queue = queue
        rd_kafka_set_log_queue(client, nil)
    }

    func close() {
        rd_kafka_queue_destroy(queue)
        destroyClient(client, tokens: tokens)
    }

    /// Of one topic, or of the whole cluster.
    func metadata(of topic: String?, deadline: ContinuousClock.Instant) throws(KafkaError) -> ClusterMetadata {
        var handle: OpaquePointer?
        if let topic {
            handle = rd_kafka_topic_new(client, topic, nil)
            guard handle != nil else { throw KafkaError(code: KafkaErrorCode(rd_kafka_last_error())) }
        }
        defer { if let handle { rd_kafka_topic_destroy(handle) } }
        var answer: UnsafePointer<rd_kafka_metadata>?
        let timeout = (deadline - .now).timeoutMilliseconds
        let code = KafkaErrorCode(rd_kafka_metadata(client, topic == nil ? 1 : 0, handle, &answer, timeout))
        guard let answer else {
            throw KafkaError(
                code: code,
                message: [code.explanation, lastComplaint()].compactMap { $0 }.joined(separator: ": ")
            )
        }
        defer { rd_kafka_metadata_destroy(answer) }
        return ClusterMetadata(answer.pointee)
    }

    /// The last error event or error line, so that a person learns which server refused and why.
    private func lastComplaint() -> String? {
        var complaint: String?
        while let event = rd_kafka_queue_poll(queue, 0) {
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR,
                rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                let words = rd_kafka_event_error_string(event)
            else { continue }
            complaint = redactor.redact(String(cString: words))
        }
        return complaint
    }

    func createTopic(
        _ name: String,
        partitions: Int,
        replicationFactor: Int,
        properties: [String: String],
        timeout: Duration
    ) throws(KafkaError) {
        var topic: OpaquePointer?
        let words = withErrorText { text, size in
            topic = rd_kafka_NewTopic_new(name, Int32(partitions), Int32(replicationFactor), text, size)
            return topic != nil
        }
        guard let topic else { throw KafkaError(code: .invalidArgument, message: words) }
        defer { rd_kafka_NewTopic_destroy(topic) }
        for (key, value) in properties { rd_kafka_NewTopic_set_config(topic, key, value) }

        let event = try ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout: timeout) { options, answers in
            var list: [OpaquePointer?] = [topic]
            rd_kafka_CreateTopics(client, &list, 1, options, answers)
        }
        defer { rd_kafka_event_destroy(event) }
        try throwRefusal(in: event)
    }

    func topicSettings(of topic: String, timeout: Duration) throws(KafkaError) -> [String: String] {
        guard let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic) else {
            throw KafkaError(code: .invalidArgument)
        }
        defer { rd_kafka_ConfigResource_destroy(resource) }
        let event = try ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout: timeout) { options, answers in
            var list: [OpaquePointer?] = [resource]
            rd_kafka_DescribeConfigs(client, &list, 1, options, answers)
        }
        defer { rd_kafka_event_destroy(event) }
        try throwError(of: event)
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let resources = rd_kafka_DescribeConfigs_result_resources(result, &count), count > 0,
            let answer = resources[0]
        else { throw KafkaError(code: .failed) }
        let code = KafkaErrorCode(rd_kafka_ConfigResource_error(answer))
        guard code == .noError else {
            let words = rd_kafka_ConfigResource_error_string(answer).map { redactor.redact(String(cString: $0)) }
            throw KafkaError(code: code, message: words)
        }
        var settings: [String: String] = [:]
        let entries = rd_kafka_ConfigResource_configs(answer, &count)
        for index in 0..<count {
            guard let entry = entries?[index], let name = rd_kafka_ConfigEntry_name(entry) else { continue }
            settings[String(cString: name)] = rd_kafka_ConfigEntry_value(entry).map { String(cString: $0) }
        }
        return settings
    }

    /// Sends a request of the admin protocol and waits for its answer, which the caller destroys.
    private func ask(
        _ operation: rd_kafka_admin_op_t,
        timeout: Duration,
        _ send: (_ options: OpaquePointer, _ answers: OpaquePointer) -> Void
    ) throws(KafkaError) -> OpaquePointer {
        guard let options = rd_kafka_AdminOptions_new(client, operation), let answers = rd_kafka_queue_new(client)
        else {
            throw KafkaError(code: .failed)
        }
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(answers)
        }
        let patience = timeout.timeoutMilliseconds
        _ = withErrorText { text, size in
            rd_kafka_AdminOptions_set_request_timeout(options, patience, text, size) == RD_KAFKA_RESP_ERR_NO_ERROR
        }
        send(options, answers)
        guard let event = rd_kafka_queue_poll(answers, patience + 1000) else {
            throw KafkaError(code: .timedOut, message: "the cluster did not answer within \(timeout)")
        }
        return event
    }

    private func throwError(of event: OpaquePointer) throws(KafkaError) {
        let code = KafkaErrorCode(rd_kafka_event_error(event))
        guard code == .noError else {
            let words = rd_kafka_event_error_string(event).map { redactor.redact(String(cString: $0)) }
            throw KafkaError(code: code, message: words)
        }
    }

    private func throwRefusal(in event: OpaquePointer) throws(KafkaError) {
        try throwError(of: event)
        var count = 0
        guard let result = rd_kafka_event_CreateTopics_result(event),
            let topics = rd_kafka_CreateTopics_result_topics(result, &count)
        else { return }
        for index in 0..<count {
            guard let topic = topics[index] else { continue }
            let code = KafkaErrorCode(rd_kafka_topic_result_error(topic))
            guard code != .noError else { continue }
            throw KafkaError(
                code: code,
                message: rd_kafka_topic_result_error_string(topic).map { redactor.redact(String(cString: $0)) }
            )
        }
    }
}

extension ClusterMetadata {
    init(_ answer: rd_kafka_metadata) {
        brokers = UnsafeBufferPointer(start: answer.brokers, count: Int(answer.broker_cnt)).map {
            Broker(id: $0.id, host: String(cString: $0.host), port: $0.port)
        }
        topics = UnsafeBufferPointer(start: answer.topics, count: Int(answer.topic_cnt)).map { topic in
            Topic(
                name: String(cString: topic.topic),
                error: topic.err == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaErrorCode(topic.err),
                partitions: UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt)).map {
                    Partition($0)
                }
            )
        }
    }
}

extension ClusterMetadata.Partition {
    init(_ partition: rd_kafka_metadata_partition) {
        id = partition.id
        leader = partition.leader
        replicas = Array(UnsafeBufferPointer(start: partition.replicas, count: Int(partition.replica_cnt)))
        inSyncReplicas = Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt)))
        error = partition.err == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaErrorCode(partition.err)
    }
}
