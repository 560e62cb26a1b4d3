internal import Locks
import Synchronization

/// A durable append-only log of opaque records in one directory.
///
/// Appends of any number of threads are committed together, by one thread, with one write and one `fdatasync`; a resolution
/// tells each appender. Readers get the committed records in the order of arrival; what they confirm is forgotten, and its
/// segments are deleted once a durable checkpoint says so.
///
/// What it promises: a record resolved as committed is read again after any crash until it was confirmed. What it does not:
/// a record may be read again though it was confirmed, up to the last durable checkpoint, and one that was resolved as
/// failed by the disk may still be read after a restart.
package final class Journal: Sendable {
    private let core: JournalCore
    private let commitThread: NamedThread
    private let maintenanceThread: NamedThread
    private let lock: OpenFile
    private let isClosed = Guarded(false)

    /// Opens the journal, making its directory if needed. Takes the same time whatever the journal holds: older segments are
    /// read by the readers later, first and in order.
    ///
    /// Throws if a setting is wrong, the directory cannot be used, or another journal has it open; it blocks for a
    /// second before it says that. A full or failing disk is no reason to throw while the directory can be read and locked:
    /// what is there can still be shipped, and every append tries again.
    package static func open(
        _ configuration: JournalConfiguration,
        fileSystem: any FileSystem = POSIXFileSystem(),
        observer: JournalObserver = .init()
    ) throws(JournalError) -> Journal {
        try configuration.validate()
        let layout = DirectoryLayout(directory: configuration.directory)
        let lock: OpenFile?
        do throws(FileSystemError) {
            lock = try JournalStart.lock(layout, fileSystem)
        } catch {
            throw JournalError(error)
        }
        guard let lock else { throw .locked(layout.directory) }
        do throws(FileSystemError) {
            let start = try JournalStart(configuration, layout, fileSystem)
            for finding in start.findings { observer.didFind?(finding) }
            return Journal(configuration, fileSystem, observer, start, lock)
        } catch {
            fileSystem.close(lock)
            throw JournalError(error)
        }
    }

    private init(
        _ configuration: JournalConfiguration,
        _ fileSystem: any FileSystem,
        _ observer: JournalObserver,
        _ start: JournalStart,
        _ lock: OpenFile
    ) {
        let core = JournalCore(
            configuration: configuration,
            fileSystem: fileSystem,
            observer: observer,
            start: start.plan,
            maySegment: start.maySegment
        )
        self.core = core
        self.lock = lock
        let last = start.plan.segments.last
        commitThread = NamedThread("journal-commit") {
            let thread = CommitThread(
                core: core,
                previous: (last?.number ?? 0, last?.marker ?? last?.hint ?? Marker(first: 0, second: 0))
            )
            thread.run()
        }
        maintenanceThread = NamedThread("journal-maint") {
            MaintenanceThread(core: core, durable: start.durableCheckpoint).run()
        }
    }

    deinit {
        assert(isClosed.withLock { $0 }, "a journal must be closed before it is given up")
    }

    /// One for each owner of appends, say each event loop; the journal keeps the closure until it is gone itself.
    ///
    /// - Parameters:
    ///   - breaksOff: When an append fails, all that were appended after it fail too, and none is taken before the owner says
    ///     ``JournalAppender/resume()``. For an owner that appends again what failed and must not change the order.
    ///   - onResolve: Runs on the commit thread, at most once for each commit, so it should only hop; it must not call
    ///     ``close()``.
    package func makeAppender(
        breaksOff: Bool = false,
        onResolve: @escaping @Sendable (AppendResolution) -> Void
    ) -> JournalAppender {
        // The closure is there before the first append can name it; both lists grow in the same order under this lock.
        let index = core.listeners.withLock { listeners in
            listeners.resolvers.append(onResolve)
            return listeners.resolvers.count - 1
        }
        core.staging.withLock { $0.addAppender(index, breaksOff: breaksOff) }
        return JournalAppender(core: core, index: index)
    }

    /// - Parameter from: The first position wanted; `nil` for the lowest one not confirmed.
    package func makeReader(from: JournalPosition? = nil) -> JournalReader {
        JournalReader(core: core, position: from?.rawValue ?? core.confirmedBelow)
    }

    /// `wake` is called on the commit thread after each commit. It should only wake somebody. What recovery has to offer is
    /// there from the start, so a reader reads once before it waits.
    package func onCommit(_ wake: @escaping @Sendable () -> Void) {
        core.listeners.withLock { $0.wakes.append(wake) }
    }

    /// Everything below `position` is delivered and need not be read again. Cheap, any thread, any order; durable later. A
    /// position beyond what is committed counts as the end of what is.
    package func confirm(below position: JournalPosition) {
        core.confirm(below: position.rawValue)
    }

    package var statistics: JournalStatistics {
        let staging = core.staging.withLock { queue in
            (queue.pendingBytes, queue.waiting, queue.nextPosition, queue.appended)
        }
        let counters = core.counters.withLock { $0 }
        let confirmedBelow = core.confirmedBelow
        return core.shelf.withLock { shelf in
            let occupied = shelf.bytes(notConfirmedBelow: confirmedBelow)
            return JournalStatistics(
                state: counters.state,
                segments: shelf.segments.count,
                diskBytes: shelf.diskBytes,
                heldBytes: occupied.held,
                unconfirmedBytes: occupied.unconfirmed,
                maxBytes: core.configuration.maxBytes,
                pendingBytes: staging.0,
                waitingAppends: staging.1,
                tailBytes: shelf.tail.bytes,
                committed: shelf.lastCommitted.map { JournalPosition($0) },
                next: JournalPosition(staging.2),
                confirmedBelow: JournalPosition(confirmedBelow),
                durableCheckpoint: JournalPosition(counters.durableBelow),
                recordsAppended: staging.3,
                recordsCommitted: shelf.committedRecords,
                bytesCommitted: shelf.committedBytes,
                recordsFailed: counters.recordsFailed,
                commits: counters.commits,
                checkpointsWritten: counters.checkpointsWritten,
                checkpointFailures: counters.checkpointFailures,
                segmentsDeleted: counters.segmentsDeleted,
                recovery: shelf.recovery
            )
        }
    }

    /// Takes no more appends, commits what waits and fits (what does not fit fails), writes the last checkpoint, joins the
    /// threads, releases the lock. Readers made before can still read. Blocks; a second call returns at once.
    package func close() {
        let isFirst = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        core.staging.withLock { $0.close() }
        core.commitBell.ring()
        commitThread.join()
        core.isCommitThreadDone.store(true, ordering: .releasing)
        core.maintenanceBell.ring()
        maintenanceThread.join()
        core.fileSystem.close(lock)
        core.set(.closed)
    }
}
