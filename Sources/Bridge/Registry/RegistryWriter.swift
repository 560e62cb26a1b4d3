internal import Bitrix24
internal import Journal
internal import KafkaClient
internal import Logging

/// Makes the changes that are asked for: durable on the disk at once, then in Kafka. Belongs to the writer's thread.
///
/// A change is kept until Kafka has confirmed it, whatever happens meanwhile. Those to one portal go one after the other, so
/// that the newest record of a portal says the most; those that come meanwhile go together.
final class RegistryWriter {
    private struct Waiter {
        let waiting: RegistryInbox.Waiting
        /// What is to be confirmed.
        let entry: RegistryEntry
        let deadline: ContinuousClock.Instant
    }

    private let registry: PortalRegistry
    private let inbox: RegistryInbox
    private let topic: RegistryTopic
    private let files: RegistryFiles
    private let status: RegistryStatusBox
    private let logger: Logger
    private let maxRecordBytes: Int
    private let timeout: Duration
    private var producer: RegistryProducer
    private var inFlight: Set<String> = []
    private var relay = WordRelay()
    private var waiters: [String: [Waiter]] = [:]
    /// Nothing is sent before, as Kafka refused something.
    private var pausedUntil = ContinuousClock.now
    private var saidRefusal: KafkaErrorCode?
    private var diskIsFailing = false
    private var unconfirmedOnDisk: Int
    private var snapshotVersion: Int
    private var nextSnapshot: ContinuousClock.Instant
    private var snapshotReadAt: Int64

    static let snapshotInterval: Duration = .seconds(5)
    static let refusalPause: Duration = .seconds(1)

    init(_ parts: RegistryParts) throws(KafkaConfigurationError) {
        registry = parts.registry
        inbox = parts.inbox
        topic = parts.topic
        files = parts.files
        status = parts.status
        logger = parts.logger
        maxRecordBytes = parts.maxRecordBytes
        timeout = parts.timeout
        producer = try Self.producer(topic, logger)
        unconfirmedOnDisk = registry.unconfirmed.count
        snapshotVersion = registry.version
        snapshotReadAt = status.readAt ?? 0
        nextSnapshot = .now + Self.snapshotInterval
    }

    func run() throws(KafkaConfigurationError) {
        inbox.attach(producer.wakeHandle)
        defer {
            inbox.close()
            producer.close()
        }
        while true {
            if let deadline = inbox.stopDeadline, .now >= deadline || registry.unconfirmedIDs.isEmpty && waiters.isEmpty
            {
                break
            }
            take()
            var outcomes: [RegistryProducer.Outcome] = []
            send(&outcomes)
            sendWords(&outcomes)
            outcomes += producer.poll(upTo: outcomes.isEmpty ? patience : .zero)
            for outcome in outcomes {
                switch outcome.subject {
                case .entry(let entry): settle(entry, outcome.error)
                // The timer of whoever drains makes up for what could not be told.
                case .word(let word): relay.settled(word)
                }
            }
            if producer.isBroken { try rebuild() }
            expire()
            if .now >= nextSnapshot { keep() }
        }
        keep()
        for (_, all) in waiters { for waiter in all { fail(waiter) } }
        waiters = [:]
    }

    /// Until when nothing need be done but wait.
    private var patience: Duration {
        var next = nextSnapshot
        for all in waiters.values { for waiter in all { next = min(next, waiter.deadline) } }
        // Until the topic can be used nothing is sent; whoever learns that it can wakes this thread.
        if inbox.isTopicUsable, !inFlight.isSuperset(of: registry.unconfirmedIDs) {
            next = min(next, pausedUntil)
        }
        if let due = relay.next { next = min(next, due) }
        if let deadline = inbox.stopDeadline { next = min(next, deadline) }
        return max(.milliseconds(1), next - .now)
    }

    // MARK: Taking changes

    private func take() {
        if inbox.isOwner, inbox.isTopicUsable {
            let count = registry.takeBehind()
            if count > 0 {
                logger.info(
                    "portals are written again, as the topic lacks a part of them",
                    metadata: ["portals": "\(count)"]
                )
            }
        }
        var working: [String: RegistryEntry] = [:]
        var taken: [Waiter] = []
        for waiting in inbox.take() {
            let request = waiting.request
            let (entry, isChanged) = registry.edited(request.memberID, on: working[request.memberID], request.edit)
            guard isChanged || working[request.memberID] != nil || registry.isUnconfirmed(request.memberID) else {
                waiting.continuation.resume(returning: .success(entry))
                continue
            }
            guard isLegal(entry) else {
                let error = RegistryError(
                    .refused,
                    "the record of portal \(request.memberID) would be over kafka.maxRecordBytes, or its member_id is none"
                )
                waiting.continuation.resume(returning: .failure(error))
                continue
            }
            working[request.memberID] = entry
            taken.append(Waiter(waiting: waiting, entry: entry, deadline: .now + timeout))
        }
        guard !taken.isEmpty else { return }
        let others = registry.unconfirmed.filter { working[$0.memberID] == nil }
        let isOnDisk = writeUnconfirmed(others + working.values)
        registry.commit(Array(working.values))
        registry.publish()
        for waiter in taken {
            if isOnDisk, waiter.waiting.request.durability == .here {
                waiter.waiting.continuation.resume(returning: .success(waiter.entry))
            } else {
                waiters[waiter.entry.memberID, default: []].append(waiter)
            }
        }
    }

    private func isLegal(_ entry: RegistryEntry) -> Bool {
        guard RegistryRecord.isMemberID(entry.memberID) else { return false }
        return entry.memberID.utf8.count + (RegistryRecord.value(of: entry)?.count ?? 0) <= maxRecordBytes
    }

    // MARK: Kafka

    private func send(_ outcomes: inout [RegistryProducer.Outcome]) {
        guard inbox.isTopicUsable, .now >= pausedUntil else { return }
        guard !inFlight.isSuperset(of: registry.unconfirmedIDs) else { return }
        for entry in registry.unconfirmed where !inFlight.contains(entry.memberID) {
            guard producer.send(entry, &outcomes) else { return }
            inFlight.insert(entry.memberID)
        }
    }

    private func sendWords(_ outcomes: inout [RegistryProducer.Outcome]) {
        let now = ContinuousClock.now
        for word in inbox.takeWords() where inbox.isTopicUsable { relay.add(word, at: now) }
        for word in relay.take(at: now) {
            if !producer.send(word, &outcomes) { relay.settled(word) }
        }
    }

    private func settle(_ entry: RegistryEntry, _ error: KafkaError?) {
        let memberID = entry.memberID
        inFlight.remove(memberID)
        if let error {
            pausedUntil = .now + Self.refusalPause
            if error.code != saidRefusal {
                saidRefusal = error.code
                logger.error(
                    "the registry of portals cannot be written; changes wait on this replica",
                    metadata: [
                        "topic": "\(topic.name)", "error": "\(error)",
                        "mend": "give this client the right Write on the topic",
                    ]
                )
            }
            return
        }
        if saidRefusal != nil {
            saidRefusal = nil
            logger.notice("the registry of portals can be written again", metadata: ["topic": "\(topic.name)"])
        }
        _ = registry.confirmed(entry)
        guard let all = waiters.removeValue(forKey: memberID) else { return }
        let left = all.filter { waiter in
            guard entry.covers(waiter.entry) else { return true }
            waiter.waiting.continuation.resume(returning: .success(waiter.entry))
            return false
        }
        if !left.isEmpty { waiters[memberID] = left }
    }

    private func expire() {
        let now = ContinuousClock.now
        for (memberID, all) in waiters where all.contains(where: { $0.deadline <= now }) {
            for waiter in all where waiter.deadline <= now { fail(waiter) }
            let left = all.filter { $0.deadline > now }
            waiters[memberID] = left.isEmpty ? nil : left
        }
    }

    private func fail(_ waiter: Waiter) {
        let error = RegistryError(
            .unconfirmed,
            "Kafka has not confirmed the change of portal \(waiter.entry.memberID) within \(timeout); it is kept and sent as "
                + "soon as the topic \(topic.name) can be written"
        )
        waiter.waiting.continuation.resume(returning: .failure(error))
    }

    private func rebuild() throws(KafkaConfigurationError) {
        logger.warning("the registry's producer is made anew after a fatal error")
        producer.close()
        inFlight = []
        relay.lost()
        producer = try Self.producer(topic, logger)
        inbox.attach(producer.wakeHandle)
    }

    private static func producer(_ topic: RegistryTopic, _ logger: Logger) throws(KafkaConfigurationError)
        -> RegistryProducer
    {
        try RegistryProducer(topic) { event in
            // Whether Kafka can be reached the shipper tells; once is enough.
            guard case .log(let level, let facility, let message) = event, level <= 3 else { return }
            logger.debug("librdkafka", metadata: ["facility": "\(facility)", "text": "\(message)"])
        }
    }

    // MARK: Disk

    private func writeUnconfirmed(_ entries: [RegistryEntry]) -> Bool {
        do throws(FileSystemError) {
            try files.writeUnconfirmed(entries)
            unconfirmedOnDisk = entries.count
            diskWorks()
            return true
        } catch {
            diskFails(error)
            return false
        }
    }

    /// Writes what has changed since the last time. Before the registry was read, there is nothing that a start could rely on.
    private func keep() {
        nextSnapshot = .now + Self.snapshotInterval
        let unconfirmed = registry.unconfirmed
        if unconfirmedOnDisk > unconfirmed.count { _ = writeUnconfirmed(unconfirmed) }
        guard let readAt = status.readAt else { return }
        let version = registry.version
        guard version != snapshotVersion || readAt - snapshotReadAt > RegistryFollower.contactMilliseconds else {
            return
        }
        let started = ContinuousClock.now
        do throws(FileSystemError) {
            try files.writeSnapshot(registry.allIDs, readAt: readAt) { registry.entry($0) }
            snapshotVersion = version
            snapshotReadAt = readAt
            status.snapshotWritten(at: WallClock.now().milliseconds)
            diskWorks()
        } catch {
            diskFails(error)
        }
        // With very many portals, no more than a twentieth of the time.
        nextSnapshot = .now + max(Self.snapshotInterval, (ContinuousClock.now - started) * 20)
    }

    private func diskFails(_ error: FileSystemError) {
        guard !diskIsFailing else { return }
        diskIsFailing = true
        logger.error(
            "the registry's files beside the journal cannot be written; a restart without Kafka would not know the newest changes",
            metadata: ["directory": "\(files.directory)", "error": "\(error.words)"]
        )
    }

    private func diskWorks() {
        guard diskIsFailing else { return }
        diskIsFailing = false
        logger.notice("the registry's files can be written again", metadata: ["directory": "\(files.directory)"])
    }
}
