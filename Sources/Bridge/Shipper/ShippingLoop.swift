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

    /// When Kafka confirmed a record last.
    var lastDelivery: ContinuousClock.Instant?
    var blocks = BlocksInFlight<ShippingLane>()
    var inFlightRecords = 0
    var inFlightBytes = 0
    private var headers: [RecordHeader] = []

    /// Parked and parking records of each topic; none is sent past them.
    var parkedByTopic: [String: Int] = [:]
    let parkAppender: JournalAppender
    var parking = ParkingQueue()
    var singles: SingleRecords
    /// Said once, until the parked journal takes records again.
    var isParkingFull = false
    /// Payload bytes of the parked records.
    var parkedBytes = 0
    /// Topics to which the parking gate has been closed since it was; `nil`: it is open.
    var gateTopics: Set<String>?
    /// An append to the parked journal failed, and it takes none until those behind it are settled.
    var isParkingBroken = false
    /// Records of the parked journal are not moved before this moment: there was no room.
    var movesFrom: ContinuousClock.Instant

    var status = ShipperStatus()
    /// Lower positions of the main journal were written by earlier runs.
    private let firstOwnPosition: UInt64
    /// Not before this moment is another producer made.
    var rebuildsFrom: ContinuousClock.Instant
    /// However short `parkAfter` is, a record may be under way for so long.
    static let shortestStall: Duration = .seconds(5)
    /// Blocks read from one lane before the reports are looked at.
    private static let blocksPerTurn = 8

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
        let now = clock.now
        singles = SingleRecords(
            interval: settings.singlesInterval ?? max(settings.parkAfter * 10, .seconds(1)),
            now: now
        )
        movesFrom = now
        rebuildsFrom = now
        lanes = (ShippingLane(name: .main, journal: journal), ShippingLane(name: .parked, journal: parkedJournal))
        parkAppender = parkedJournal.makeAppender(breaksOff: true) { resolution in inbox.post(resolution) }
        producer = try KafkaProducer(settings.producer) { [inbox] event in inbox.observe(event) }
        inbox.attach(producer.wakeHandle)
    }

    // MARK: The loop

    /// Returns when asked to stop and everything is delivered or the deadline has passed.
    func run() throws(KafkaConfigurationError) {
        defer { close() }
        status.isRunning = true
        guard countParkedRecords() else { return }
        while true {
            settleParking()
            let now = clock.now
            inbox.takeErrand()?(producer)
            if producer.fatalError != nil, now >= rebuildsFrom { try rebuildProducer(now: now) }
            retryRefusingTopics(now: now)
            takeBackStalledTopic(now: now)
            trySingles(now: now)
            moveSingles(now: now)
            if inbox.takeWake() {
                lanes.main.isIdle = false
                lanes.parked.isIdle = false
            }
            ship(lanes.parked, now: now)
            ship(lanes.main, now: now)
            giveUpUnreadable()
            forgetEmptyParking()
            watchParkingGate()
            lanes.main.confirm()
            lanes.parked.confirm()
            publishStatus(now: now)
            if let deadline = inbox.stopDeadline, now >= deadline || isFinished { break }
            _ = producer.poll(upTo: timeToSleep(now: now), maxReports: 10_000) { report in take(report) }
        }
    }

    /// Nothing is left to send, as far as the topics let it through.
    var isFinished: Bool {
        inFlightRecords == 0 && parking.isEmpty && !lanes.main.wantsToRead && !lanes.parked.wantsToRead
    }

    private func close() {
        inbox.detach()
        // What was confirmed in the last moment is not sent again by the next run.
        _ = producer.poll(upTo: .zero, maxReports: settings.maxInFlightRecords) { report in take(report) }
        settleParking()
        producer.close()
        blocks.unpinAll()
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
            if lane.isUnfinished { return .zero }
            for fault in lane.faults.values {
                if let time = fault.wakeAt(now: now, parkAfter: settings.parkAfter) { limit = min(limit, time - now) }
            }
            if let until = lane.pausedUntil { limit = min(limit, until - now) }
        }
        if let time = singles.wakeAt { limit = min(limit, time - now) }
        if let deadline = inbox.stopDeadline { limit = min(limit, deadline - now) }
        return max(limit, .milliseconds(1))
    }

    // MARK: Sending

    /// Sends as much as the producer and the limits take. What stops it ends with a report, a wake or a timer.
    private func ship(_ lane: ShippingLane, now: ContinuousClock.Instant) {
        lane.isUnfinished = false
        if lane.isTakingBack {
            guard lane.inFlightRecords == 0 else { return }
            lane.isTakingBack = false
        }
        if let until = lane.pausedUntil {
            if now < until { return }
            lane.pausedUntil = nil
        }
        lane.applyRewind()
        guard lane.wantsToRead else { return }
        for _ in 0..<Self.blocksPerTurn {
            guard hasRoom(lane) else { return }
            if lane.current == nil {
                do {
                    guard let block = try lane.nextBlock(maxBytes: settings.readBytes) else {
                        lane.isIdle = true
                        return
                    }
                    lane.current = (blocks.nextID(), block, 0)
                } catch {
                    logger.error("the journal cannot be read; trying again", metadata: ["error": "\(error)"])
                    lane.pausedUntil = now + .seconds(1)
                    return
                }
            }
            guard sendCurrentBlock(of: lane, now: now) else { return }
        }
        lane.isUnfinished = true
    }

    /// Parked records may stay in flight for as long as their partition has no leader, so they get a quarter only.
    func hasRoom(_ lane: ShippingLane) -> Bool {
        if lane === lanes.parked {
            guard lane.inFlightBytes < settings.maxInFlightBytes / 4,
                lane.inFlightRecords < settings.maxInFlightRecords / 4
            else { return false }
        }
        return !isFull
    }

    /// No more may be handed to the producer.
    var isFull: Bool {
        inFlightBytes >= settings.maxInFlightBytes || inFlightRecords >= settings.maxInFlightRecords
            || blocks.pinnedBytes >= settings.maxPinnedBytes
    }

    /// Returns false when the rest of the block has to wait.
    private func sendCurrentBlock(of lane: ShippingLane, now: ContinuousClock.Instant) -> Bool {
        guard let (id, block, start) = lane.current else { return true }
        for index in start..<block.count {
            guard hasRoom(lane) else {
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
        guard let stored = StoredRecord(record.payload), !stored.isSingle else {
            if lane === lanes.main { return park(record, topic: nil, now: now) }
            holdSingle(record)
            return true
        }
        if !lane.faults.isEmpty, var fault = lane.faults[stored.topicName] {
            switch fault.route {
            case .parked: return park(record, topic: stored.topicName, now: now)
            case .held:
                lane.window[position] = .held
                fault.hold(position)
                lane.faults[stored.topicName] = fault
            }
            return true
        }
        switch send(stored, bytes: record.payload.count, block: id, index, lane: lane) {
        case .queued:
            lane.window[position] = .inFlight
            blocks.pin(id, block, lane)
            return true
        case .queueFull: return false
        case .rejected(let error):
            if error.isFatal { return false }
            metrics.deliveryFailures.increment()
            refuse(stored.topicName, at: position, error: error, lane: lane, now: now)
            return true
        }
    }

    /// A record that is queued is to be pinned with its block.
    func send(_ stored: StoredRecord, bytes: Int, block: UInt32, _ index: Int, lane: ShippingLane) -> SendOutcome {
        let outcome = producer.send(
            stored,
            headers: &headers,
            opaque: BlocksInFlight<ShippingLane>.opaque(block, index)
        )
        if outcome == .queued {
            inFlightRecords += 1
            inFlightBytes += bytes
            lane.inFlightRecords += 1
            lane.inFlightBytes += bytes
        }
        return outcome
    }

    private func countFirstReading(of position: UInt64) {
        if position < firstOwnPosition { metrics.recovered.increment() } else { status.readOfThisRun += 1 }
    }
}

extension StoredRecord {
    var topicName: String { String(decoding: topic, as: UTF8.self) }
}
