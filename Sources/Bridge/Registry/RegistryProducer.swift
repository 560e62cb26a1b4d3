internal import KafkaClient

/// Sends entries to the registry's topic. Belongs to one thread; must be closed.
final class RegistryProducer {
    private struct Sent {
        let entry: RegistryEntry
        /// librdkafka sends from this memory.
        let value: UnsafeMutableRawBufferPointer?
    }

    struct Outcome {
        let entry: RegistryEntry
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
        lastOpaque += 1
        let value = RegistryRecord.value(of: entry).map { bytes in
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
            buffer.copyBytes(from: bytes)
            return buffer
        }
        let header = value == nil ? Array((entry.removedAt?.text ?? "").utf8) : []
        let outcome = Array(RegistryRecord.removedHeader.utf8).withUnsafeBytes { name in
            header.withUnsafeBytes { text in
                Array(entry.memberID.utf8).withUnsafeBytes { key in
                    topic.withUnsafeBytes { topic in
                        let headers = header.isEmpty ? [] : [RecordHeader(name: name, value: text)]
                        return headers.withUnsafeBufferPointer { headers in
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
            }
        }
        switch outcome {
        case .queued: open[lastOpaque] = Sent(entry: entry, value: value)
        case .rejected(let error):
            value?.deallocate()
            outcomes.append(Outcome(entry: entry, error: error))
        case .queueFull:
            value?.deallocate()
            return false
        }
        return true
    }

    /// Waits until something happens, at the latest for `limit`, and hands out what became of what was sent.
    func poll(upTo limit: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        _ = producer.poll(upTo: limit, maxReports: 10_000) { report in
            guard let sent = open.removeValue(forKey: report.opaque) else { return }
            sent.value?.deallocate()
            outcomes.append(Outcome(entry: sent.entry, error: report.error))
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
