import Dispatch
internal import Locks
package import Logging
import Synchronization

/// Takes whole log lines from any thread and writes them to a file descriptor from a thread of its own.
///
/// Why a thread: a log line may be written on an event loop, and `write` to standard error can block without end, when
/// it is a pipe that nobody reads or a terminal that was stopped. `O_NONBLOCK` is no way out, because the flag belongs to
/// the open file and not to the descriptor: it would be switched on for every process that shares the terminal or pipe.
/// So ``write(_:)`` only copies into a bounded buffer under a lock. The thread polls before each write and writes at most
/// `PIPE_BUF` bytes, which a pipe that polls as writable takes at once (pipe(7)).
///
/// When the buffer is full, lines are dropped and counted, and the line that follows the gap says how many. Lines keep
/// their order. A line up to `PIPE_BUF` (4096) bytes is one `write`, so that another process on the same pipe cannot
/// write into it.
///
/// The buffer is lost when the process is killed. It is seldom more than a few lines: the thread writes as soon as
/// there is one. Call ``close(within:)`` last in `main`.
///
/// The thread starts with the first line and holds this object until ``close(within:)``.
package final class LogOutput: Sendable {
    private struct State: Sendable {
        enum Phase {
            case idle
            case running(LogThread)
            case closed
        }

        var phase = Phase.idle
        /// Whole lines that wait for the thread.
        var pending: [UInt8] = []
        /// Lines that came after `pending` and found no room. None is let in before the thread has taken `pending`, so
        /// that the gap is in one place.
        var refused = 0
        /// The thread waits for `wake`.
        var asleep = false
        /// Bytes accepted and bytes dealt with since the start.
        var accepted = 0
        var done = 0
        var flushes: [(target: Int, reached: DispatchSemaphore)] = []
    }

    /// How lines are meant to look; ``handler(label:level:metadataProvider:)`` and the notice of dropped lines do.
    package let format: LogFormat
    private let writer: DescriptorWriter
    private let capacity: Int
    private let state = Guarded(State())
    private let wake = DispatchSemaphore(value: 0)
    private let dropped = Atomic<Int>(0)

    /// - Parameters:
    ///   - descriptor: stays open; it is not closed here. Standard error by default.
    ///   - capacityBytes: lines waiting beyond this are dropped. At least 128 KiB. Up to twice this is held, as one
    ///     buffer fills while the other is written.
    package init(descriptor: Int32 = 2, format: LogFormat, capacityBytes: Int = 1 << 20) {
        self.format = format
        writer = DescriptorWriter(descriptor: descriptor)
        capacity = max(capacityBytes, 2 * LogText.maxLineBytes)
    }

    /// A handler that writes here in this output's format.
    package func handler(
        label: String,
        level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) -> any LogHandler {
        switch format {
        case .json: JSONLogHandler(label: label, output: self, level: level, metadataProvider: metadataProvider)
        case .text: TextLogHandler(label: label, output: self, level: level, metadataProvider: metadataProvider)
        }
    }

    /// Lines that were dropped since the start, because the buffer was full, because writing failed, or because they
    /// came after ``close(within:)``.
    package var droppedLines: Int { dropped.load(ordering: .relaxed) }

    /// Takes one line with its line feed. Never waits for the descriptor.
    package func write(_ line: [UInt8]) {
        enum Then { case nothing, wake, drop }
        let then: Then = state.withLock { state in
            if case .closed = state.phase { return .drop }
            guard state.refused == 0, state.pending.count + line.count <= capacity else {
                state.refused += 1
                return .drop
            }
            state.pending.append(contentsOf: line)
            state.accepted += line.count
            if case .idle = state.phase {
                // Under the lock, so that there is one thread. It happens once and takes some ten microseconds.
                guard let thread = LogThread.start(name: "log-output", { self.run() }) else {
                    // No thread can be had, and waiting would not give one: the process is out of resources.
                    state.phase = .closed
                    state.pending = []
                    state.done = state.accepted
                    return .drop
                }
                state.phase = .running(thread)
            }
            defer { state.asleep = false }
            return state.asleep ? .wake : .nothing
        }
        switch then {
        case .nothing: break
        case .wake: wake.signal()
        case .drop: dropped.add(1, ordering: .relaxed)
        }
    }

    /// Waits until every line taken before this call is written, or lost to a failed write (see ``droppedLines``).
    /// Blocks the caller: not for an event loop.
    /// - Returns: `false` when the time was up first.
    @discardableResult
    package func flush(within limit: Duration) -> Bool {
        let reached: DispatchSemaphore? = state.withLock { state in
            guard state.done < state.accepted else { return nil }
            let reached = DispatchSemaphore(value: 0)
            state.flushes.append((state.accepted, reached))
            return reached
        }
        guard let reached else { return true }
        return reached.wait(timeout: .now() + limit.dispatchInterval) == .success
    }

    /// Writes what is left, at most for as long as given, and ends the thread. Later lines are dropped and counted.
    /// - Returns: as ``flush(within:)``.
    @discardableResult
    package func close(within limit: Duration) -> Bool {
        let flushed = flush(within: limit)
        let thread: LogThread? = state.withLock { state in
            defer { state.phase = .closed }
            guard case .running(let thread) = state.phase else { return nil }
            return thread
        }
        guard let thread else { return flushed }
        writer.giveUp()
        wake.signal()
        thread.join(within: .seconds(1))
        return flushed
    }

    // MARK: The thread

    private func run() {
        var batch: [UInt8] = []
        /// Lines that a failed write lost and that no notice has told of yet.
        var lost = 0
        while let refused = nextBatch(&batch) {
            if lost > 0, writer.write(notice(lost)[...]) { lost = 0 }
            let written = writer.write(lines: batch)
            let failed = batch[written...].reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
            dropped.add(failed, ordering: .relaxed)
            lost += failed
            if refused > 0, lost > 0 || !writer.write(notice(refused)[...]) { lost += refused }
            finish(batch.count)
            batch.removeAll(keepingCapacity: true)
        }
    }

    /// Waits for lines and swaps them out.
    /// - Returns: how many lines were refused after these; `nil` when the output is closed and all is written.
    private func nextBatch(_ batch: inout [UInt8]) -> Int? {
        while true {
            enum Found { case lines(refused: Int), nothing, end }
            let found: Found = state.withLock { state in
                if !state.pending.isEmpty {
                    swap(&state.pending, &batch)
                    defer { state.refused = 0 }
                    return .lines(refused: state.refused)
                }
                if case .closed = state.phase { return .end }
                state.asleep = true
                return .nothing
            }
            switch found {
            case .lines(let refused): return refused
            case .nothing: wake.wait()
            case .end: return nil
            }
        }
    }

    private func finish(_ count: Int) {
        let reached = state.withLock { state in
            state.done += count
            let done = state.done
            defer { state.flushes.removeAll { $0.target <= done } }
            return state.flushes.filter { $0.target <= done }
        }
        for flush in reached { flush.reached.signal() }
    }

    private func notice(_ count: Int) -> [UInt8] {
        let message = "log lines dropped because nobody read them fast enough"
        let metadata: [(String, Logger.MetadataValue)] = [("count", .stringConvertible(count))]
        return switch format {
        case .json: JSONLogHandler.line(level: .warning, label: "log-output", message: message, metadata: metadata)
        case .text: TextLogHandler.line(level: .warning, message: message, metadata: metadata)
        }
    }
}

extension Duration {
    fileprivate var dispatchInterval: DispatchTimeInterval {
        let nanoseconds = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let total = nanoseconds.partialValue.addingReportingOverflow(components.attoseconds / 1_000_000_000)
        guard !nanoseconds.overflow, !total.overflow else { return .never }
        return .nanoseconds(Int(total.partialValue))
    }
}
