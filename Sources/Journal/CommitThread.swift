import Glibc
internal import Locks
import Synchronization

/// The only writer. Takes what waits, writes and syncs it as one batch, publishes it to the readers, resolves its
/// appenders; while it is at the disk, the next batch gathers.
final class CommitThread {
    private let core: JournalCore
    private var writer: SegmentWriter?
    /// A segment could not be begun just now only to free another; not tried again before something changes.
    private var cannotRoll = false
    private var previous: (number: UInt64, marker: Marker)

    init(core: JournalCore, previous: (number: UInt64, marker: Marker)) {
        self.core = core
        self.previous = previous
    }

    func run() {
        probe()
        while true {
            let conditions = conditions()
            switch core.staging.withLock({ $0.nextStep(conditions) }) {
            case .commit(let batch, let roll):
                relax()
                commit(batch, roll: roll)
            case .rollToFree(let first):
                rollToFree(first)
            case .fail(let batch, let failure):
                core.fail(batch, failure)
            case .sleep(let until, let wanted):
                if wanted > 0 {
                    press(conditions.room + wanted)
                } else {
                    relax()
                    if conditions.room >= min(64 << 10, core.configuration.roomKeptFree) { core.noteRoom() }
                }
                core.commitBell.wait(until: until ?? probeTime)
                cannotRoll = false
                if until == nil { probe() }
            case .finish:
                writer?.close()
                writer = nil
                return
            }
        }
    }

    private func conditions() -> CommitConditions {
        let (diskBytes, last) = core.shelf.withLock { ($0.diskBytes, $0.segments.last?.last) }
        let active = writer.map { writer in
            let hasRecords = writer.bytes > SegmentHeader.bytes
            return CommitConditions.Active(
                bytes: writer.bytes,
                hasRecords: hasRecords,
                positionLimit: writer.header.limit,
                isFreeable: hasRecords && !cannotRoll && core.confirmedBelow > (last ?? .max)
            )
        }
        return CommitConditions(
            now: Clock.monotonicNanoseconds(),
            room: core.room(besides: diskBytes),
            segmentBytes: core.configuration.effectiveSegmentBytes,
            batchBytes: core.configuration.batchBytes,
            positionsPerSegment: core.configuration.positionsPerSegment,
            active: active
        )
    }

    // MARK: Room

    private func press(_ wanted: Int) {
        core.set(.full)
        core.roomWanted.store(wanted, ordering: .relaxed)
        core.isUnderPressure.store(true, ordering: .sequentiallyConsistent)
        core.maintenanceBell.ring()
    }

    private func relax() {
        core.roomWanted.store(0, ordering: .relaxed)
        core.isUnderPressure.store(false, ordering: .sequentiallyConsistent)
    }

    private func rollToFree(_ first: UInt64) {
        closeSegment()
        do throws(FileSystemError) {
            try openSegment(first: first)
        } catch {
            cannotRoll = true
        }
        core.maintenanceBell.ring()
    }

    // MARK: Committing

    private func commit(_ batch: Batch, roll: Bool) {
        if roll { closeSegment() }
        var failure: JournalError?
        // A batch that fails gets a second try, in a new segment.
        for _ in 0..<2 {
            do throws(FileSystemError) {
                if writer == nil { try openSegment(first: batch.first) }
                guard let times = try writer?.commit(batch) else { continue }
                return publish(batch, write: times.write, sync: times.sync)
            } catch {
                let reason = JournalError(error)
                failure = reason
                abandon(reason)
                if error.isNoSpace { core.volumeLacks(batch.bytes) }
            }
        }
        guard let failure else { return }
        core.set(.failing(failure))
        core.fail(batch, .disk(failure))
    }

    private func publish(_ batch: Batch, write: Duration, sync: Duration) {
        let newestAt = Clock.wallMilliseconds()
        let freed = core.shelf.withLock { $0.commit(batch, newestAt: newestAt) }
        core.committed(through: batch.last)
        core.staging.withLock { $0.settle(batch) }
        core.counters.withLock { $0.commits += 1 }
        core.set(.accepting)
        core.volumeLacks.store(0, ordering: .relaxed)
        core.resolve(batch, .committed)
        core.wakeReaders()
        core.observer.didCommit?(CommitReport(records: batch.records, bytes: batch.bytes, write: write, sync: sync))
        withExtendedLifetime(freed) {}
    }

    // MARK: Segments

    /// Without a segment the disk is tried once a second even if nobody appends: who asks whether the journal works may
    /// send nothing before it does.
    private var probeTime: UInt64? {
        writer == nil ? Clock.monotonicNanoseconds() + 1_000_000_000 : nil
    }

    private func probe() {
        guard writer == nil, let first = core.staging.withLock({ $0.isEmptyAndOpen ? $0.nextPosition : nil }) else {
            return
        }
        do throws(FileSystemError) {
            try openSegment(first: first)
            core.set(.accepting)
        } catch {
            if error.isNoSpace { core.volumeLacks(SegmentHeader.bytes) }
            core.set(.failing(JournalError(error)))
        }
    }

    private func openSegment(first: UInt64) throws(FileSystemError) {
        guard core.maySegment.load(ordering: .acquiring) else {
            throw FileSystemError(operation: "replace", path: core.layout.checkpoint, code: EIO)
        }
        var header = SegmentHeader(
            journal: core.identity,
            number: core.shelf.withLock { $0.takeNumber() },
            marker: .random(),
            first: first,
            limit: first + core.configuration.positionsPerSegment,
            createdAt: Clock.wallMilliseconds(),
            previousNumber: previous.number,
            previousMarker: previous.marker
        )
        while true {
            do throws(FileSystemError) {
                writer = try SegmentWriter.create(
                    header,
                    in: core.layout,
                    fileSystem: core.fileSystem,
                    syncs: core.configuration.sync
                )
                break
            } catch {
                // Somebody put something there under the next name.
                guard error.code == EEXIST else { throw error }
                header.number = core.shelf.withLock { $0.takeNumber() }
            }
        }
        core.shelf.withLock { $0.begin(header) }
        core.maintenanceBell.ring()
    }

    private func closeSegment() {
        guard let writer else { return }
        writer.close()
        previous = (writer.header.number, writer.header.marker)
        core.shelf.withLock { $0.seal() }
        self.writer = nil
        core.maintenanceBell.ring()
    }

    /// After a failure the segment is not written again and not trusted beyond its last commit: the kernel marks pages
    /// clean that it could not write (https://lwn.net/Articles/752063/).
    private func abandon(_ error: JournalError) {
        guard let writer else { return }
        let fileBytes = writer.fileBytes()
        writer.close()
        self.writer = nil
        let isEmpty = writer.bytes == SegmentHeader.bytes
        if isEmpty, (try? core.fileSystem.remove(core.layout.segment(writer.header.number))) != nil {
            core.shelf.withLock { shelf in
                shelf.seal()
                shelf.remove(writer.header.number)
            }
        } else {
            previous = (writer.header.number, writer.header.marker)
            core.shelf.withLock { $0.seal(fileBytes: fileBytes) }
        }
        core.observer.didAbandonSegment?(error)
    }
}
