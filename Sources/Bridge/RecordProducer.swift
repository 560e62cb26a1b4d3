internal import Bitrix24
internal import KafkaClient

/// A producer for records that lie in no journal: it keeps each in memory until Kafka has told what became of it, and knows
/// it by the tag that its sender gave. Belongs to one thread; must be closed.
final class RecordProducer<Tag> {
    private struct Sent {
        let tag: Tag
        /// librdkafka sends from this memory.
        let value: UnsafeMutableRawBufferPointer
    }

    private let producer: KafkaProducer
    private var open: [UInt: Sent] = [:]
    private var lastOpaque: UInt = 0
    private var headers: [RecordHeader] = []
    /// Of the values of what is open.
    private(set) var openBytes = 0

    /// - Parameter observer: called during `poll` only.
    init(
        _ configuration: ProducerConfiguration,
        observer: @escaping (ProducerEvent) -> Void
    ) throws(KafkaConfigurationError) {
        producer = try KafkaProducer(configuration, observer: observer)
    }

    /// Records without a report yet.
    var openCount: Int { open.count }
    var wakeHandle: ProducerWakeHandle { producer.wakeHandle }
    var fatalError: KafkaError? { producer.fatalError }

    /// `queued`: `poll` will tell of it once, or `close` will.
    func send(_ record: EventRecord, as tag: Tag) -> SendOutcome {
        let bytes = record.value.bytes
        let value = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
        value.copyBytes(from: bytes)
        lastOpaque += 1
        let outcome = offer(record, UnsafeRawBufferPointer(rebasing: value[..<bytes.count]))
        if outcome == .queued {
            open[lastOpaque] = Sent(tag: tag, value: value)
            openBytes += value.count
        } else {
            value.deallocate()
        }
        return outcome
    }

    private func offer(_ record: EventRecord, _ value: UnsafeRawBufferPointer) -> SendOutcome {
        // The headers' texts lie back to back, and librdkafka copies them.
        record.headers.bytes.withUnsafeBytes { texts in
            headers.removeAll(keepingCapacity: true)
            var start = 0
            for length in record.headers.lengths {
                let middle = start + length.name
                let end = middle + length.value
                headers.append(
                    RecordHeader(
                        name: UnsafeRawBufferPointer(rebasing: texts[start..<middle]),
                        value: UnsafeRawBufferPointer(rebasing: texts[middle..<end])
                    )
                )
                start = end
            }
            return record.topic.withUnsafeBytes { topic in
                record.key.withUnsafeBytes { key in
                    headers.withUnsafeBufferPointer { headers in
                        producer.send(
                            to: producer.topic(named: topic),
                            key: key,
                            value: value,
                            headers: headers,
                            opaque: lastOpaque
                        )
                    }
                }
            }
        }
    }

    /// Waits for something to happen, at the longest for `limit`.
    ///
    /// - Parameter settled: Gets each record of which Kafka told, and why it is not there; it may not send.
    /// - Returns: how many those were.
    @discardableResult
    func poll(upTo limit: Duration, _ settled: (Tag, KafkaError?) -> Void) -> Int {
        producer.poll(upTo: limit, maxReports: 10_000) { report in
            guard let sent = open.removeValue(forKey: report.opaque) else { return }
            openBytes -= sent.value.count
            sent.value.deallocate()
            settled(sent.tag, report.error)
        }
    }

    /// Takes back all that is open; `poll` tells of it. What was in flight may be written all the same.
    func purge() { producer.purge() }

    /// Gives up what is open. Closing again does nothing.
    ///
    /// - Returns: what was open, in the order of sending.
    @discardableResult
    func close() -> [Tag] {
        producer.close()
        let left = open.sorted { $0.key < $1.key }.map(\.value)
        for sent in left { sent.value.deallocate() }
        open = [:]
        openBytes = 0
        return left.map(\.tag)
    }

    /// Raises a fatal error as librdkafka would, for tests.
    func simulateFatalError() { producer.simulateFatalError(code: .outOfOrderSequenceNumber, reason: "a test") }
}
