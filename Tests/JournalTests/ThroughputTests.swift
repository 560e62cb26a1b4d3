import Foundation
import Locks
import Synchronization
import Testing

@testable import Journal

/// Numbers, not a test: `JOURNAL_MEASURE=1 swift test -c release -Xswiftc -enable-testing --filter Throughput`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["JOURNAL_MEASURE"] != nil), .serialized)
struct ThroughputTests {
    @Test func checksum() {
        let bytes = [UInt8](repeating: 0xa5, count: 64 << 20)
        let time = ContinuousClock().measure { bytes.withUnsafeBytes { #expect(CRC32C.checksum($0) != 0) } }
        print("CRC-32C: \(Double(bytes.count) / 1e9 / seconds(time)) GB/s")
    }

    @Test(arguments: [(1, true), (16, true), (64, true), (256, true), (64, false)])
    func append(waiting: Int, sync: Bool) throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, maxBytes: 4 << 30)
            configuration.sync = sync
            try withJournal(configuration) { journal in
                let payload = [UInt8](repeating: 0x61, count: 1024)
                let total = waiting == 1 ? 10_000 : sync ? 300_000 : 600_000
                let done = DispatchSemaphore(value: 0)
                let lane = Lane(total: total, payload: payload, done: done)
                // What a request does: a new append as soon as the last one was answered.
                lane.appender.withLock { $0 = journal.makeAppender { lane.resolved($0) } }
                let clock = ContinuousClock()
                let time = clock.measure {
                    lane.begin(waiting)
                    done.wait()
                }
                let statistics = journal.statistics
                print(
                    "\(waiting) waiting, sync \(sync): \(Int(Double(total) / seconds(time))) appends/s, "
                        + "\(Double(statistics.recordsCommitted) / Double(statistics.commits)) records a commit"
                )
                let reader = journal.makeReader(from: .first)
                var read = 0
                let readTime = try clock.measure {
                    while let block = try reader.next(maxBytes: 1 << 20) { read += block.count }
                }
                print("  read back \(read) records, \(Double(read) * 1064 / 1e9 / seconds(readTime)) GB/s")
            }
        }
    }

    /// The cost of an append itself, without anybody waiting.
    @Test func appendAlone() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, maxBytes: 4 << 30)
            configuration.maxPendingBytes = 1 << 30
            try withJournal(configuration) { journal in
                let appender = journal.makeAppender { _ in }
                let payload = [UInt8](repeating: 0x61, count: 1024)
                let time = ContinuousClock().measure {
                    for _ in 0..<200_000 { payload.withUnsafeBytes { _ = appender.append($0, stampAt: 100) } }
                }
                print("append call: \(Int(seconds(time) * 1e9 / 200_000)) ns (with the commit thread at work)")
            }
        }
    }

    private func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private final class Lane: Sendable {
        let appender = Guarded<JournalAppender?>(nil)
        private let state: Guarded<(left: Int, pending: Int, last: UInt64)>
        private let payload: [UInt8]
        private let done: DispatchSemaphore

        init(total: Int, payload: [UInt8], done: DispatchSemaphore) {
            state = Guarded((total, 0, 0))
            self.payload = payload
            self.done = done
        }

        func begin(_ count: Int) {
            guard let appender = appender.withLock({ $0 }) else { return }
            for _ in 0..<count { payload.withUnsafeBytes { _ = appender.append($0) } }
            state.withLock {
                $0.left -= count
                $0.pending += count
            }
        }

        func resolved(_ resolution: AppendResolution) {
            let (next, isDone) = state.withLock { state -> (Int, Bool) in
                let settled = Int(resolution.through.rawValue - state.last)
                state.last = resolution.through.rawValue
                state.pending -= settled
                let next = min(settled, state.left)
                return (next, next == 0 && state.pending <= 0)
            }
            if next > 0 { begin(next) }
            if isDone { done.signal() }
        }
    }
}
