/// What is known of one segment file.
struct SegmentEntry: Sendable {
    let number: UInt64
    /// Made by this process; the others were found at the start.
    let isOwn: Bool
    /// `nil` when the header is unreadable.
    let first: UInt64?
    let marker: Marker?
    /// What the next segment's header, or the checkpoint, says the marker is.
    var hint: Marker?
    /// Frames at or above it were written again, or given up, in a later segment: a failed sync left them here.
    var supersededFrom: UInt64 = .max
    /// The position at which this process began its own segments, all of them above this one.
    var ownFirst: UInt64?
    /// Readable bytes: what is committed, or all there is in a file found at the start.
    var bytes: Int
    /// Bytes on disk.
    var fileBytes: Int
    /// The highest position in it, once known.
    var last: UInt64?
    /// Time of its newest record, milliseconds since 1970; the file's own time while it is not known.
    var newestAt: UInt64
    /// A reader has been through all of it.
    var isExamined = false
    /// Damage below this offset is counted already.
    var damageSeenTo = 0
    /// Damaged ranges not yet copied to `set-aside/`; until then the file stays.
    var pendingSetAside = 0
    /// Blocks of it, or all of it, could not be read, so the file itself is kept when its time is over.
    var hasUnreadableBlocks = false

    /// A position above all that it holds, once that is known well enough to delete it.
    var end: UInt64? {
        if isOwn || isExamined { return last.map { $0 + 1 } ?? 0 }
        return supersededFrom == .max ? ownFirst : supersededFrom
    }
}

extension SegmentEntry {
    /// As if all its records were of one size.
    func bytes(notConfirmedBelow confirmed: UInt64) -> Int {
        guard let first, let end, end > first, confirmed > first else { return fileBytes }
        guard confirmed < end else { return 0 }
        return Int(Double(fileBytes) * Double(end - confirmed) / Double(end - first))
    }
}

/// A piece of a file, or a file, that goes to `set-aside/`.
enum SetAsideJob: Sendable, Equatable {
    case range(segment: UInt64, Range<Int>)
    case file(segment: UInt64)
}

/// Where a reader stands. The position decides; segment and offset only save searching.
struct ReadCursor: Sendable {
    /// What a reader has seen of one segment.
    struct Scan: Sendable {
        let segment: UInt64
        /// It began at the segment's first byte, so at the end it knows all of it.
        let isWhole: Bool
        var records = 0
        var duplicates = 0
        var last: UInt64?
        var newestAt: UInt64 = 0
        var damagedRanges = 0
        var damagedBytes = 0
    }

    /// The lowest position not yet read.
    var position: UInt64
    var segment: UInt64?
    var offset = 0
    var scan: Scan?

    init(position: UInt64) {
        self.position = position
    }

    mutating func enter(_ number: UInt64, at newOffset: Int = 0) {
        if segment != number {
            segment = number
            scan = Scan(segment: number, isWhole: newOffset == 0)
        }
        offset = newOffset
    }
}

enum ReadSource: Sendable {
    case tail([CommittedSlice])
    case segment(SegmentEntry)
    case nothing
}
