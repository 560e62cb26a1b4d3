internal import Bitrix24
internal import KafkaClient
internal import Logging

/// Reads the registry's topic to its end, and what comes after. Belongs to the follower's thread.
struct RegistryFollower {
    let parts: RegistryParts
    private let registry: PortalRegistry

    init(_ parts: RegistryParts) {
        self.parts = parts
        registry = parts.registry
    }

    /// Portals are published no more often, however fast changes come.
    static let publishInterval: Duration = .milliseconds(50)
    static let largestBatch = 200
    /// How often it is asked whether Kafka is there when nothing comes, for the age of the snapshot.
    static let contactMilliseconds: Int64 = 3_600_000
    private static let pause: Duration = .seconds(1)

    func run() {
        var saidFault = ""
        while !parts.stop.isRaised {
            do {
                try follow()
            } catch {
                let words = "\(error)"
                if words != saidFault {
                    saidFault = words
                    parts.logger.error("the registry of portals cannot be read", metadata: ["error": "\(words)"])
                }
                parts.status.fault(words)
                parts.tellHealth()
                parts.stop.wait(Self.pause)
            }
        }
    }

    private func follow() throws {
        switch try parts.topic.prepare(timeout: .seconds(5)) {
        case .partitions(let count):
            parts.logger.error(
                "the registry's topic is wrong",
                metadata: ["fault": "\(parts.topic.severalPartitions(count))"]
            )
        case .usable, .missing: break
        }
        let consumer = try parts.topic.consumer(as: "registry")
        defer { consumer.close() }
        try consumer.assign(topics: [parts.topic.name], timeout: .seconds(5))
        parts.inbox.topicIsUsable()
        parts.status.fault(nil)
        parts.tellHealth()
        var batch: [RegistryEntry] = []
        var publishAt = ContinuousClock.now
        var isUnpublished = false
        var isReading = !registry.isRead
        // What was said before is of no use to anybody.
        var isCurrent = false
        var nextContact = ContinuousClock.now + .milliseconds(Self.contactMilliseconds)
        while !parts.stop.isRaised {
            let limit: Duration =
                batch.isEmpty ? (isUnpublished ? max(.zero, publishAt - .now) : .milliseconds(200)) : .zero
            let record = try consumer.poll(upTo: limit)
            if let record {
                if OfflineWord.isRecord(record) {
                    if isCurrent { hear(record) }
                } else if let entry = entry(record) {
                    batch.append(entry)
                }
            } else if !isCurrent {
                isCurrent = consumer.isAtEnd
            }
            if !batch.isEmpty, record == nil || batch.count >= Self.largestBatch {
                registry.read(batch)
                batch.removeAll(keepingCapacity: true)
                isUnpublished = true
            }
            if isReading, record == nil, consumer.isAtEnd {
                isReading = false
                reachedEnd()
                nextContact = .now + .milliseconds(Self.contactMilliseconds)
            }
            if isUnpublished, .now >= publishAt {
                registry.publish()
                isUnpublished = false
                publishAt = .now + Self.publishInterval
                if !isReading { parts.status.read(at: WallClock.now().milliseconds) }
                // What another replica's change left out is written again by the owner.
                if parts.inbox.isOwner { parts.inbox.wake() }
            }
            if !isReading, .now >= nextContact {
                _ = try consumer.offsets(of: parts.topic.name, timeout: .seconds(5))
                parts.status.read(at: WallClock.now().milliseconds)
                nextContact = .now + .milliseconds(Self.contactMilliseconds)
            }
        }
    }

    /// `nil`: a record that a newer bridge wrote, or somebody else. It is passed over, and not written over.
    private func entry(_ record: ConsumedRecord) -> RegistryEntry? {
        do {
            return try RegistryRecord.entry(record)
        } catch {
            parts.logger.error(
                "a record of the registry is passed over",
                metadata: ["error": "\(error)", "offset": "\(record.offset)"]
            )
            return nil
        }
    }

    private func hear(_ record: ConsumedRecord) {
        if let word = OfflineWord(record) { parts.signals.relayed(word) }
    }

    private func reachedEnd() {
        let now = WallClock.now().milliseconds
        let isYoung = parts.status.readAt.map { now - $0 < RegistryTopic.snapshotIsYoung } ?? false
        let missing = registry.reachedEnd(isYoung ? .lost : .removed)
        registry.publish()
        parts.status.read(at: now)
        parts.tellHealth()
        parts.inbox.wake()
        parts.logger.info("the registry of portals was read", metadata: ["portals": "\(registry.memberIDs.count)"])
        if !missing.isEmpty {
            parts.logger.warning(
                "portals of the snapshot are not in the registry's topic",
                metadata: [
                    "portals": "\(missing.prefix(20).joined(separator: " "))", "count": "\(missing.count)",
                    "kept": "\(registry.portal(missing[0]) != nil)",
                ]
            )
        }
    }
}
