import Glibc
internal import Locks
import Synchronization

/// Everything slow that no append should wait for: copies of damage, the durable checkpoint, deletion of segments.
///
/// The order is the promise: damage is set aside, then the checkpoint is durable, then a segment below it is unlinked.
final class MaintenanceThread {
    private let core: JournalCore
    private let checkpointFile: CheckpointFile
    private var schedule: CheckpointSchedule
    private var durable: Checkpoint?
    private var hasReserve = false
    private var setAsideBytes: Int?
    /// After a failure nothing is tried before this time.
    private var pausedUntil: UInt64 = 0
    /// The confirmation that the last round of work has seen.
    private var seenConfirmed: UInt64 = 0
    /// The newest segment whose marker was to be noted in the checkpoint.
    private var notedSegment: UInt64 = 0

    init(core: JournalCore, durable: Checkpoint?) {
        self.core = core
        self.durable = durable
        checkpointFile = CheckpointFile(layout: core.layout, fileSystem: core.fileSystem)
        schedule = CheckpointSchedule(interval: core.configuration.checkpointInterval.nanoseconds)
    }

    func run() {
        if !core.maySegment.load(ordering: .acquiring) { replaceUntrustedCheckpoint() }
        hasReserve = checkpointFile.keepReserve()
        while !core.isCommitThreadDone.load(ordering: .acquiring) {
            sleep(work())
        }
        runSetAsideJobs()
        if writeCheckpoint(isClean: true) { delete(plan(reclaim: 0)) }
    }

    /// When to look again.
    private enum Wake {
        /// At the latest at this time, whatever is confirmed until then.
        case at(UInt64)
        /// With the next confirmation, or at this time if there is one.
        case onConfirm(orAt: UInt64?)
    }

    private func sleep(_ wake: Wake) {
        let arms: Bool
        let time: UInt64?
        switch wake {
        // Under load the timer is enough, and `confirm` stays cheap.
        case .at(let moment): (arms, time) = (core.isUnderPressure.load(ordering: .sequentiallyConsistent), moment)
        case .onConfirm(let moment): (arms, time) = (true, moment)
        }
        core.wakesOnConfirm.store(arms, ordering: .sequentiallyConsistent)
        if arms, core.confirmedBelow != seenConfirmed { return }
        core.maintenanceBell.wait(until: time)
    }

    /// Does what is due.
    private func work() -> Wake {
        let now = Clock.monotonicNanoseconds()
        let confirmedBelow = core.confirmedBelow
        seenConfirmed = confirmedBelow
        if now < pausedUntil { return .at(pausedUntil) }
        if !core.maySegment.load(ordering: .acquiring) {
            replaceUntrustedCheckpoint()
            guard core.maySegment.load(ordering: .acquiring) else { return pause(now) }
        }
        runSetAsideJobs()

        let underPressure = core.isUnderPressure.load(ordering: .sequentiallyConsistent)
        let lacking = core.volumeLacks.exchange(0, ordering: .relaxed)
        let plan = plan(reclaim: max(lacking, missingRoom))
        var next: UInt64?
        if confirmedBelow > (durable?.below ?? 0) {
            let due = schedule.due(isWhollyConfirmed: confirmedBelow >= core.committedBelow)
            let needed = plan.items.contains { $0.end > durable?.below ?? 0 }
            if due <= now || needed {
                guard writeCheckpoint(isClean: false) else { return pause(now) }
            } else {
                next = due
            }
        }
        noteNewSegment()
        let freed = delete(plan)
        // What could not be given now is given when more is confirmed.
        if freed < lacking { _ = core.volumeLacks.max(lacking - freed, ordering: .relaxed) }
        if underPressure, core.shelf.withLock({ $0.isActiveConfirmed(below: confirmedBelow) }) {
            core.commitBell.ring()
        }
        if !hasReserve { hasReserve = checkpointFile.keepReserve() }
        let expiry = plan.nextExpiry.map { expiry in
            let wait = expiry &- min(expiry, Clock.wallMilliseconds()) &+ 1
            return now &+ min(wait, 86_400_000) &* 1_000_000
        }
        guard let next else { return .onConfirm(orAt: expiry) }
        return .at(min(next, expiry ?? .max))
    }

    /// What is missing of the room that should be there, or that an append waits for. Given up for it is what is kept for
    /// replay only.
    private var missingRoom: Int {
        let room = core.room(besides: core.shelf.withLock { $0.diskBytes })
        return max(core.configuration.roomKeptFree, core.roomWanted.load(ordering: .relaxed)) - room
    }

    private func pause(_ now: UInt64) -> Wake {
        pausedUntil = now &+ min(max(schedule.interval, 10_000_000), 1_000_000_000)
        return .at(pausedUntil)
    }

    // MARK: Checkpoint

    private func currentCheckpoint(isClean: Bool) -> Checkpoint {
        let below = core.confirmedBelow
        let next = isClean ? core.staging.withLock { $0.nextPosition } : max(core.committedBelow, below)
        let (newest, number) = core.shelf.withLock { ($0.segments.last, $0.nextNumber - 1) }
        return Checkpoint(
            journal: core.identity,
            below: below,
            next: next,
            lastSegment: newest?.number ?? number,
            lastSegmentBytes: UInt64(newest?.bytes ?? 0),
            isClean: isClean,
            marker: newest?.marker ?? newest?.hint
        )
    }

    /// Notes the marker of a new segment, which is all that makes its frames readable if its header and its first frame are
    /// destroyed together. Tried once for each segment, and without the reserve: it is the checkpoint's own need.
    private func noteNewSegment() {
        guard let newest = core.shelf.withLock({ $0.active }), newest != notedSegment else { return }
        notedSegment = newest
        let checkpoint = currentCheckpoint(isClean: false)
        guard checkpoint.marker != durable?.marker, (try? checkpointFile.replace(with: checkpoint)) != nil else {
            return
        }
        durable = checkpoint
        core.counters.withLock { $0.durableBelow = checkpoint.below }
    }

    private func writeCheckpoint(isClean: Bool) -> Bool {
        let checkpoint = currentCheckpoint(isClean: isClean)
        guard checkpoint != durable else { return true }
        do throws(FileSystemError) {
            if try checkpointFile.store(checkpoint) { hasReserve = false }
        } catch {
            core.counters.withLock { $0.checkpointFailures += 1 }
            core.maintenanceFailed(error)
            return false
        }
        durable = checkpoint
        schedule.wrote(at: Clock.monotonicNanoseconds())
        core.counters.withLock { counters in
            counters.checkpointsWritten += 1
            counters.durableBelow = checkpoint.below
        }
        return true
    }

    private func replaceUntrustedCheckpoint() {
        guard writeCheckpoint(isClean: false) else { return }
        core.maySegment.store(true, ordering: .releasing)
    }

    // MARK: Deletion

    private func plan(reclaim: Int) -> DeletionPlan {
        let confirmedBelow = core.confirmedBelow
        let retain = core.configuration.retain.nanoseconds / 1_000_000
        return core.shelf.withLock { shelf in
            DeletionPlan(
                shelf,
                confirmedBelow: confirmedBelow,
                wallTime: Clock.wallMilliseconds(),
                retainMilliseconds: retain,
                reclaim: reclaim
            )
        }
    }

    /// - Returns: bytes of the files that went.
    @discardableResult
    private func delete(_ plan: DeletionPlan) -> Int {
        var deleted = 0
        var freed = 0
        for item in plan.items {
            guard item.end <= durable?.below ?? 0 else { break }
            do throws(FileSystemError) {
                let path = core.layout.segment(item.number)
                if item.keepsFile {
                    try core.fileSystem.makeDirectory(core.layout.setAside)
                    try core.fileSystem.rename(path, to: core.layout.setAsideSegment(item.number))
                } else {
                    try core.fileSystem.remove(path)
                }
            } catch {
                if error.code != ENOENT {
                    core.maintenanceFailed(error)
                    break
                }
            }
            core.shelf.withLock { $0.remove(item.number) }
            deleted += 1
            freed += item.bytes
        }
        guard deleted > 0 else { return 0 }
        core.counters.withLock { $0.segmentsDeleted += deleted }
        core.commitBell.ring()
        return freed
    }

    // MARK: Setting aside

    private func runSetAsideJobs() {
        while let job = core.shelf.withLock({ $0.nextSetAsideJob }) {
            let outcome = perform(job)
            core.shelf.withLock { shelf in
                switch (job, outcome) {
                case (.file, .kept): shelf.recovery.newerVersionFiles += 1
                case (.file, .notKept): break
                case (.range, .kept(let bytes)):
                    shelf.recovery.setAsideFiles += 1
                    shelf.recovery.setAsideBytes += bytes
                case (.range(_, let range), .notKept): shelf.recovery.damagedBytesNotKept += range.count
                }
                shelf.finishedSetAsideJob()
            }
        }
    }

    private enum Outcome {
        case kept(Int)
        case notKept
    }

    private func perform(_ job: SetAsideJob) -> Outcome {
        let layout = core.layout
        do throws(FileSystemError) {
            try core.fileSystem.makeDirectory(layout.setAside)
            switch job {
            case .file(let segment):
                try core.fileSystem.rename(layout.segment(segment), to: layout.setAsideSegment(segment))
                try core.fileSystem.syncDirectory(layout.directory)
                try core.fileSystem.syncDirectory(layout.setAside)
                return .kept(0)
            case .range(let segment, let range):
                return try copy(range, of: segment)
            }
        } catch {
            core.maintenanceFailed(error)
            return .notKept
        }
    }

    private func copy(_ range: Range<Int>, of segment: UInt64) throws(FileSystemError) -> Outcome {
        let used: Int
        if let known = setAsideBytes {
            used = known
        } else {
            used = try core.fileSystem.entries(of: core.layout.setAside).reduce(0) { sum, entry in
                entry.name.hasSuffix(".bytes") ? sum + entry.bytes : sum
            }
            setAsideBytes = used
        }
        let path = core.layout.setAsideRange(segment, offset: range.lowerBound)
        // The name tells what it holds, so a range that an earlier run kept is not kept twice.
        if let file = try? core.fileSystem.open(path, .read) {
            defer { core.fileSystem.close(file) }
            if try core.fileSystem.size(of: file) == range.count { return .kept(range.count) }
        }
        guard used + range.count <= core.configuration.setAsideBytes else { return .notKept }
        let source = try core.fileSystem.open(core.layout.segment(segment), .read)
        defer { core.fileSystem.close(source) }
        let target = try core.fileSystem.openAnew(path)
        defer { core.fileSystem.close(target) }
        do throws(FileSystemError) {
            try copy(range, from: source, to: target)
            try core.fileSystem.sync(target)
        } catch {
            // What has the name and the size of the range must be the range.
            try? core.fileSystem.remove(path)
            throw error
        }
        try core.fileSystem.syncDirectory(core.layout.setAside)
        setAsideBytes = used + range.count
        return .kept(range.count)
    }

    private func copy(_ range: Range<Int>, from source: OpenFile, to target: OpenFile) throws(FileSystemError) {
        let memory = Chunk(capacity: min(range.count, 256 << 10))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = min(memory.capacity, range.upperBound - offset)
            let buffer = UnsafeMutableRawBufferPointer(start: memory.base, count: count)
            do throws(FileSystemError) {
                _ = try core.fileSystem.readAll(source, into: buffer, at: offset)
            } catch {
                // What cannot be read is kept as zeros, so that offsets stay right.
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
            }
            try core.fileSystem.writeAll(target, UnsafeRawBufferPointer(buffer), at: offset - range.lowerBound)
            offset += count
        }
    }
}
