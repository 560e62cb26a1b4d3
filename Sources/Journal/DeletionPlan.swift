/// Which segments may go, oldest first and without a gap.
struct DeletionPlan: Equatable {
    struct Item: Equatable {
        let number: UInt64
        /// The durable checkpoint must be at least here before the file is unlinked.
        let end: UInt64
        let keepsFile: Bool
        let bytes: Int
    }

    var items: [Item] = []
    /// Wall time in milliseconds when the retention of the next one is over.
    var nextExpiry: UInt64?

    /// - Parameters:
    ///   - reclaim: Bytes wanted back at once; for their sake confirmed segments are given up before their time.
    init(_ shelf: SegmentShelf, confirmedBelow: UInt64, wallTime: UInt64, retainMilliseconds: UInt64, reclaim: Int) {
        var freed = 0
        for entry in shelf.segments {
            guard entry.number != shelf.active, entry.pendingSetAside == 0, let end = entry.end, end <= confirmedBelow
            else { return }
            let expiry = entry.newestAt &+ retainMilliseconds
            if end > 0, expiry > wallTime, retainMilliseconds > 0, freed >= reclaim {
                nextExpiry = expiry
                return
            }
            freed += entry.fileBytes
            items.append(
                Item(number: entry.number, end: end, keepsFile: entry.hasUnreadableBlocks, bytes: entry.fileBytes)
            )
        }
    }
}

/// When the next checkpoint is due.
struct CheckpointSchedule {
    let interval: UInt64
    private(set) var lastWrite: UInt64?

    init(interval: UInt64) {
        self.interval = interval
    }

    mutating func wrote(at now: UInt64) {
        lastWrite = now
    }

    /// The monotonic time from which a changed checkpoint may be written. The first one after a pause goes at once; under
    /// load one goes each interval; when everything is confirmed, a quarter of the interval is enough.
    func due(isWhollyConfirmed: Bool) -> UInt64 {
        guard let lastWrite else { return 0 }
        return lastWrite &+ (isWhollyConfirmed ? interval / 4 : interval)
    }
}
