/// What a start decides from the names, sizes and headers of the segments found, and the checkpoint. No record is read, so
/// it takes the same time whatever the journal holds.
struct StartPlan: Sendable {
    /// One file, as listed.
    struct Found: Sendable {
        let number: UInt64
        let bytes: Int
        let modifiedAt: UInt64
        let header: SegmentHeader.Reading
    }

    var identity: UInt64
    /// Ascending.
    var segments: [SegmentEntry]
    var newerVersions: [UInt64]
    var nextNumber: UInt64
    /// Above every position that was ever given, as far as that can be known.
    var next: UInt64
    var confirmedBelow: UInt64
    /// The checkpoint on disk must be replaced before a new segment is begun.
    var mustReplaceCheckpoint: Bool
    var recovery = RecoveryStatistics()
    /// Numbers of segments that are gone with what was not confirmed in them, ascending.
    var missing: [UInt64]

    /// Positions beyond this are taken for nonsense, so that a journal can never run out of them.
    static let highestCredible: UInt64 = 1 << 62

    init(found unsorted: [Found], checkpoint: Checkpoint?, positionsPerSegment: UInt64, freshIdentity: UInt64) {
        let found = unsorted.sorted { $0.number < $1.number }
        let headers = found.map { file -> SegmentHeader? in
            guard case .valid(let header) = file.header else { return nil }
            return header
        }
        let knownIdentity = headers.lazy.compactMap { $0?.journal }.last
        identity = knownIdentity ?? checkpoint?.journal ?? freshIdentity
        newerVersions = found.filter { if case .newer = $0.header { true } else { false } }.map(\.number)
        let highest = found.last
        nextNumber = max(highest?.number ?? 0, checkpoint?.lastSegment ?? 0) + 1

        let segmentsEnd = Self.end(of: found, positionsPerSegment: positionsPerSegment)
        next = segmentsEnd
        confirmedBelow = 0
        mustReplaceCheckpoint = false
        recovery.checkpoint = found.isEmpty ? .none : .unreadable
        if let checkpoint, checkpoint.below <= checkpoint.next, checkpoint.next <= Self.highestCredible {
            let isLast = checkpoint.lastSegment == highest?.number
            let isComplete = isLast && checkpoint.lastSegmentBytes <= UInt64(highest?.bytes ?? 0)
            let isClean = checkpoint.isClean && checkpoint.journal == identity && (isComplete || found.isEmpty)
            let isAhead =
                checkpoint.journal != identity || checkpoint.below > segmentsEnd || isLast && !isComplete
                || checkpoint.lastSegment > (highest?.number ?? 0)
                    && checkpoint.lastSegmentBytes > UInt64(SegmentHeader.bytes)
            if isClean || found.isEmpty || !isAhead {
                confirmedBelow = checkpoint.below
                recovery.checkpoint = .used
            } else {
                recovery.checkpoint = .notCredible
                mustReplaceCheckpoint = true
            }
            next = isClean ? checkpoint.next : max(segmentsEnd, checkpoint.next)
        } else if checkpoint != nil {
            recovery.checkpoint = found.isEmpty ? .none : .notCredible
            mustReplaceCheckpoint = true
        }
        next = max(next, JournalPosition.first.rawValue)
        segments = Self.entries(found, headers)
        for index in segments.indices where segments[index].number == checkpoint?.lastSegment {
            segments[index].hint = segments[index].hint ?? checkpoint?.marker
        }
        recovery.segmentsFound = segments.count
        recovery.lastWrittenAt = found.lazy.filter { $0.bytes > SegmentHeader.bytes }.map(\.modifiedAt).max()
        recovery.segmentsExamined = segments.count { $0.isExamined }
        missing = Self.missing(found, headers, confirmedBelow: confirmedBelow)
        recovery.segmentsMissing = missing.count
    }

    private static func end(of found: [Found], positionsPerSegment: UInt64) -> UInt64 {
        guard let highest = found.last?.number else { return 0 }
        for file in found.reversed() {
            let limit: UInt64
            switch file.header {
            case .valid(let header): limit = header.limit
            case .newer(_, let newerLimit): limit = newerLimit
            case .damaged: continue
            }
            guard limit <= highestCredible else { continue }
            let (skipped, isTooFar) = (highest - file.number).multipliedReportingOverflow(by: positionsPerSegment)
            // A file name may hold any number.
            guard !isTooFar, skipped <= highestCredible else { continue }
            return limit + skipped
        }
        // No header is readable. The numbers began at 1, as the positions did.
        return 1 + min(highest, highestCredible / positionsPerSegment) * positionsPerSegment
    }

    private static func entries(_ found: [Found], _ headers: [SegmentHeader?]) -> [SegmentEntry] {
        var entries: [SegmentEntry] = []
        var nextFirst = UInt64.max
        for (file, header) in zip(found, headers).reversed() {
            if case .newer = file.header { continue }
            var entry = SegmentEntry(
                number: file.number,
                isOwn: false,
                first: header?.first,
                marker: header?.marker,
                bytes: file.bytes,
                fileBytes: file.bytes,
                newestAt: file.modifiedAt
            )
            let next = headers.lazy.compactMap { $0 }.first { $0.previousNumber == file.number }
            entry.hint = next.map(\.previousMarker).flatMap { $0.isPlausible ? $0 : nil }
            entry.supersededFrom = nextFirst
            entry.isExamined = file.bytes == 0 || header != nil && file.bytes <= SegmentHeader.bytes
            if let header { nextFirst = min(nextFirst, header.first) }
            entries.append(entry)
        }
        return entries.reversed()
    }

    /// Every header names the segment before it, so a gap in the numbers is told from a loss. What a power loss made of
    /// deletions, of confirmed segments only, is none.
    private static func missing(_ found: [Found], _ headers: [SegmentHeader?], confirmedBelow: UInt64) -> [UInt64] {
        guard let oldest = found.first?.number else { return [] }
        let numbers = Set(found.map(\.number))
        let absent = headers.compactMap { header -> UInt64? in
            guard let header, header.first > confirmedBelow, header.previousNumber > oldest,
                !numbers.contains(header.previousNumber)
            else { return nil }
            return header.previousNumber
        }
        return Set(absent).sorted()
    }
}
