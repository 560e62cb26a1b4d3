internal import DequeModule
internal import Journal
internal import Locks
internal import Synchronization

/// Appends to the journal for work that can wait for the commit, keeping the order of what it is given.
final class JournalWriter: Sendable {
    struct Record: Sendable {
        var payload: [UInt8]
        /// Where the position's digits belong.
        var stamp: Int?
    }

    private struct Batch {
        var positions: [JournalPosition]
        let continuation: CheckedContinuation<Int, Never>
    }

    private final class Batches: Sendable {
        let waiting = Guarded<Deque<Batch>>([])
        /// Of the oldest batch, so many are committed already.
        let committed = Guarded(0)

        /// Called on the journal's commit thread, which holds no lock then.
        func settle(_ resolution: AppendResolution) {
            let settled = waiting.withLock { waiting -> [(CheckedContinuation<Int, Never>, Int)] in
                var settled: [(CheckedContinuation<Int, Never>, Int)] = []
                while let batch = waiting.first, let first = batch.positions.first, first <= resolution.through {
                    let count = batch.positions.count { $0 <= resolution.through }
                    let isCommitted = resolution.outcome == .committed
                    let done = committed.withLock { done in
                        if isCommitted { done += count }
                        return done
                    }
                    guard count == batch.positions.count else {
                        waiting[0].positions.removeFirst(count)
                        return settled
                    }
                    waiting.removeFirst()
                    committed.withLock { $0 = 0 }
                    settled.append((batch.continuation, done))
                }
                return settled
            }
            for (continuation, committed) in settled { continuation.resume(returning: committed) }
        }
    }

    private let batches = Batches()
    private let appender: JournalAppender

    init(_ journal: Journal) {
        let batches = batches
        // What follows a failed record must not be written before it.
        appender = journal.makeAppender(breaksOff: true) { batches.settle($0) }
    }

    /// Waits until all are committed, or one is not.
    ///
    /// - Returns: how many of them are committed: the first so many. The others are to be given again.
    func append(_ records: [Record]) async -> Int {
        await withCheckedContinuation { continuation in
            let isWaiting = batches.waiting.withLock { waiting in
                // It matters only after a failure, and then only when all that came before is settled.
                appender.resume()
                var positions: [JournalPosition] = []
                for record in records {
                    let result = record.payload.withUnsafeBytes { appender.append($0, stampAt: record.stamp) }
                    guard case .pending(let position) = result else { break }
                    positions.append(position)
                }
                guard !positions.isEmpty else { return false }
                waiting.append(Batch(positions: positions, continuation: continuation))
                return true
            }
            if !isWaiting { continuation.resume(returning: 0) }
        }
    }
}
