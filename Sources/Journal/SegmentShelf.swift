import DequeModule

/// The table of segments, the in-memory tail, and the accounts of the disk. A plain value under the journal's second lock,
/// which is taken once a commit and once a read, never by an append.
struct SegmentShelf {
    /// Ascending numbers, the open one last.
    private(set) var segments: [SegmentEntry]
    private(set) var active: UInt64?
    private(set) var tail: CommittedTail
    private(set) var nextNumber: UInt64
    private(set) var diskBytes: Int
    private(set) var setAsideJobs = Deque<SetAsideJob>()
    var recovery: RecoveryStatistics
    private(set) var committedRecords = 0
    private(set) var committedBytes = 0

    /// The last committed position of this process.
    private(set) var lastCommitted: UInt64?

    private static let maxSetAsideJobs = 1024

    init(found: [SegmentEntry], nextNumber: UInt64, tail: CommittedTail, recovery: RecoveryStatistics) {
        segments = found
        self.nextNumber = nextNumber
        self.tail = tail
        self.recovery = recovery
        diskBytes = found.reduce(0) { $0 + $1.fileBytes }
    }

    // MARK: Writing

    mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    mutating func begin(_ header: SegmentHeader) {
        for index in segments.indices.reversed() where !segments[index].isOwn && segments[index].ownFirst == nil {
            segments[index].ownFirst = header.first
        }
        segments.append(
            SegmentEntry(
                number: header.number,
                isOwn: true,
                first: header.first,
                marker: header.marker,
                bytes: SegmentHeader.bytes,
                fileBytes: SegmentHeader.bytes,
                newestAt: header.createdAt
            )
        )
        active = header.number
        diskBytes += SegmentHeader.bytes
    }

    /// Publishes a batch to the readers. Returns memory to be freed outside the lock.
    mutating func commit(_ batch: Batch, newestAt: UInt64) -> [CommittedSlice] {
        guard let index = segments.indices.last, segments[index].number == active else { return [] }
        var left: [CommittedSlice] = []
        for slice in batch.slices {
            let offset = segments[index].bytes
            left += tail.append(CommittedSlice(memory: slice, segment: segments[index].number, fileOffset: offset))
            segments[index].bytes += slice.range.count
        }
        segments[index].fileBytes = segments[index].bytes
        segments[index].last = batch.last
        segments[index].newestAt = newestAt
        diskBytes += batch.bytes
        committedRecords += batch.records
        lastCommitted = batch.last
        committedBytes += batch.bytes
        return left
    }

    /// The open segment is written no more. `fileBytes`: its size on disk, where that may differ from what is committed.
    mutating func seal(fileBytes: Int? = nil) {
        active = nil
        guard let index = segments.indices.last, let fileBytes else { return }
        diskBytes += fileBytes - segments[index].fileBytes
        segments[index].fileBytes = fileBytes
    }

    mutating func remove(_ number: UInt64) {
        guard let index = index(of: number) else { return }
        diskBytes -= segments[index].fileBytes
        segments.remove(at: index)
    }

    // MARK: Reading

    func index(of number: UInt64) -> Int? {
        let index = firstIndex(from: number)
        return index < segments.count && segments[index].number == number ? index : nil
    }

    /// Where the reader goes on; moves the cursor over what is read to its end or gone. Segments that it has been through
    /// for the first time are returned for the report.
    mutating func source(for cursor: inout ReadCursor, maxBytes: Int) -> (ReadSource, recovered: [RecoveryReport]) {
        var recovered: [RecoveryReport] = []
        while true {
            if cursor.position >= tail.start, !isWithinEarlierRun(cursor) {
                let slices = tail.slices(from: cursor.position, maxBytes: maxBytes)
                return (slices.isEmpty ? .nothing : .tail(slices), recovered)
            }
            guard let index = indexToRead(&cursor) else {
                cursor.position = tail.start
                continue
            }
            if cursor.offset < segments[index].bytes { return (.segment(segments[index]), recovered) }
            if let report = finish(index, cursor.scan) { recovered.append(report) }
            if index + 1 < segments.count {
                let next = segments[index + 1]
                cursor.enter(next.number)
                cursor.position = max(cursor.position, next.first ?? 0)
            } else {
                // All that is on disk is read; the rest is in the tail.
                cursor.position = max(cursor.position, tail.start)
            }
        }
    }

    /// Half-way through a segment of an earlier run. It is read to its end even if no wanted record can follow, for what is
    /// damaged there to be noticed and for the segment to be deletable.
    private func isWithinEarlierRun(_ cursor: ReadCursor) -> Bool {
        guard let number = cursor.segment, cursor.scan?.isWhole == true, let index = index(of: number) else {
            return false
        }
        return !segments[index].isOwn && !segments[index].isExamined
    }

    private func indexToRead(_ cursor: inout ReadCursor) -> Int? {
        if let number = cursor.segment {
            let index = firstIndex(from: number)
            guard index < segments.count else { return nil }
            if segments[index].number != number { cursor.enter(segments[index].number) }
            return index
        }
        let index = segments.lastIndex { $0.first.map { $0 <= cursor.position } ?? false } ?? segments.indices.first
        if let index { cursor.enter(segments[index].number) }
        return index
    }

    private mutating func finish(_ index: Int, _ scan: ReadCursor.Scan?) -> RecoveryReport? {
        guard !segments[index].isOwn, !segments[index].isExamined, let scan, scan.isWhole,
            scan.segment == segments[index].number
        else { return nil }
        segments[index].isExamined = true
        segments[index].last = scan.last
        if scan.newestAt > 0 { segments[index].newestAt = scan.newestAt }
        recovery.segmentsExamined += 1
        recovery.records += scan.records
        recovery.duplicatesSkipped += scan.duplicates
        return RecoveryReport(
            segment: scan.segment,
            records: scan.records,
            duplicatesSkipped: scan.duplicates,
            damagedRanges: scan.damagedRanges,
            damagedBytes: scan.damagedBytes,
            segmentsLeft: recovery.segmentsFound - recovery.segmentsExamined
        )
    }

    private func firstIndex(from number: UInt64) -> Int {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Damage

    /// Counts a damaged range, once, and has it copied if the file is there. Returns whether it was new.
    mutating func damaged(_ number: UInt64, _ range: Range<Int>, isThere: Bool = true) -> Bool {
        guard let index = index(of: number), range.lowerBound >= segments[index].damageSeenTo else { return false }
        segments[index].damageSeenTo = range.upperBound
        recovery.damagedRanges += 1
        recovery.damagedBytes += range.count
        if isThere, setAsideJobs.count < Self.maxSetAsideJobs {
            segments[index].pendingSetAside += 1
            setAsideJobs.append(.range(segment: number, range))
        } else {
            recovery.damagedBytesNotKept += range.count
        }
        return true
    }

    mutating func hasUnreadableBlocks(_ number: UInt64) {
        guard let index = index(of: number) else { return }
        segments[index].hasUnreadableBlocks = true
    }

    mutating func setAside(_ job: SetAsideJob) {
        setAsideJobs.append(job)
    }

    var nextSetAsideJob: SetAsideJob? { setAsideJobs.first }

    mutating func finishedSetAsideJob() {
        guard case .range(let number, _)? = setAsideJobs.popFirst(), let index = index(of: number) else { return }
        segments[index].pendingSetAside -= 1
    }
}

extension SegmentShelf {
    /// Bytes of the files that cannot be given up, as they hold a record not confirmed or follow one that does, and of these
    /// records alone. Looks at the others only, of which there are few unless segments are retained.
    func bytes(notConfirmedBelow confirmed: UInt64) -> (held: Int, unconfirmed: Int) {
        var held = diskBytes
        for entry in segments {
            guard let end = entry.end, end <= confirmed else {
                return (held, held - entry.fileBytes + entry.bytes(notConfirmedBelow: confirmed))
            }
            held -= entry.fileBytes
        }
        return (held, held)
    }

    /// The open segment has records, and all of them are confirmed.
    func isActiveConfirmed(below confirmed: UInt64) -> Bool {
        guard let entry = segments.last, entry.number == active, let last = entry.last else { return false }
        return last < confirmed
    }
}
