import Foundation
import Synchronization
import Testing

@testable import Journal

/// An owner that appends again what failed needs to know that nothing of its own has gone past it.
@Suite struct OrderAfterFailureTests {
    /// A disk whose next data sync waits for a word and then fails, as does the second try in a new segment.
    private final class StuckDisk: Sendable {
        let fileSystem = SimulatedFileSystem()
        let isArmed = Atomic(false)
        let isStuck = Atomic(false)
        private let mayGoOn = Atomic(false)
        private let failures = Atomic(0)

        init() {
            fileSystem.setFault { [unowned self] operation in
                guard operation.kind == .syncData, isArmed.load(ordering: .acquiring) else { return nil }
                isStuck.store(true, ordering: .releasing)
                while !mayGoOn.load(ordering: .acquiring) { usleep(200) }
                if failures.add(1, ordering: .relaxed).newValue == 2 { isArmed.store(false, ordering: .releasing) }
                return .error(EIO)
            }
        }

        func goOn() { mayGoOn.store(true, ordering: .releasing) }
    }

    private func position(_ result: AppendResult) throws -> JournalPosition {
        guard case .pending(let position) = result else {
            Issue.record("\(result)")
            throw CancellationError()
        }
        return position
    }

    @Test func afterAFailedAppendNoLaterOneOfItsAppenderIsCommittedUntilItResumes() throws {
        let disk = StuckDisk()
        try withJournal(small(), disk.fileSystem) { journal in
            let resolutions = Resolutions()
            let moving = journal.makeAppender(breaksOff: true) { resolutions.add($0) }
            func move(_ text: String) -> AppendResult { Array(text.utf8).withUnsafeBytes { moving.append($0) } }
            let other = TestAppender(journal)
            disk.isArmed.store(true, ordering: .releasing)
            let first = try position(move("first"))
            eventually("the first is at the disk") { disk.isStuck.load(ordering: .acquiring) }
            let second = try position(move("second"))
            let foreign = try position(other.begin("foreign"))
            let third = try position(move("third"))
            disk.goOn()
            guard case .failed(.disk) = resolutions.wait(for: first) else {
                Issue.record("the first was committed")
                return
            }
            #expect(resolutions.wait(for: second) == .failed(.brokenOff))
            #expect(resolutions.wait(for: third) == .failed(.brokenOff))
            #expect(other.resolutions.wait(for: foreign) == .committed, "others are not concerned")
            #expect(move("fourth") == .refused(.brokenOff))
            #expect(moving.resume())
            for text in ["first", "second", "third"] {
                try #expect(resolutions.wait(for: position(move(text))) == .committed)
            }
            try #expect(journal.makeReader().all().map(\.text) == ["foreign", "first", "second", "third"])
            #expect(journal.statistics.pendingBytes == 0)
        }
    }

    @Test func whoWaitsInVainForRoomTakesThoseBehindItAlong() {
        var queue = StagingQueue(maxPendingBytes: 1 << 20, chunkBytes: 1024, nextPosition: 1)
        queue.addAppender(0, breaksOff: true)
        queue.addAppender(1)
        func append(_ appender: Int, _ deadline: UInt64) {
            let payload = [UInt8](repeating: 1, count: 60)
            _ = payload.withUnsafeBytes {
                queue.append($0, stampAt: nil, appender: appender, appendedAt: 0, deadline: deadline)
            }
        }
        append(0, 10)
        append(0, 20)
        append(1, 20)
        append(0, 20)
        var conditions = CommitConditions(
            now: 15,
            room: 0,
            segmentBytes: 4096,
            batchBytes: 4096,
            positionsPerSegment: 100,
            active: nil
        )
        func step() -> String {
            switch queue.nextStep(conditions) {
            case .commit(let batch, _): return "commit \(batch.first)...\(batch.last) \(batch.settled)"
            case .fail(let batch, let failure):
                queue.settle(batch)
                queue.breakOff(batch)
                return "fail \(batch.first)...\(batch.last) \(failure)"
            case .sleep: return "sleep"
            default: return "other"
            }
        }
        #expect(step() == "fail 1...1 full")
        // Now there is room, and the others' time is not over.
        conditions.room = 4096
        #expect(step() == "fail 2...2 brokenOff")
        #expect(step().hasPrefix("commit 3...3"))
        let early = queue.resume(0)
        #expect(!early)
        #expect(step() == "fail 4...4 brokenOff")
        let resumed = queue.resume(0)
        #expect(resumed)
        append(0, 20)
        #expect(step().hasPrefix("commit 5...5"))
    }
}
