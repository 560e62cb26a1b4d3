internal import Locks
import Synchronization

/// What the journal's threads, appenders and readers share.
///
/// Two locks: `staging` for appends, `shelf` for segments and tail; neither is taken while the other is held, and nothing
/// is called, written or freed under them. What `confirm` needs is atomic.
final class JournalCore: Sendable {
    struct Listeners {
        var resolvers: [@Sendable (AppendResolution) -> Void] = []
        var wakes: [@Sendable () -> Void] = []
    }

    struct Counters {
        var state = JournalState.accepting
        var recordsFailed = 0
        var commits = 0
        var checkpointsWritten = 0
        var checkpointFailures = 0
        var segmentsDeleted = 0
        var durableBelow: UInt64 = 0
    }

    let configuration: JournalConfiguration
    let roomTimeout: UInt64
    let fileSystem: any FileSystem
    let layout: DirectoryLayout
    let observer: JournalObserver
    /// Tells this journal's files from another's.
    let identity: UInt64

    let staging: Guarded<StagingQueue>
    let shelf: Guarded<SegmentShelf>
    let listeners = Guarded(Listeners())
    let counters: Guarded<Counters>
    let commitBell = Doorbell()
    let maintenanceBell = Doorbell()

    private let confirmed: Atomic<UInt64>
    /// Above the last committed position.
    private let committedEnd: Atomic<UInt64>
    /// The maintenance thread sleeps without a time set and wants to hear of the next `confirm`.
    let wakesOnConfirm = Atomic(true)
    /// An append waits for room.
    let isUnderPressure = Atomic(false)
    /// The room that the oldest append needs, in bytes, while it waits for it.
    let roomWanted = Atomic(0)
    /// Bytes that the volume lacks: it has less room than the quota. Kept until segments of so many bytes are freed.
    let volumeLacks = Atomic(0)
    /// Cleared while a checkpoint that must not be believed is still on disk: no new position may come near it.
    let maySegment: Atomic<Bool>
    let isCommitThreadDone = Atomic(false)

    init(
        configuration: JournalConfiguration,
        fileSystem: any FileSystem,
        observer: JournalObserver,
        start: StartPlan,
        maySegment: Bool
    ) {
        self.configuration = configuration
        self.fileSystem = fileSystem
        self.observer = observer
        roomTimeout = configuration.roomTimeout.nanoseconds
        layout = DirectoryLayout(directory: configuration.directory)
        identity = start.identity
        staging = Guarded(
            StagingQueue(
                maxPendingBytes: configuration.maxPendingBytes,
                chunkBytes: configuration.chunkBytes,
                nextPosition: start.next
            )
        )
        let tail = CommittedTail(limitBytes: configuration.tailBytes, start: start.next)
        var shelf = SegmentShelf(
            found: start.segments,
            nextNumber: start.nextNumber,
            tail: tail,
            recovery: start.recovery
        )
        for number in start.newerVersions { shelf.setAside(.file(segment: number)) }
        self.shelf = Guarded(shelf)
        var counters = Counters()
        counters.durableBelow = start.confirmedBelow
        self.counters = Guarded(counters)
        confirmed = Atomic(start.confirmedBelow)
        committedEnd = Atomic(start.next)
        self.maySegment = Atomic(maySegment)
    }

    // MARK: Confirmation

    var confirmedBelow: UInt64 { confirmed.load(ordering: .acquiring) }
    var committedBelow: UInt64 { committedEnd.load(ordering: .acquiring) }

    func committed(through position: UInt64) {
        committedEnd.store(position + 1, ordering: .releasing)
    }

    func confirm(below position: UInt64) {
        // Never beyond what was committed: the checkpoint must not cover what comes later.
        let value = min(position, committedBelow)
        let (old, _) = confirmed.max(value, ordering: .acquiringAndReleasing)
        guard value > old else { return }
        // Sequentially consistent, as is the maintenance thread's store before it looks at `confirmed` a last time.
        if wakesOnConfirm.exchange(false, ordering: .sequentiallyConsistent) { maintenanceBell.ring() }
    }

    // MARK: Room

    /// Bytes of frames that the quota still has room for. Room for two headers stays: of the segment that a batch may begin,
    /// and of one begun to free a full one.
    func room(besides diskBytes: Int) -> Int {
        configuration.maxBytes - diskBytes - 2 * SegmentHeader.bytes
    }

    func volumeLacks(_ bytes: Int) {
        _ = volumeLacks.max(bytes, ordering: .relaxed)
        maintenanceBell.ring()
    }

    // MARK: Telling others

    /// Tells every appender that takes part, each once.
    func resolve(_ batch: Batch, _ outcome: AppendResolution.Outcome) {
        let resolvers = listeners.withLock { $0.resolvers }
        for settlement in batch.settled {
            resolvers[settlement.appender](
                AppendResolution(through: JournalPosition(settlement.through), outcome: outcome)
            )
        }
    }

    func fail(_ batch: Batch, _ failure: AppendFailure) {
        staging.withLock { queue in
            queue.settle(batch)
            queue.breakOff(batch)
        }
        counters.withLock { $0.recordsFailed += batch.records }
        resolve(batch, .failed(failure))
        observer.didFail?(FailureReport(records: batch.records, failure: failure))
    }

    func wakeReaders() {
        let wakes = listeners.withLock { $0.wakes }
        for wake in wakes { wake() }
    }

    func set(_ state: JournalState) {
        let changed = counters.withLock { counters in
            guard counters.state != state, counters.state != .closed else { return false }
            counters.state = state
            return true
        }
        if changed { observer.stateChanged?(state) }
    }

    /// A full journal has room again although nothing was committed since.
    func noteRoom() {
        if counters.withLock({ $0.state }) == .full { set(.accepting) }
    }

    func maintenanceFailed(_ error: FileSystemError) {
        observer.didFailMaintenance?(JournalError(error))
    }
}
