internal import Locks
import Synchronization

/// Reads committed records in the order of their positions, each at most once: from memory while it keeps up, from disk
/// when it lags, over damage without stopping. One thread uses it at a time; several readers may exist.
package final class JournalReader: Sendable {
    private struct State {
        var cursor: ReadCursor
        var open: (number: UInt64, reader: SegmentReader)?
        var failures = 0
        /// So many times in a row the segment to be read was not there.
        var absences = 0
    }

    private let core: JournalCore
    // Holds the reader's own state; never contended, since one thread reads at a time. It makes handing the reader from one
    // thread to another safe.
    private let state: Guarded<State>

    init(core: JournalCore, position: UInt64) {
        self.core = core
        state = Guarded(State(cursor: ReadCursor(position: position)))
    }

    /// The lowest position not yet read.
    package var position: JournalPosition {
        state.withLock { JournalPosition($0.cursor.position) }
    }

    /// Goes on from the first record at or above `position`. Going back reaches as far as segments exist.
    package func seek(to position: JournalPosition) {
        state.withLock { state in
            state.cursor = ReadCursor(position: position.rawValue)
            state.open = nil
            state.failures = 0
            state.absences = 0
        }
    }

    /// The next committed records, at most `maxBytes` of frames but always one record; `nil` when there is none yet.
    ///
    /// Throws when a segment cannot be opened or read. The reader stays where it is, so calling again later tries again.
    /// What the disk fails to read a hundred times, or a file that is not there so many times, is skipped, counted, and the
    /// file kept in `set-aside/`; call with pauses.
    package func next(maxBytes: Int) throws(JournalError) -> RecordBlock? {
        let result = state.withLock { state -> Result<RecordBlock?, JournalError> in
            do throws(FileSystemError) {
                let block = try next(&state, max(maxBytes, 1))
                return .success(block)
            } catch {
                // Only what the disk itself says may end in giving records up. Want of descriptors, memory or rights passes.
                if error.isUnreadable { state.failures += 1 }
                state.open = nil
                return .failure(JournalError(error))
            }
        }
        return try result.get()
    }

    private func next(_ state: inout State, _ maxBytes: Int) throws(FileSystemError) -> RecordBlock? {
        while true {
            var cursor = state.cursor
            let (source, recovered) = core.shelf.withLock { $0.source(for: &cursor, maxBytes: maxBytes) }
            state.cursor = cursor
            report(recovered)
            switch source {
            case .nothing:
                return nil
            case .tail(let slices):
                state.open = nil
                return read(slices, &state.cursor, maxBytes)
            case .segment(let entry):
                if let block = try read(entry, &state, maxBytes) { return block }
            }
        }
    }

    private func report(_ recovered: [RecoveryReport]) {
        guard !recovered.isEmpty else { return }
        core.maintenanceBell.ring()
        for report in recovered { core.observer.didRecover?(report) }
    }

    // MARK: Memory

    private func read(_ slices: [CommittedSlice], _ cursor: inout ReadCursor, _ maxBytes: Int) -> RecordBlock? {
        var offsets: [Int] = []
        var bytes = 0
        for slice in slices {
            var offset = slice.memory.range.lowerBound
            while offset < slice.memory.range.upperBound {
                let frame = UnsafeRawPointer(slice.memory.chunk.base + offset)
                let frameBytes = Frame.bytes(of: frame)
                let position = Frame.position(of: frame)
                if position >= cursor.position {
                    guard offsets.isEmpty || bytes + frameBytes <= maxBytes else {
                        return RecordBlock(memory: slice.memory.chunk, offsets: offsets)
                    }
                    offsets.append(offset)
                    bytes += frameBytes
                    cursor.position = position + 1
                }
                offset += frameBytes
                cursor.enter(slice.segment, at: slice.fileOffset + offset - slice.memory.range.lowerBound)
            }
        }
        return slices.first.map { RecordBlock(memory: $0.memory.chunk, offsets: offsets) }
    }

    // MARK: Disk

    private func read(_ entry: SegmentEntry, _ state: inout State, _ maxBytes: Int) throws(FileSystemError)
        -> RecordBlock?
    {
        guard let reader = try open(entry, &state) else { return nil }
        if state.cursor.offset < reader.headerBytes {
            if case .damaged = reader.header { note(0..<reader.headerBytes, &state.cursor) }
            state.cursor.offset = reader.headerBytes
            return nil
        }
        let item = try reader.item(at: state.cursor.offset, limit: entry.bytes, maxBytes: maxBytes)
        state.failures = 0
        switch item {
        case .end:
            state.cursor.offset = max(state.cursor.offset, entry.bytes)
            return nil
        case .damage(let range):
            note(range, &state.cursor)
            state.cursor.offset = range.upperBound
            return nil
        case .records(let block, let end):
            let kept = keep(block, entry, &state.cursor)
            state.cursor.offset = end
            return kept
        }
    }

    /// What of the block is to be read: not again what was read, not what a later segment holds again.
    private func keep(_ block: RecordBlock, _ entry: SegmentEntry, _ cursor: inout ReadCursor) -> RecordBlock? {
        var kept: [Int] = []
        var previous = cursor.scan?.last
        for index in 0..<block.count {
            let record = block[index]
            let position = record.position.rawValue
            guard position < entry.supersededFrom, previous.map({ position > $0 }) ?? true else {
                cursor.scan?.duplicates += 1
                continue
            }
            previous = position
            cursor.scan?.records += 1
            cursor.scan?.newestAt = record.appendedAt
            if position >= cursor.position {
                kept.append(index)
                cursor.position = position + 1
            }
        }
        cursor.scan?.last = previous
        return kept.isEmpty ? nil : kept.count == block.count ? block : block.selecting(kept)
    }

    /// - Parameter isThere: The file is, so that the range can be copied.
    private func note(_ range: Range<Int>, _ cursor: inout ReadCursor, isThere: Bool = true) {
        guard let number = cursor.segment else { return }
        cursor.scan?.damagedRanges += 1
        cursor.scan?.damagedBytes += range.count
        if core.shelf.withLock({ $0.damaged(number, range, isThere: isThere) }) { core.maintenanceBell.ring() }
    }

    /// `nil` when the segment is to be passed over; the cursor is then at its end.
    private func open(_ entry: SegmentEntry, _ state: inout State) throws(FileSystemError) -> SegmentReader? {
        if let open = state.open, open.number == entry.number { return open.reader }
        state.open = nil
        do throws(FileSystemError) {
            let reader = try SegmentReader(
                core.layout.segment(entry.number),
                fileSystem: core.fileSystem,
                hint: entry.marker ?? entry.hint
            )
            if state.failures >= core.configuration.readPatience {
                reader.takesUnreadableAsDamage = true
                core.shelf.withLock { $0.hasUnreadableBlocks(entry.number) }
            }
            state.open = (entry.number, reader)
            state.absences = 0
            return reader
        } catch {
            if error.isMissing, isDeleted(entry.number) {
                // Not seen to its end, so nothing is known of it.
                state.cursor.scan = nil
            } else {
                // A volume that is unmounted, or a directory that somebody moved, may come back with the file in it.
                let tries = error.isMissing ? state.absences : error.isUnreadable ? state.failures : 0
                guard tries >= core.configuration.readPatience else {
                    if error.isMissing { state.absences += 1 }
                    throw error
                }
                core.shelf.withLock { $0.hasUnreadableBlocks(entry.number) }
                note(min(state.cursor.offset, entry.bytes)..<entry.bytes, &state.cursor, isThere: !error.isMissing)
            }
            state.failures = 0
            state.absences = 0
            state.cursor.offset = entry.bytes
            return nil
        }
    }

    /// The journal itself deleted the segment, or is about to strike it from the table: everything in it was confirmed.
    private func isDeleted(_ number: UInt64) -> Bool {
        let confirmedBelow = core.confirmedBelow
        return core.shelf.withLock { shelf in
            guard let index = shelf.index(of: number) else { return true }
            guard shelf.active != number, let end = shelf.segments[index].end else { return false }
            return end <= confirmedBelow
        }
    }
}
