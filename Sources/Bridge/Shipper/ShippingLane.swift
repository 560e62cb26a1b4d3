internal import DequeModule
internal import Journal
internal import KafkaClient

/// One journal on its way to Kafka: where its reader is, what is under way, which topics refuse.
///
/// There are two lanes, the journal's and that of the parked records. Both belong to the shipper's thread.
final class ShippingLane {
    enum Name: String {
        case main
        case parked
    }

    let name: Name
    let journal: Journal
    let reader: JournalReader
    /// Reads single records out of turn, to try a topic that refused.
    private lazy var probeReader: JournalReader = journal.makeReader()
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
    /// The checkpoint's position and since when it is there.
    private var stand: (position: UInt64, since: ContinuousClock.Instant)?
    /// No reading before this moment: the last try failed for a reason of the journal or of the cluster.
    var pausedUntil: ContinuousClock.Instant?
    private var rewind: UInt64?
    /// First positions of the blocks read, with their times, for the age of the oldest record that waits.
    private var ages: Deque<(position: UInt64, appendedAt: UInt64)> = []
    private var confirmed: UInt64

    init(name: Name, journal: Journal) {
        self.name = name
        self.journal = journal
        reader = journal.makeReader()
        let checkpoint = journal.statistics.confirmedBelow.rawValue
        window = DeliveryWindow(base: checkpoint)
        confirmed = checkpoint
    }

    /// The next reading begins at `position`, if not earlier. What is done or under way is passed over then.
    func rewind(to position: UInt64) { rewind = min(rewind ?? position, position) }

    var wantsToRead: Bool { !isIdle || rewind != nil || current != nil }

    func nextBlock(maxBytes: Int) throws(JournalError) -> RecordBlock? {
        if let position = rewind {
            // Never forward: an earlier rewind may still be under way.
            reader.seek(to: min(JournalPosition(rawValue: position), reader.position))
            rewind = nil
        }
        guard let block = try reader.next(maxBytes: maxBytes) else { return nil }
        let first = block[0]
        if window.open == 0 { ages.removeAll() }
        if first.position.rawValue > ages.last?.position ?? 0 {
            ages.append((position: first.position.rawValue, appendedAt: first.appendedAt))
        }
        return block
    }

    /// Gives up the block being sent if a rewind is due.
    func applyRewind() {
        guard let position = rewind else { return }
        if let current { rewind = min(position, current.block[current.index].position.rawValue) }
        current = nil
    }

    /// How long the lowest position that is not done has been that. Not before this is asked regularly.
    func timeAtBase(now: ContinuousClock.Instant) -> Duration {
        if let stand, stand.position == window.base, window.open > 0 { return now - stand.since }
        stand = (window.base, now)
        return .zero
    }

    /// The record at `position`, if it can still be read.
    func record(at position: UInt64) throws(JournalError) -> RecordBlock? {
        probeReader.seek(to: JournalPosition(rawValue: position))
        // Much at once: the reader looks for the position from the beginning of its segment, block by block.
        guard let block = try probeReader.next(maxBytes: 256 << 10), block[0].position.rawValue == position else {
            return nil
        }
        return block
    }

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
