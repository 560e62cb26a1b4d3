internal import CoreMetrics
internal import Journal
internal import KafkaClient
internal import Logging

/// The shipper's thread: reads the journals, sends, takes delivery reports, moves the checkpoints.
///
/// All state belongs to this one thread, so nothing here is locked. It sleeps in the producer's `poll` and is woken by
/// commits, by reports and by timers.
///
/// - A record is sent from the journal's own memory, which is kept until its report has come.
/// - A record that is not delivered is never lost from sight: its position stays open, and the reader comes by again.
/// - Records of a topic that refuses are held in place; the reader passes on. When one of them, tried now and then, gets
///   through, the reader goes back to the first of them, so that the topic keeps its order. After `parkAfter` they are
///   moved to the parked journal instead, and later ones follow, until the parked ones are delivered.
final class ShippingLoop {
    let settings: ShipperSettings
    let lanes: (main: ShippingLane, parked: ShippingLane)
    let inbox: ShipperInbox
    let metrics: BridgeMetrics
    let logger: Logger
    var producer: KafkaProducer
    let clock = ContinuousClock()

    /// Blocks with records in flight.
    var blocks: [UInt32: (block: RecordBlock, lane: ShippingLane, inFlight: Int)] = [:]
    private var lastBlockID: UInt32 = 0
    var inFlightRecords = 0
    var inFlightBytes = 0
    private var headers: [RecordHeader] = []

    /// Parked and parking records of each topic; none is sent past them.
    var parkedByTopic: [String: Int] = [:]
    var parkedOversized = 0
    private let parkAppender: JournalAppender
    var parking = ParkingQueue()

    var status = ShipperStatus()
    /// Lower positions of the main journal were written by earlier runs.
    private let firstOwnPosition: UInt64

    init(
        settings: ShipperSettings,
        journal: Journal,
        parkedJournal: Journal,
        inbox: ShipperInbox,
        metrics: BridgeMetrics,
        logger: Logger
    ) throws(KafkaConfigurationError) {
        self.settings = settings
        self.inbox = inbox
        self.metrics = metrics
        self.logger = logger
        firstOwnPosition = settings.firstOwnPosition
        lanes = (ShippingLane(name: .main, journal: journal), ShippingLane(name: .parked, journal: parkedJournal))
        parkAppender = parkedJournal.makeAppender { resolution in inbox.post(resolution) }
        producer = try KafkaProducer(settings.producer) { [inbox] event in inbox.observe(event) }
        inbox.attach(producer.wakeHandle)
    }

    // MARK: The loop

    /// Returns when asked to stop and everything is delivered or the deadline has passed.
    func run() throws(KafkaConfigurationError) {
        defer { close() }
        status.isRunning = true
        countParkedRecords()
        while true {
            settleParking()
            if producer.fatalError != nil { try rebuildProducer() }
            let now = clock.now
            retryRefusingTopics(now: now)
            if inbox.takeWake() {
                lanes.main.isIdle = false
                lanes.parked.isIdle = false
            }
            ship(lanes.parked, now: now)
            ship(lanes.main, now: now)
            lanes.main.confirm()
            lanes.parked.confirm()
            publishStatus(now: now)
            if let deadline = inbox.stopDeadline, now >= deadline || isFinished { break }
            _ = producer.poll(upTo: timeToSleep(now: now), maxReports: 10_000) { report in take(report) }
        }
    }

    /// Nothing is left to send, as far as the topics let it through.
    private var isFinished: Bool {
        inFlightRecords == 0 && parking.isEmpty && !lanes.main.wantsToRead && !lanes.parked.wantsToRead
    }

    private func close() {
        inbox.detach()
        producer.close()
        blocks.removeAll()
        lanes.main.confirm()
        lanes.parked.confirm()
        status.isRunning = false
        publishStatus(now: clock.now)
        let left = lanes.main.window.open
        if left > 0 {
            logger.notice(
                "not everything was delivered; the rest stays in the journal",
                metadata: ["records": "\(left)"]
            )
        }
    }

    private func timeToSleep(now: ContinuousClock.Instant) -> Duration {
        var limit: Duration = .seconds(1)
        for lane in [lanes.main, lanes.parked] {
            for fault in lane.faults.values where fault.probing == nil { limit = min(limit, fault.nextTry - now) }
            if let until = lane.pausedUntil { limit = min(limit, until - now) }
        }
        if let deadline = inbox.stopDeadline { limit = min(limit, deadline - now) }
        return max(limit, .milliseconds(1))
    }

    // MARK: Sending

    /// Sends as much as the producer and the limits take. What stops it ends with a report, a wake or a timer.
    private func ship(_ lane: ShippingLane, now: ContinuousClock.Instant) {
        if let until = lane.pausedUntil {
            if now < until { return }
            lane.pausedUntil = nil
        }
        lane.applyRewind()
        guard lane.wantsToRead else { return }
        while inFlightBytes < settings.maxInFlightBytes, inFlightRecords < settings.maxInFlightRecords {
            if lane.current == nil {
                do {
                    guard let block = try lane.nextBlock(maxBytes: settings.readBytes) else {
                        lane.isIdle = true
                        return
                    }
                    lane.current = (nextBlockID(), block, 0)
                } catch {
                    logger.error("the journal cannot be read; trying again", metadata: ["error": "\(error)"])
                    lane.pausedUntil = now + .seconds(1)
                    return
                }
            }
            guard sendCurrentBlock(of: lane, now: now) else { return }
        }
    }

    /// Never 0, so that no opaque is a null pointer.
    func nextBlockID() -> UInt32 {
        lastBlockID = lastBlockID == UInt32(Int32.max) ? 1 : lastBlockID + 1
        return lastBlockID
    }

    /// Returns false when the rest of the block has to wait.
    private func sendCurrentBlock(of lane: ShippingLane, now: ContinuousClock.Instant) -> Bool {
        guard let (id, block, start) = lane.current else { return true }
        for index in start..<block.count {
            guard inFlightBytes < settings.maxInFlightBytes else {
                lane.current = (id, block, index)
                return true
            }
            let record = block[index]
            let position = record.position.rawValue
            let isFirst = position >= lane.window.end
            guard let slot = lane.window.read(position) else {
                lane.current = (id, block, index)
                lane.pausedUntil = now + .milliseconds(100)
                return false
            }
            if isFirst, lane === lanes.main { countFirstReading(of: position) }
            guard slot == .waiting || slot == .held else { continue }
            guard route(record, at: index, in: block, id: id, lane: lane, now: now) else {
                lane.current = (id, block, index)
                return false
            }
        }
        lane.current = nil
        return true
    }

    /// Sends, holds or parks one record. Returns false when the producer takes no more at the moment.
    private func route(
        _ record: JournalRecord,
        at index: Int,
        in block: RecordBlock,
        id: UInt32,
        lane: ShippingLane,
        now: ContinuousClock.Instant
    ) -> Bool {
        let position = record.position.rawValue
        guard let stored = StoredRecord(record.payload), !stored.flags.contains(.oversized) || lane === lanes.parked
        else {
            park(record, topic: nil, lane: lane, now: now)
            return true
        }
        if stored.flags.contains(.oversized), stored.key.count + stored.value.count > settings.maxRecordBytes {
            lane.window[position] = .held
            return true
        }
        if !lane.faults.isEmpty, var fault = lane.faults[stored.topicName] {
            switch fault.route {
            case .parked: park(record, topic: stored.topicName, lane: lane, now: now)
            case .held:
                lane.window[position] = .held
                fault.hold(position)
                lane.faults[stored.topicName] = fault
            }
            return true
        }
        switch send(stored, bytes: record.payload.count, opaque: opaque(id, index)) {
        case .queued:
            lane.window[position] = .inFlight
            blocks[id, default: (block, lane, 0)].inFlight += 1
            return true
        case .queueFull: return false
        case .rejected(let error):
            if error.isFatal { return false }
            metrics.deliveryFailures.increment()
            refuse(stored.topicName, at: position, error: error, lane: lane, now: now)
            return true
        }
    }

    func opaque(_ block: UInt32, _ index: Int) -> UInt { UInt(block) << 32 | UInt(index) }

    func send(_ stored: StoredRecord, bytes: Int, opaque: UInt) -> SendOutcome {
        headers.removeAll(keepingCapacity: true)
        stored.forEachHeader { headers.append(RecordHeader(name: $0, value: $1)) }
        let outcome = headers.withUnsafeBufferPointer { headers in
            producer.send(
                to: producer.topic(named: stored.topic),
                key: stored.key,
                value: stored.value,
                headers: headers,
                opaque: opaque
            )
        }
        if outcome == .queued {
            inFlightRecords += 1
            inFlightBytes += bytes
        }
        return outcome
    }

    private func countFirstReading(of position: UInt64) {
        if position < firstOwnPosition { metrics.recovered.increment() } else { status.readOfThisRun += 1 }
    }

    // MARK: Parking

    /// Appends the record to the parked journal; its position is done once that has committed.
    private func park(_ record: JournalRecord, topic: String?, lane: ShippingLane, now: ContinuousClock.Instant) {
        guard lane === lanes.main else {
            // An unreadable record among the parked ones stays there: a later version may read it.
            lane.window[record.position.rawValue] = .held
            return
        }
        switch parkAppender.append(record.payload) {
        case .pending(let parkedPosition):
            lane.window[record.position.rawValue] = .parking
            parking.append(main: record.position.rawValue, parked: parkedPosition, topic: topic)
            if let topic { parkedByTopic[topic, default: 0] += 1 } else { parkedOversized += 1 }
        case .refused:
            holdUntilParkable(record.position.rawValue, now: now)
        }
    }

    /// The parked journal takes nothing: the record stays in the main journal and is tried again.
    private func holdUntilParkable(_ position: UInt64, now: ContinuousClock.Instant) {
        lanes.main.window[position] = .held
        if parking.retryFrom == nil {
            logger.error(
                "the parked journal takes no more; records that cannot be sent stay in the journal",
                metadata: ["mend": "mend the topics that refuse, or raise journal.parkedMaxBytes"]
            )
        }
        parking.retry(from: position, at: now + .seconds(5))
    }

    private func settleParking() {
        for resolution in inbox.takeResolutions() {
            while let entry = parking.next(through: resolution.through) {
                switch resolution.outcome {
                case .committed:
                    lanes.main.window[entry.main] = .done
                    metrics.parked.increment()
                    status.parked += 1
                    lanes.parked.isIdle = false
                case .failed:
                    if let topic = entry.topic { unpark(topic) } else { parkedOversized -= 1 }
                    holdUntilParkable(entry.main, now: clock.now)
                }
            }
        }
    }

    /// One parked record of `topic` less. With the last one, the topic's records go the direct way again.
    func unpark(_ topic: String) {
        let left = parkedByTopic[topic, default: 1] - 1
        parkedByTopic[topic] = left > 0 ? left : nil
        guard left <= 0, let fault = lanes.main.faults[topic], fault.route == .parked else { return }
        lanes.main.faults[topic] = nil
        if let first = fault.firstHeld { lanes.main.rewind(to: first) }
        logger.notice("a topic takes its records again", metadata: ["topic": "\(topic)"])
    }

    /// After a start: topics that have parked records stay parked until those are delivered.
    private func countParkedRecords() {
        let lane = lanes.parked
        let reader = lane.journal.makeReader()
        do {
            while let block = try reader.next(maxBytes: settings.readBytes) {
                block.forEach { record in
                    status.parked += 1
                    metrics.recovered.increment()
                    guard let stored = StoredRecord(record.payload), !stored.flags.contains(.oversized) else {
                        parkedOversized += 1
                        return
                    }
                    parkedByTopic[stored.topicName, default: 0] += 1
                }
            }
        } catch {
            logger.error("the parked journal cannot be read", metadata: ["error": "\(error)"])
        }
        for topic in parkedByTopic.keys {
            lanes.main.faults[topic] = TopicFault(route: .parked, now: clock.now, error: nil)
        }
    }

    // MARK: A new producer

    /// Throws when no producer can be made, for want of threads or memory: its settings were accepted before.
    private func rebuildProducer() throws(KafkaConfigurationError) {
        logger.error(
            "the Kafka producer failed for good; a new one goes on from the checkpoint",
            metadata: ["error": "\(producer.fatalError.map(String.init(describing:)) ?? "")"]
        )
        metrics.producerRebuilds.increment()
        inbox.detach()
        producer.close()
        blocks.removeAll()
        (inFlightRecords, inFlightBytes) = (0, 0)
        for lane in [lanes.main, lanes.parked] {
            lane.window.takeBackInFlight()
            lane.rewind(to: lane.window.base)
            for topic in lane.faults.keys { lane.faults[topic]?.probing = nil }
        }
        producer = try KafkaProducer(settings.producer) { [inbox] event in inbox.observe(event) }
        inbox.attach(producer.wakeHandle)
    }
}

extension StoredRecord {
    var topicName: String { String(decoding: topic, as: UTF8.self) }
}
