internal import DequeModule
internal import Journal
internal import KafkaClient

/// One journal on its way to Kafka: where its reader is, what is under way, which topics refuse.
///
/// There are two lanes, the journal's and that of the parked records. Both belong to the shipper's thread.
final class ShippingLane {
    let name: JournalName
    let journal: Journal
    let reader: JournalReader
    /// Reads single records out of turn, to try a topic that refused.
    private lazy var probeReader: JournalReader = journal.makeReader()
    /// What that has read last. The next record wanted lies mostly there or behind it.
    private var probed: RecordBlock?
    var window: DeliveryWindow
    /// The block being sent, and the next record in it.
    var current: (id: UInt32, block: RecordBlock, index: Int)?
    var faults: [String: TopicFault] = [:]
    /// Set after a read that found nothing new.
    var isIdle = false
    /// The last turn ended before there was nothing more to do.
    var isUnfinished = false
    /// Of the records handed to the producer and not reported, those of this lane.
    var inFlightRecords = 0
    var inFlightBytes = 0
    /// Nothing is sent until all that is in flight has come back: it was taken back, and comes in no order.
    var isTakingBack = false
    /// The oldest record in flight and since when it is that.
    private var oldestInFlight: (position: UInt64, since: ContinuousClock.Instant)?
    private var nextStallCheck: ContinuousClock.Instant?
    /// No reading before this moment: the last try failed for a reason of the journal or of the cluster.
    var pausedUntil: ContinuousClock.Instant?
    private var rewind: UInt64?
    /// All positions below were read, or are given up.
    private var nextExpected: UInt64
    /// Records that were read once and that the journal can no longer read, since this was taken last.
    private var unreadable = 0
    /// First positions of the blocks read, with their times, for the age of the oldest record that waits.
    private var ages: Deque<(position: UInt64, appendedAt: UInt64)> = []
    private var confirmed: UInt64

    init(name: JournalName, journal: Journal) {
        self.name = name
        self.journal = journal
        reader = journal.makeReader()
        let checkpoint = journal.statistics.confirmedBelow.rawValue
        window = DeliveryWindow(base: checkpoint)
        nextExpected = checkpoint
        confirmed = checkpoint
    }

    /// The next reading begins at `position`, if not earlier. What is done or under way is passed over then.
    func rewind(to position: UInt64) {
        rewind = min(rewind ?? position, position)
        isIdle = false
    }

    var wantsToRead: Bool { !isIdle || current != nil }

    func nextBlock(maxBytes: Int) throws(JournalError) -> RecordBlock? {
        if let position = rewind {
            // Never forward: an earlier rewind may still be under way.
            let target = min(position, reader.position.rawValue)
            reader.seek(to: JournalPosition(rawValue: target))
            nextExpected = min(nextExpected, target)
            rewind = nil
        }
        guard let block = try reader.next(maxBytes: maxBytes) else {
            passOver(through: window.end)
            return nil
        }
        if nextExpected < window.end {
            for index in 0..<block.count {
                let found = block[index].position.rawValue
                passOver(through: found)
                nextExpected = found + 1
            }
        }
        nextExpected = max(nextExpected, block.last.rawValue + 1)
        let first = block[0]
        if window.open == 0 { ages.removeAll() }
        if first.position.rawValue > ages.last?.position ?? 0 {
            ages.append((position: first.position.rawValue, appendedAt: first.appendedAt))
        }
        return block
    }

    /// The reader found nothing below `position` that it had not found before. What was there when it came by first is lost.
    private func passOver(through position: UInt64) {
        let end = min(position, window.end)
        guard nextExpected < end else { return }
        unreadable += window.giveUp(nextExpected..<end)
        nextExpected = end
    }

    func takeUnreadable() -> Int {
        defer { unreadable = 0 }
        return unreadable
    }

    /// Gives up the block being sent if a rewind is due.
    func applyRewind() {
        guard let position = rewind else { return }
        if let current { rewind = min(position, current.block[current.index].position.rawValue) }
        current = nil
    }

    /// The record that has been in flight for longer than `patience`, if it is the oldest one. Looks once a second.
    ///
    /// - Parameter ignored: positions that may take as long as they like.
    func stalled(for patience: Duration, except ignored: Set<UInt64>, now: ContinuousClock.Instant) -> UInt64? {
        if let nextStallCheck, now < nextStallCheck { return nil }
        nextStallCheck = now + min(.seconds(1), patience / 4)
        guard let position = window.firstInFlight(except: ignored) else {
            oldestInFlight = nil
            return nil
        }
        guard let oldest = oldestInFlight, oldest.position == position else {
            oldestInFlight = (position, now)
            return nil
        }
        return now - oldest.since >= patience ? position : nil
    }

    func forgetOldestInFlight() { oldestInFlight = nil }

    /// The record at `position`, if it can still be read, in the block that it was read with.
    func record(at position: UInt64) throws(JournalError) -> (block: RecordBlock, index: Int)? {
        if let probed, let index = probed.index(of: position) { return (probed, index) }
        let target = JournalPosition(rawValue: position)
        // Going to a position means reading its segment from the beginning, so read on where that is likely to be less.
        var left = probed.map { target > $0.last } ?? false ? Self.readOnBytes : 0
        if left == 0 { probeReader.seek(to: target) }
        repeat {
            probed = nil
            // So much at once that some records behind it are there as well when they are wanted.
            probed = try probeReader.next(maxBytes: 64 << 10)
            left -= probed?.memoryBytes ?? 0
            if left <= 0, let found = probed, found.last < target { probeReader.seek(to: target) }
        } while probed.map { $0.last < target } ?? false
        guard let probed, let index = probed.index(of: position) else { return nil }
        return (probed, index)
    }

    /// What is not found in so many bytes is gone to.
    private static let readOnBytes = 16 << 20

    /// Tells the journal how far everything is done. The journal makes it durable before it deletes anything.
    func confirm() {
        guard window.base > confirmed else { return }
        confirmed = window.base
        journal.confirm(below: JournalPosition(rawValue: confirmed))
        while ages.count > 1, ages[1].position <= confirmed { ages.removeFirst() }
    }

    /// When the oldest record that is not done was appended, in milliseconds since 1970.
    var oldestAppendedAt: UInt64? { window.open > 0 ? ages.first?.appendedAt : nil }

    /// Holds a record that was refused. Returns whether its topic had taken its records until now.
    func hold(_ position: UInt64, topic: String, error: KafkaError, now: ContinuousClock.Instant) -> Bool {
        window[position] = .held
        let isNew = faults[topic] == nil
        var fault = faults[topic] ?? TopicFault(route: .held, now: now)
        fault.hold(position)
        fault.refused(position, error, now: now)
        faults[topic] = fault
        // Parked topics are read again at once, so that the record follows the others.
        if fault.route == .parked { rewind(to: position) }
        return isNew
    }
}

extension RecordBlock {
    fileprivate func index(of position: UInt64) -> Int? {
        let target = JournalPosition(rawValue: position)
        guard first <= target, target <= last else { return nil }
        var candidates = 0..<count
        while let middle = candidates.isEmpty ? nil : candidates.lowerBound + candidates.count / 2 {
            let found = self[middle].position
            if found == target { return middle }
            candidates = found < target ? middle + 1..<candidates.upperBound : candidates.lowerBound..<middle
        }
        return nil
    }
}
