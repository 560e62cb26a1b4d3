internal import DequeModule
internal import Journal

/// Records on their way to the end of the parked journal, oldest first. Pure.
struct ParkingQueue {
    struct Entry {
        /// The lane that the record leaves: the main one, or the parked one when it only moves to the end.
        let lane: JournalName
        let position: UInt64
        let parked: JournalPosition
        /// `nil`: a record that is parked for its own sake, not for its topic's.
        let topic: String?
        /// Of the payload.
        let bytes: Int
    }

    private var entries: Deque<Entry> = []
    /// Lowest position of the main journal that the parked one did not take.
    private(set) var retryFrom: UInt64?
    private var retryAt: ContinuousClock.Instant?

    var isEmpty: Bool { entries.isEmpty }

    mutating func append(_ entry: Entry) { entries.append(entry) }

    mutating func next(through position: JournalPosition) -> Entry? {
        guard let first = entries.first, first.parked <= position else { return nil }
        return entries.removeFirst()
    }

    mutating func retry(from position: UInt64, at time: ContinuousClock.Instant) {
        retryFrom = min(retryFrom ?? position, position)
        if retryAt == nil { retryAt = time }
    }

    /// Where to read again, when the time has come.
    mutating func retryDue(now: ContinuousClock.Instant) -> UInt64? {
        guard let from = retryFrom, let at = retryAt, now >= at else { return nil }
        retryFrom = nil
        retryAt = nil
        return from
    }
}
