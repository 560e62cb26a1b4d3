import DequeModule

/// What the commit thread takes out of the queue at once: memory that holds whole frames one after the other, with
/// consecutive positions.
struct Batch: Sendable {
    struct Slice: Sendable {
        let chunk: Chunk
        var range: Range<Int>
        var first: UInt64
        var records: Int

        var last: UInt64 { first + UInt64(records) - 1 }
    }

    var slices: [Slice] = []
    var bytes = 0
    var records = 0
    var first: UInt64 = 0
    /// For each appender that takes part, the last of its positions.
    var settled: [Settlement] = []

    var last: UInt64 { first + UInt64(records) - 1 }
}

struct Settlement: Sendable, Equatable {
    let appender: Int
    let through: UInt64
}

/// What the commit thread knows when it asks what to do next.
struct CommitConditions {
    struct Active {
        var bytes: Int
        var hasRecords: Bool
        var positionLimit: UInt64
        /// All its records are confirmed, so a new segment would set it free.
        var isFreeable: Bool
    }

    var now: UInt64
    /// Bytes that may still be written.
    var room: Int
    var segmentBytes: Int
    var batchBytes: Int
    var positionsPerSegment: UInt64
    /// `nil` while there is no segment to write to.
    var active: Active?
}

enum CommitStep {
    /// Write these; first begin a new segment if `roll`.
    case commit(Batch, roll: Bool)
    /// Begin a new segment whose first position is this, so that the full one can be deleted.
    case rollToFree(first: UInt64)
    /// These failed without reaching the disk.
    case fail(Batch, AppendFailure)
    /// Nothing to do before this time (or ever), or before the bell rings. `wanted` bytes of room are missing.
    case sleep(until: UInt64?, wanted: Int)
    /// Closed, and nothing is left.
    case finish
}

/// The one queue of appends that are not committed: gives positions, holds the payloads, and decides what is next.
///
/// It stands under the journal's only contended lock, so it does little: a copy of the payload, a few numbers, no
/// allocation but a new chunk now and then. Arrival order is the only order: while the oldest append waits for room, so do
/// all behind it.
struct StagingQueue {
    private struct Entry {
        let bytes: Int
        let appender: Int
        let deadline: UInt64
    }

    private struct Region {
        let chunk: Chunk
        var range: Range<Int>
    }

    private struct Appender {
        let breaksOff: Bool
        /// The last position handed out in a batch.
        var through: UInt64 = 0
        var isBrokenOff = false
        /// What it appended below this fails.
        var failsBelow: UInt64 = 0
    }

    private let maxPendingBytes: Int
    private let chunkBytes: Int
    private var entries = Deque<Entry>()
    private var regions = Deque<Region>()
    private var appenders: [Appender] = []
    private var isIdle = false
    private var wake = false

    private(set) var isClosing = false
    private(set) var nextPosition: UInt64
    /// Bytes of frames appended and neither committed nor failed, the ones being written included.
    private(set) var pendingBytes = 0
    private(set) var appended = 0

    init(maxPendingBytes: Int, chunkBytes: Int, nextPosition: UInt64) {
        self.maxPendingBytes = maxPendingBytes
        self.chunkBytes = chunkBytes
        self.nextPosition = nextPosition
    }

    /// Appends in the queue, without those being written.
    var waiting: Int { entries.count }

    /// The position of the oldest append in the queue, or of the next one.
    var frontPosition: UInt64 { nextPosition - UInt64(entries.count) }

    var isEmptyAndOpen: Bool { entries.isEmpty && !isClosing }

    /// Indices come in any order, but each is added before it is used.
    mutating func addAppender(_ index: Int, breaksOff: Bool = false) {
        while appenders.count <= index { appenders.append(Appender(breaksOff: false)) }
        appenders[index] = Appender(breaksOff: breaksOff)
    }

    /// The batch has failed: what its appenders that break off have appended since fails as well.
    mutating func breakOff(_ batch: Batch) {
        for settlement in batch.settled where appenders[settlement.appender].breaksOff {
            appenders[settlement.appender].isBrokenOff = true
            appenders[settlement.appender].failsBelow = nextPosition
        }
    }

    mutating func resume(_ appender: Int) -> Bool {
        guard frontPosition >= appenders[appender].failsBelow else { return false }
        appenders[appender].isBrokenOff = false
        return true
    }

    mutating func append(
        _ payload: UnsafeRawBufferPointer,
        stampAt: Int?,
        appender: Int,
        appendedAt: UInt64,
        deadline: UInt64
    ) -> AppendResult {
        guard !isClosing else { return .refused(.closed) }
        guard !appenders[appender].isBrokenOff else { return .refused(.brokenOff) }
        let bytes = Frame.headerBytes + payload.count
        // An append alone is taken whatever its size, or a large one could never be.
        guard pendingBytes == 0 || pendingBytes + bytes <= maxPendingBytes else { return .refused(.overloaded) }
        let position = nextPosition
        let frame = reserve(bytes)
        Frame.lay(payload: payload, position: position, appendedAt: appendedAt, stampAt: stampAt, to: frame)
        entries.append(Entry(bytes: bytes, appender: appender, deadline: deadline))
        nextPosition += 1
        pendingBytes += bytes
        appended += 1
        if isIdle {
            isIdle = false
            wake = true
        }
        return .pending(JournalPosition(position))
    }

    /// Whether the commit thread sleeps for want of work and must be woken; says so once.
    mutating func takeWake() -> Bool {
        defer { wake = false }
        return wake
    }

    mutating func close() {
        isClosing = true
    }

    /// The batch handed out last is committed or has failed.
    mutating func settle(_ batch: Batch) {
        pendingBytes -= batch.bytes
    }

    mutating func nextStep(_ conditions: CommitConditions) -> CommitStep {
        guard let front = entries.first else {
            if isClosing { return .finish }
            isIdle = true
            return .sleep(until: nil, wanted: 0)
        }
        let failing = failsBelow
        if Self.fails(front, frontPosition, failing) {
            return .fail(take { entry, _, position in Self.fails(entry, position, failing) }, .brokenOff)
        }
        if front.bytes <= conditions.room { return commit(conditions) }
        if let active = conditions.active, active.isFreeable { return .rollToFree(first: frontPosition) }
        if isClosing { return .fail(take { _, _, _ in true }, .closed) }
        if front.deadline <= conditions.now {
            return .fail(take { entry, _, _ in entry.deadline <= conditions.now }, .full)
        }
        return .sleep(until: front.deadline, wanted: front.bytes - conditions.room)
    }

    /// By appender; empty while there is nothing to fail in the queue.
    private var failsBelow: [UInt64] {
        let front = frontPosition
        return appenders.contains { $0.failsBelow > front } ? appenders.map(\.failsBelow) : []
    }

    private static func fails(_ entry: Entry, _ position: UInt64, _ failsBelow: [UInt64]) -> Bool {
        !failsBelow.isEmpty && position < failsBelow[entry.appender]
    }

    private mutating func commit(_ conditions: CommitConditions) -> CommitStep {
        let front = frontPosition
        var roll = false
        var segmentRoom = conditions.segmentBytes - SegmentHeader.bytes
        var positionLimit = front + conditions.positionsPerSegment
        if let active = conditions.active {
            let rest = conditions.segmentBytes - active.bytes
            if front >= active.positionLimit || active.hasRecords && (entries.first?.bytes ?? 0) > rest {
                roll = true
            } else {
                segmentRoom = rest
                positionLimit = active.positionLimit
            }
        }
        let limit = min(conditions.room, segmentRoom, conditions.batchBytes)
        let room = conditions.room
        let failing = failsBelow
        // The first record is taken even if it is larger than a whole segment, but never beyond the quota.
        let batch = take { entry, bytes, position in
            position < positionLimit && !Self.fails(entry, position, failing)
                && (bytes + entry.bytes <= limit || bytes == 0 && entry.bytes <= room)
        }
        return .commit(batch, roll: roll)
    }

    /// Removes the longest prefix that `admits` (entry, bytes before it, its position).
    private mutating func take(while admits: (Entry, Int, UInt64) -> Bool) -> Batch {
        var batch = Batch()
        batch.first = frontPosition
        while let entry = entries.first, admits(entry, batch.bytes, batch.first + UInt64(batch.records)) {
            entries.removeFirst()
            takeMemory(of: entry, position: batch.first + UInt64(batch.records), into: &batch)
            batch.bytes += entry.bytes
            batch.records += 1
            appenders[entry.appender].through = batch.last
        }
        for (index, appender) in appenders.enumerated() where appender.through >= batch.first && appender.through > 0 {
            batch.settled.append(Settlement(appender: index, through: appender.through))
        }
        return batch
    }

    private mutating func takeMemory(of entry: Entry, position: UInt64, into batch: inout Batch) {
        while let region = regions.first, region.range.isEmpty, regions.count > 1 { regions.removeFirst() }
        let region = regions[0]
        let end = region.range.lowerBound + entry.bytes
        regions[0].range = end..<region.range.upperBound
        if let last = batch.slices.last, last.chunk === region.chunk, last.range.upperBound == region.range.lowerBound {
            batch.slices[batch.slices.count - 1].range = last.range.lowerBound..<end
            batch.slices[batch.slices.count - 1].records += 1
        } else {
            batch.slices.append(
                Batch.Slice(chunk: region.chunk, range: region.range.lowerBound..<end, first: position, records: 1)
            )
        }
    }

    private mutating func reserve(_ bytes: Int) -> UnsafeMutableRawPointer {
        if let last = regions.last, last.chunk.capacity - last.range.upperBound >= bytes {
            let start = last.range.upperBound
            regions[regions.count - 1].range = last.range.lowerBound..<(start + bytes)
            return last.chunk.base + start
        }
        let chunk = Chunk(capacity: max(bytes, chunkBytes))
        regions.append(Region(chunk: chunk, range: 0..<bytes))
        return chunk.base
    }
}
