/// A journal's directory as it lies there, live or dead. Looking changes nothing and holds no lock.
package struct JournalDirectory: Sendable {
    package struct Segment: Sendable {
        package enum Header: Sendable, Equatable {
            case intact(first: JournalPosition, createdAt: UInt64)
            case newerVersion(UInt32)
            case damaged
        }

        package let number: UInt64
        package let name: String
        package let bytes: Int
        package let header: Header
        /// Records at or above it are again in a later segment, or were given up. `nil`: it is the last one.
        package let supersededFrom: JournalPosition?
        fileprivate let hint: Marker?

        /// The file's name in a journal's directory.
        package static func name(of number: UInt64) -> String { DirectoryLayout.segmentName(number) }
    }

    /// What lies at a place of a segment.
    package enum Finding {
        /// What a start of the bridge would read.
        case records(RecordBlock)
        /// So many intact frames whose records a later segment has again, or that were given up.
        case repeated(Int)
        /// Bytes that are no intact frame.
        case damage(Range<Int>)
        /// The end of the newest segment of a live journal, which is being written.
        case unfinished(Range<Int>)
        /// The file is gone: its journal is live and has deleted it, as everything in it was confirmed.
        case deleted
    }

    package let path: String
    /// Ascending numbers.
    package let segments: [Segment]
    /// Everything below is confirmed; `nil` without a checkpoint that a start would believe.
    package let confirmedBelow: JournalPosition?
    /// What a start would say of the checkpoint.
    package let checkpoint: RecoveryStatistics.CheckpointReading
    package let hasCheckpointFile: Bool
    /// The checkpoint was written by a close, and nothing was appended after it.
    package let isCleanlyClosed: Bool
    /// Numbers of segments that are gone although older ones exist.
    package let missingSegments: [UInt64]
    /// Files in `set-aside/`.
    package let setAside: [FileEntry]
    /// A journal has it open: the newest frames may be seen half written.
    package let isInUse: Bool
    private let fileSystem: any FileSystem

    /// - Parameter isLockedByCaller: The caller holds its lock, so that it is in nobody else's use.
    package init(
        inspecting path: String,
        isLockedByCaller: Bool = false,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) throws(JournalError) {
        self.path = path
        self.fileSystem = fileSystem
        let layout = DirectoryLayout(directory: path)
        do throws(FileSystemError) {
            // First the lock, then the checkpoint, then the segments: what comes later is never older.
            isInUse = isLockedByCaller ? false : Self.isLocked(layout, fileSystem)
            let checkpoint = CheckpointFile(layout: layout, fileSystem: fileSystem).load()
            let found = try JournalStart.find(layout, fileSystem).segments
            let plan = StartPlan(found: found, checkpoint: checkpoint, positionsPerSegment: 1 << 20, freshIdentity: 0)
            let entries = Dictionary(plan.segments.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
            segments = found.sorted { $0.number < $1.number }.map { file in
                let header: Segment.Header =
                    switch file.header {
                    case .valid(let header):
                        .intact(first: JournalPosition(header.first), createdAt: header.createdAt)
                    case .newer(let version, _): .newerVersion(version)
                    case .damaged: .damaged
                    }
                let entry = entries[file.number]
                return Segment(
                    number: file.number,
                    name: DirectoryLayout.segmentName(file.number),
                    bytes: file.bytes,
                    header: header,
                    supersededFrom: entry.flatMap {
                        $0.supersededFrom == .max ? nil : JournalPosition($0.supersededFrom)
                    },
                    hint: entry?.hint
                )
            }
            self.checkpoint = plan.recovery.checkpoint
            let file = try? fileSystem.open(layout.checkpoint, .read)
            if let file { fileSystem.close(file) }
            hasCheckpointFile = file != nil
            confirmedBelow = plan.recovery.checkpoint == .used ? JournalPosition(plan.confirmedBelow) : nil
            isCleanlyClosed = checkpoint.map { $0.isClean && $0.lastSegment == plan.nextNumber - 1 } ?? false
            missingSegments = plan.missing
            let kept = (try? fileSystem.entries(of: layout.setAside)) ?? []
            setAside = kept.filter(\.isFile).sorted { $0.name < $1.name }
        } catch {
            throw JournalError(error)
        }
    }

    /// Asks for the lock and gives it back at once: there is no other way to see one that is held in another container.
    private static func isLocked(_ layout: DirectoryLayout, _ fileSystem: any FileSystem) -> Bool {
        guard let file = try? fileSystem.open(layout.lock, .read) else { return false }
        defer { fileSystem.close(file) }
        return (try? fileSystem.tryLock(file)) == false
    }

    /// Calls `body` with what lies in a segment, in order, and with the offset at which it ends: blocks of at most
    /// `maxBytes` of frames (or one record), damaged ranges. Ends early when `body` returns false.
    package func read(
        _ segment: Segment,
        maxBytes: Int = 1 << 20,
        _ body: (Finding, _ end: Int) -> Bool
    ) throws(JournalError) {
        if case .newerVersion = segment.header { return }
        do throws(FileSystemError) {
            try readItems(segment, maxBytes, body)
        } catch {
            if isInUse, error.isMissing {
                _ = body(.deleted, segment.bytes)
                return
            }
            throw JournalError(error)
        }
    }

    private func readItems(
        _ segment: Segment,
        _ maxBytes: Int,
        _ body: (Finding, _ end: Int) -> Bool
    ) throws(FileSystemError) {
        let reader = try SegmentReader("\(path)/\(segment.name)", fileSystem: fileSystem, hint: segment.hint)
        reader.takesUnreadableAsDamage = true
        var offset = reader.headerBytes
        if case .damaged = reader.header, offset > 0 {
            guard body(.damage(0..<offset), offset) else { return }
        }
        var last: JournalPosition?
        while true {
            switch try reader.item(at: offset, limit: reader.bytes, maxBytes: maxBytes) {
            case .end: return
            case .damage(let range):
                offset = range.upperBound
                let isUnfinished = isInUse && offset == reader.bytes && segment.number == segments.last?.number
                guard body(isUnfinished ? .unfinished(range) : .damage(range), offset) else { return }
            case .records(let block, let end):
                offset = end
                let kept = block.indices(after: last, below: segment.supersededFrom)
                if kept.count < block.count {
                    guard body(.repeated(block.count - kept.count), offset) else { return }
                }
                guard let newest = kept.last else { continue }
                last = block[newest].position
                guard body(.records(kept.count == block.count ? block : block.selecting(kept)), offset) else { return }
            }
        }
    }
}

extension RecordBlock {
    /// The records that a reader takes: rising, and not again in a later segment.
    fileprivate func indices(after last: JournalPosition?, below limit: JournalPosition?) -> [Int] {
        var last = last
        return (0..<count).filter { index in
            let position = self[index].position
            guard limit.map({ position < $0 }) ?? true, last.map({ position > $0 }) ?? true else { return false }
            last = position
            return true
        }
    }
}
