internal import CLibrdkafka

/// What became of a `send`.
package enum SendOutcome: Sendable, Equatable {
    /// Exactly one delivery report will follow, unless the producer is closed before.
    case queued
    /// `maxQueuedMessages` or `maxQueuedBytes` is reached. Room comes with the next reports.
    case queueFull
    /// No report will follow; value and headers are not referred to any more.
    case rejected(KafkaError)
}

/// A producer that belongs to one thread: its owner loops over `poll` and `send`.
///
/// It starts no thread of its own (librdkafka has its own), takes no lock in `send` or `poll` beyond librdkafka's, and
/// keeps nothing per record: a record is known by the opaque number that its sender gave. Only `wakeHandle` may be used
/// from other threads. The order of records with one key is the order of their sends, until one comes back undelivered.
///
/// Must be closed before it is released.
package final class KafkaProducer {
    /// Topics that nobody holds are forgotten beyond this many. librdkafka itself keeps what it learned of a topic until
    /// the producer closes.
    private static let maxTopics = 1024
    /// Log lines, errors and the like that one `poll` passes on, so that a flood of them (`debug=all`) cannot hold it.
    private static let maxEvents = 1000

    private let client: OpaquePointer
    private let queue: OpaquePointer
    private let redactor: SecretRedactor
    private let tokens: BearerTokens?
    private let observer: ((ProducerEvent) -> Void)?
    private var topics = TopicTable(limit: maxTopics)
    private var lastTopic: KafkaTopic?
    /// Reports that did not fit into the last poll.
    private var batch: OpaquePointer?
    private var areBrokersUnreachable = false
    private var isClosed = false

    /// Set by `poll` and `send` when librdkafka raised one. Everything queued comes back in reports as not delivered,
    /// what is in flight comes back with its own result, and `send` is rejected from then on. Its code is the cause.
    package private(set) var fatalError: KafkaError?
    /// Events of kinds that this producer knows nothing of and ignored.
    package private(set) var ignoredEvents = 0
    /// For other threads.
    package let wakeHandle: ProducerWakeHandle

    /// Starts librdkafka's threads, which connect in the background: a cluster that is away is no error. `observer` is
    /// called during `poll` only.
    package init(
        _ configuration: ProducerConfiguration,
        observer: ((ProducerEvent) -> Void)? = nil
    ) throws(KafkaConfigurationError) {
        let client = try configuration.makeClient()
        guard let queue = rd_kafka_queue_get_main(client) else {
            preconditionFailure("rd_kafka_queue_get_main never returns null (rdkafka.h)")
        }
        // Log lines come through the same queue as everything else, not from librdkafka's threads.
        rd_kafka_set_log_queue(client, nil)
        self.client = client
        self.queue = queue
        self.observer = observer
        redactor = configuration.redactor
        tokens = configuration.tokens
        wakeHandle = ProducerWakeHandle(queue: queue)
    }

    deinit {
        assert(isClosed, "a KafkaProducer must be closed before it is released")
    }

    // MARK: Sending

    /// The topic of this name (UTF-8). A name seen before costs neither an allocation nor a request. A name that Kafka
    /// does not allow gives a topic whose sends are rejected with `invalidTopic`.
    package func topic(named name: UnsafeRawBufferPointer) -> KafkaTopic {
        precondition(!isClosed)
        if let lastTopic, lastTopic.nameBytes.elementsEqual(name) { return lastTopic }
        let hash = TopicTable.hash(name)
        if let known = topics.find(name, hash: hash) {
            lastTopic = known
            return known
        }
        let made = makeTopic(named: name, hash: hash)
        lastTopic = nil
        topics.insert(made)
        lastTopic = made
        return made
    }

    /// Enqueues a record without waiting and without copying `value`, whose memory must stay valid and unchanged until
    /// the report with the same opaque, or until `close` returns. Key and headers are copied.
    ///
    /// A key or value without an address is null: a record without a key goes to a random partition.
    package func send(
        to topic: KafkaTopic,
        key: UnsafeRawBufferPointer,
        value: UnsafeRawBufferPointer,
        headers: UnsafeBufferPointer<RecordHeader>,
        opaque: UInt
    ) -> SendOutcome {
        precondition(topic.producer === self, "a topic belongs to the producer that gave it")
        guard let handle = topic.handle else {
            return .rejected(topic.fault ?? KafkaError(code: .state, message: "the producer is closed"))
        }
        let error = kafka_shim_produce(
            client,
            handle,
            key.baseAddress,
            key.count,
            value.baseAddress,
            value.count,
            makeHeaderList(headers),
            UnsafeMutableRawPointer(bitPattern: opaque)
        )
        guard let error else { return .queued }
        return outcome(ofRefusal: error)
    }

    // MARK: Reports

    /// Waits for something to happen and hands out at most `maxReports` delivery reports; the rest stays for the next
    /// call, which then does not wait. Returns how many were handed out.
    ///
    /// Returns as soon as there was a report, another event or a wake, at the latest after `limit`. It may return with
    /// nothing to show. `report` may send, but neither poll nor close.
    package func poll(upTo limit: Duration, maxReports: Int, _ report: (borrowing DeliveryReport) -> Void) -> Int {
        precondition(!isClosed && maxReports > 0)
        var reported = 0
        var events = 0
        var timeout = limit.timeoutMilliseconds
        while reported < maxReports, events < KafkaProducer.maxEvents {
            if batch == nil {
                guard let event = rd_kafka_queue_poll(queue, timeout) else { break }
                take(event)
                events += 1
            }
            timeout = 0
            reported += drainBatch(upTo: maxReports - reported, report)
        }
        wakeHandle.acknowledge()
        return reported
    }

    /// Records that are queued, in flight, or reported but not yet handed out; other pending events count too. A report
    /// counts until all of its batch were handed out.
    package var queued: Int { isClosed ? 0 : Int(rd_kafka_outq_len(client)) }

    /// Takes back everything that is queued or in flight. It all comes back in reports as not delivered; what was in
    /// flight may be written all the same. May wait some milliseconds for librdkafka's threads.
    package func purge() {
        precondition(!isClosed)
        rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    }

    /// Ends the producer without waiting for delivery: records that were not reported are given up without a report.
    /// Waits for librdkafka's threads to end, some milliseconds, or for as long as a name lookup under way takes.
    /// Afterwards no memory given to `send` is referred to. Closing again does nothing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        wakeHandle.invalidate()
        rd_kafka_event_destroy(batch)
        batch = nil
        lastTopic = nil
        topics.removeAll()
        rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
        rd_kafka_queue_destroy(queue)
        destroyClient(client, tokens: tokens)
    }

    /// Raises a fatal error as librdkafka would, for tests. Does nothing when one was raised before.
    package func simulateFatalError(code: KafkaErrorCode, reason: String) {
        precondition(!isClosed)
        rd_kafka_test_fatal_error(client, code.native, reason)
    }
}

extension KafkaProducer {
    private func makeTopic(named name: UnsafeRawBufferPointer, hash: UInt64) -> KafkaTopic {
        let bytes = Array(name)
        var handle: OpaquePointer?
        var fault: KafkaError?
        if KafkaTopic.isLegal(name) {
            handle = (bytes + [0]).withUnsafeBufferPointer { text in
                text.withMemoryRebound(to: CChar.self) { rd_kafka_topic_new(client, $0.baseAddress, nil) }
            }
            if handle == nil { fault = KafkaError(code: KafkaErrorCode(rd_kafka_last_error())) }
        } else {
            let shown = String(decoding: name.prefix(300), as: UTF8.self)
            fault = KafkaError(
                code: .invalidTopic,
                message: "\"\(shown)\" cannot be a topic: 1 to 249 of a-z A-Z 0-9 . _ - and not . or .. alone"
            )
        }
        return KafkaTopic(nameBytes: bytes, hash: hash, handle: handle, fault: fault, producer: self)
    }

    private func makeHeaderList(_ headers: UnsafeBufferPointer<RecordHeader>) -> OpaquePointer? {
        guard !headers.isEmpty, let list = rd_kafka_headers_new(headers.count) else { return nil }
        for header in headers {
            // A null value is told from an empty one by its address.
            rd_kafka_header_add(
                list,
                header.name.baseAddress ?? UnsafeRawPointer(list),
                header.name.count,
                header.value.baseAddress,
                header.value.count
            )
        }
        return list
    }

    private func outcome(ofRefusal error: OpaquePointer) -> SendOutcome {
        if rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL {
            rd_kafka_error_destroy(error)
            return .queueFull
        }
        let refusal = KafkaError(consuming: error, redactor: redactor)
        if refusal.isFatal { noteFatalError() }
        return .rejected(refusal)
    }

    /// Keeps a batch of reports for `drainBatch`; deals with any other event at once.
    private func take(_ event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR:
            batch = event
            return
        case RD_KAFKA_EVENT_ERROR:
            handleError(event)
        case RD_KAFKA_EVENT_LOG:
            passOnLog(event)
        case RD_KAFKA_EVENT_STATS:
            if let observer, let json = rd_kafka_event_stats(event) { observer(.statistics(String(cString: json))) }
        default:
            ignoredEvents += 1
        }
        rd_kafka_event_destroy(event)
    }

    private func drainBatch(upTo limit: Int, _ report: (borrowing DeliveryReport) -> Void) -> Int {
        guard let batch else { return 0 }
        var reported = 0
        while reported < limit {
            guard let message = rd_kafka_event_message_next(batch) else {
                rd_kafka_event_destroy(batch)
                self.batch = nil
                break
            }
            let delivery = DeliveryReport(message)
            // Positive codes are brokers' own. That topics refuse is an answer as well.
            if areBrokersUnreachable, delivery.isDelivered || delivery.code.rawValue > 0 {
                areBrokersUnreachable = false
                observer?(.brokersReachable)
            }
            report(delivery)
            reported += 1
        }
        return reported
    }

    private func handleError(_ event: OpaquePointer) {
        if rd_kafka_event_error_is_fatal(event) != 0 { return noteFatalError() }
        let code = KafkaErrorCode(rd_kafka_event_error(event))
        let words = rd_kafka_event_error_string(event).map { redactor.redact(String(cString: $0)) }
        let error = KafkaError(code: code, message: words)
        if code == .allBrokersDown {
            areBrokersUnreachable = true
            observer?(.brokersUnreachable(error))
        } else {
            observer?(.connectionError(error))
        }
    }

    private func noteFatalError() {
        guard fatalError == nil else { return }
        var cause = KafkaErrorCode.fatal
        let words = withErrorText { text, size in
            cause = KafkaErrorCode(rd_kafka_fatal_error(client, text, size))
            return cause == .noError
        }
        let error = KafkaError(code: cause, isFatal: true, message: words.map(redactor.redact))
        fatalError = error
        observer?(.fatal(error))
    }

    private func passOnLog(_ event: OpaquePointer) {
        guard let observer else { return }
        var facility: UnsafePointer<CChar>?
        var message: UnsafePointer<CChar>?
        var level: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &message, &level) == 0, let facility, let message else { return }
        observer(
            .log(
                level: level,
                facility: String(cString: facility),
                message: redactor.redact(String(cString: message))
            )
        )
    }
}
