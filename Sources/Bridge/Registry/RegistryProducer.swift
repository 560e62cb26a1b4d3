internal import KafkaClient

/// Sends entries and word to other replicas to the registry's topic. Belongs to one thread; must be closed.
final class RegistryProducer {
    enum Subject {
        case entry(RegistryEntry)
        case word(OfflineWord)
    }

    private struct Sent {
        let subject: Subject
        /// librdkafka sends from this memory.
        let value: UnsafeMutableRawBufferPointer?
    }

    struct Outcome {
        let subject: Subject
        /// `nil`: Kafka has it.
        let error: KafkaError?
    }

    private let topic: [UInt8]
    private let producer: KafkaProducer
    private var open: [UInt: Sent] = [:]
    private var lastOpaque: UInt = 0

    init(_ topic: RegistryTopic, observer: @escaping (ProducerEvent) -> Void) throws(KafkaConfigurationError) {
        self.topic = Array(topic.name.utf8)
        producer = try KafkaProducer(topic.producerConfiguration(), observer: observer)
    }

    var wakeHandle: ProducerWakeHandle { producer.wakeHandle }

    /// Nothing goes through this one any more.
    var isBroken: Bool { producer.fatalError != nil }

    /// Takes an entry on its way. Its outcome comes from `poll`, also if it cannot be sent.
    ///
    /// - Returns: `false` when there is no room; then nothing was taken.
    func send(_ entry: RegistryEntry, _ outcomes: inout [Outcome]) -> Bool {
        let value = RegistryRecord.value(of: entry)
        let removed = value == nil ? entry.removedAt : nil
        return send(
            .entry(entry),
            key: entry.memberID,
            value,
            headers: removed.map { [(RegistryRecord.removedHeader, $0.text)] } ?? [],
            &outcomes
        )
    }

    /// The same for word to other replicas.
    func send(_ word: OfflineWord, _ outcomes: inout [Outcome]) -> Bool {
        send(.word(word), key: word.key, nil, headers: word.headers, &outcomes)
    }

    private func send(
        _ subject: Subject,
        key: String,
        _ bytes: [UInt8]?,
        headers: [(name: String, value: String)],
        _ outcomes: inout [Outcome]
    ) -> Bool {
        lastOpaque += 1
        let value = bytes.map { bytes in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
            buffer.copyBytes(from: bytes)
            return buffer
        }
        let outcome = Self.withHeaders(headers) { headers in
            Array(key.utf8).withUnsafeBytes { key in
                topic.withUnsafeBytes { topic in
                    producer.send(
                        to: producer.topic(named: topic),
                        key: key,
                        value: UnsafeRawBufferPointer(value ?? .init(start: nil, count: 0)),
                        headers: headers,
                        opaque: lastOpaque
                    )
                }
            }
        }
        switch outcome {
        case .queued: open[lastOpaque] = Sent(subject: subject, value: value)
        case .rejected(let error):
            value?.deallocate()
            outcomes.append(Outcome(subject: subject, error: error))
        case .queueFull:
            value?.deallocate()
            return false
        }
        return true
    }

    /// Lays them out in one piece of memory for the call.
    private static func withHeaders<Value>(
        _ headers: [(name: String, value: String)],
        _ body: (UnsafeBufferPointer<RecordHeader>) -> Value
    ) -> Value {
        headers.flatMap { Array($0.name.utf8) + Array($0.value.utf8) }.withUnsafeBytes { bytes in
            var start = 0
            func next(_ text: String) -> UnsafeRawBufferPointer {
                defer { start += text.utf8.count }
                return UnsafeRawBufferPointer(rebasing: bytes[start..<start + text.utf8.count])
            }
            let records = headers.map { RecordHeader(name: next($0.name), value: next($0.value)) }
            return records.withUnsafeBufferPointer(body)
        }
    }

    /// Waits until something happens, at the latest for `limit`, and hands out what became of what was sent.
    func poll(upTo limit: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        _ = producer.poll(upTo: limit, maxReports: 10_000) { report in
            guard let sent = open.removeValue(forKey: report.opaque) else { return }
            sent.value?.deallocate()
            outcomes.append(Outcome(subject: sent.subject, error: report.error))
        }
        return outcomes
    }

    /// Gives up what has no outcome yet. Closing again does nothing.
    func close() {
        producer.close()
        for sent in open.values { sent.value?.deallocate() }
        open = [:]
    }
}
