internal import Bitrix24
internal import KafkaClient

/// Sends entries and word to other replicas to the registry's topic. Belongs to one thread; must be closed.
final class RegistryProducer {
    enum Subject {
        case entry(RegistryEntry)
        case word(OfflineWord)
    }

    struct Outcome {
        let subject: Subject
        /// `nil`: Kafka has it.
        let error: KafkaError?
    }

    private let topic: [UInt8]
    private let producer: RecordProducer<Subject>

    init(_ topic: RegistryTopic, observer: @escaping (ProducerEvent) -> Void) throws(KafkaConfigurationError) {
        self.topic = Array(topic.name.utf8)
        producer = try RecordProducer(topic.producerConfiguration(), observer: observer)
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
        _ value: [UInt8]?,
        headers: [(name: String, value: String)],
        _ outcomes: inout [Outcome]
    ) -> Bool {
        switch producer.send(
            topic: topic,
            key: Array(key.utf8),
            value: value,
            headers: RecordHeaders(headers),
            as: subject
        ) {
        case .queued: return true
        case .rejected(let error):
            outcomes.append(Outcome(subject: subject, error: error))
            return true
        case .queueFull: return false
        }
    }

    /// Waits until something happens, at the latest for `limit`, and hands out what became of what was sent.
    func poll(upTo limit: Duration) -> [Outcome] {
        var outcomes: [Outcome] = []
        producer.poll(upTo: limit) { subject, error in outcomes.append(Outcome(subject: subject, error: error)) }
        return outcomes
    }

    /// Gives up what has no outcome yet. Closing again does nothing.
    func close() { producer.close() }
}
