internal import Bitrix24
internal import Foundation
internal import KafkaClient

/// Reads the dead-letter topic from its oldest letter to the one that is the newest when it begins. Reads only: no group is
/// joined and no offset is committed, so whoever else reads the topic does not notice.
package struct DeadLetterTopic {
    let settings: BridgeSettings
    /// How long the cluster may keep us waiting without giving anything.
    let timeout: Duration

    package init(settings: BridgeSettings, timeout: Duration) {
        self.settings = settings
        self.timeout = timeout
    }

    package var name: String { settings.kafka.deadLetterTopic }

    /// Blocks. Letters of one partition come in order, so those of one portal do. One that was sent several times, as after
    /// a crash, comes once, with its first place.
    ///
    /// - Parameter take: Gets each letter, and how many records of how many have been read with it.
    /// - Returns: `false` if there is no such topic, which means that there has never been a dead letter.
    package func read(_ take: (DeadLetter, _ done: Int, _ total: Int) throws -> Void) throws -> Bool {
        let metadata = try clusterMetadata(of: settings.producerConfiguration, topics: [name], timeout: timeout)
        if let error = metadata.topic(named: name)?.error {
            if error == .unknownTopicOrPartition { return false }
            throw KafkaError(code: error)
        }
        let consumer = try KafkaConsumer(
            settings.consumerConfiguration("dead-letters", groupID: "b24bridge-dead-letters-\(UUID().uuidString)")
        )
        defer { consumer.close() }
        let offsets = try consumer.offsets(of: name, timeout: timeout)
        let total = offsets.values.reduce(0) { $0 + $1.count }
        guard total > 0 else { return true }
        try consumer.assign(topics: [name], timeout: timeout)
        var unread = offsets.filter { !$0.value.isEmpty }.mapValues(\.upperBound)
        var done = 0
        var known: Set<EnvelopeID> = []
        var deadline = ContinuousClock.now + timeout
        while !unread.isEmpty {
            guard let record = try consumer.poll(upTo: .milliseconds(100)) else {
                // The last offsets may hold no record: deleted, or a transaction's mark.
                if consumer.isAtEnd { break }
                guard ContinuousClock.now < deadline else {
                    throw KafkaError(code: .timedOut, message: "no record of \(name) came within \(timeout)")
                }
                continue
            }
            deadline = .now + timeout
            guard let end = offsets[record.partition]?.upperBound, record.offset < end else {
                unread[record.partition] = nil
                continue
            }
            if record.offset + 1 == end { unread[record.partition] = nil }
            done += 1
            let letter = DeadLetter(record)
            if let id = letter.id, !known.insert(id).inserted { continue }
            try take(letter, done, total)
        }
        return true
    }
}
