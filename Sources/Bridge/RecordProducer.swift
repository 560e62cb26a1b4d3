internal import Bitrix24
internal import KafkaClient

/// A producer for records that lie in no journal: it keeps each in memory until Kafka has told what became of it, and knows
/// it by the tag that its sender gave. Belongs to one thread; must be closed.
final class RecordProducer<Tag> {
    private struct Sent {
        let tag: Tag
        /// librdkafka sends from this memory. `nil`: the record has no value.
        let value: UnsafeMutableRawBufferPointer?

        func deallocate() { value?.deallocate() }
    }

    private let producer: KafkaProducer
    private let didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?
    private var open: [UInt: Sent] = [:]
    private var lastOpaque: UInt = 0
    /// Of the headers that are being sent; kept for its memory.
    private var places: [RecordHeader] = []
    /// Of the values of what is open.
    private(set) var openBytes = 0

    /// - Parameters:
    ///   - didDeliver: called for each record that Kafka confirmed, during `poll` only, as is `observer`.
    init(
        _ configuration: ProducerConfiguration,
        didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)? = nil,
        observer: @escaping (ProducerEvent) -> Void
    ) throws(KafkaConfigurationError) {
        self.didDeliver = didDeliver
        producer = try KafkaProducer(configuration, observer: observer)
    }

    /// Records without a report yet.
    var openCount: Int { open.count }
    var wakeHandle: ProducerWakeHandle { producer.wakeHandle }
    var fatalError: KafkaError? { producer.fatalError }

    func send(_ record: EventRecord, as tag: Tag) -> SendOutcome {
        send(
            topic: record.topic,
            key: record.key,
            value: record.value.bytes,
            headers: record.headers,
            as: tag
        )
    }

    /// - Parameter value: `nil`: the record has none, as a topic that is compacted needs it to forget the key.
    /// - Returns: `queued`: `poll` will tell of it once, or `close` will.
    func send(topic: [UInt8], key: [UInt8], value: [UInt8]?, headers: RecordHeaders, as tag: Tag) -> SendOutcome {
        lastOpaque += 1
        let sent = Sent(tag: tag, value: value.map(Self.copy))
        // librdkafka copies topic, key and headers.
        let outcome = withPlaces(of: headers) { headers in
            topic.withUnsafeBytes { topic in
                key.withUnsafeBytes { key in
                    producer.send(
                        to: producer.topic(named: topic),
                        key: key,
                        value: UnsafeRawBufferPointer(start: sent.value?.baseAddress, count: value?.count ?? 0),
                        headers: headers,
                        opaque: lastOpaque
                    )
                }
            }
        }
        if outcome == .queued {
            open[lastOpaque] = sent
            openBytes += sent.value?.count ?? 0
        } else {
            sent.deallocate()
        }
        return outcome
    }

    /// With an address also where it is empty, as no value at all is something else.
    private static func copy(_ bytes: [UInt8]) -> UnsafeMutableRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
        copy.copyBytes(from: bytes)
        return copy
    }

    /// Their texts lie back to back.
    private func withPlaces(
        of headers: RecordHeaders,
        _ body: (UnsafeBufferPointer<RecordHeader>) -> SendOutcome
    ) -> SendOutcome {
        headers.bytes.withUnsafeBytes { texts in
            places.removeAll(keepingCapacity: true)
            var start = 0
            for length in headers.lengths {
                let middle = start + length.name
                let end = middle + length.value
                places.append(
                    RecordHeader(
                        name: UnsafeRawBufferPointer(rebasing: texts[start..<middle]),
                        value: UnsafeRawBufferPointer(rebasing: texts[middle..<end])
                    )
                )
                start = end
            }
            return places.withUnsafeBufferPointer(body)
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
            openBytes -= sent.value?.count ?? 0
            if report.isDelivered { didDeliver?(report) }
            sent.deallocate()
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
        for sent in left { sent.deallocate() }
        open = [:]
        openBytes = 0
        return left.map(\.tag)
    }

    /// Raises a fatal error as librdkafka would, for tests.
    func simulateFatalError() { producer.simulateFatalError(code: .outOfOrderSequenceNumber, reason: "a test") }
}
