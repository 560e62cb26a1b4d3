import Foundation
import Locks
import Synchronization
import Testing

@testable import Journal

/// Every operation of a scripted run fails once, or is the last one before the power goes.
@Suite struct FaultTests {
    private let configuration = small { $0.tailBytes = 300 }

    private struct Outcome {
        var committed: [Read] = []
        var failed: [Read] = []
        var delivered: [Read] = []
        var confirmedBelow: UInt64 = 0
    }

    /// Appends over several segments, reads and confirms now and then, in the end or not.
    private func script(_ fileSystem: SimulatedFileSystem, confirms: Bool = true) -> Outcome {
        var outcome = Outcome()
        guard let journal = try? Journal.open(configuration, fileSystem: fileSystem) else { return outcome }
        let appender = TestAppender(journal)
        let reader = journal.makeReader()
        for index in 0..<30 {
            let text = "record \(index) " + String(repeating: "y", count: 60)
            guard let done = appender.append(text) else { continue }
            let read = Read(position: done.position.rawValue, text: text)
            if done.outcome == .committed { outcome.committed.append(read) } else { outcome.failed.append(read) }
            guard confirms, index % 4 == 3, let block = try? reader.next(maxBytes: 500) else { continue }
            outcome.delivered += block.reads
            outcome.confirmedBelow = block.last.rawValue + 1
            journal.confirm(below: JournalPosition(outcome.confirmedBelow))
        }
        journal.close()
        return outcome
    }

    /// All that was committed and not confirmed is there, in order; nothing is there that was never appended.
    private func check(_ fileSystem: SimulatedFileSystem, _ outcome: Outcome, _ what: String) throws {
        try withJournal(configuration, fileSystem) { journal in
            #expect(journal.statistics.confirmedBelow.rawValue <= outcome.confirmedBelow, "\(what): checkpoint ahead")
            let found = try journal.makeReader().all(maxBytes: 300)
            let due = outcome.committed.filter { $0.position >= outcome.confirmedBelow }
            let missing = due.filter { !found.contains($0) }
            #expect(missing.isEmpty, "\(what): lost \(missing)")
            #expect(found.map(\.position) == Set(found.map(\.position)).sorted(), "\(what): order")
            let known = outcome.committed + outcome.failed
            #expect(found.allSatisfy { known.contains($0) }, "\(what): made up")
            let next = try #require(TestAppender(journal).append("afterwards"), "\(what): refused")
            #expect(next.outcome == .committed, "\(what): not committed")
            #expect(next.position.rawValue > (outcome.committed.last?.position ?? 0), "\(what): position given twice")
        }
    }

    private func operationCount() -> Int {
        let fileSystem = SimulatedFileSystem()
        let outcome = script(fileSystem)
        #expect(outcome.committed.count == 30)
        #expect(fileSystem.operations.contains { $0.kind == .remove && $0.path.hasSuffix(".segment") })
        #expect(fileSystem.operations.contains { $0.kind == .rename && $0.path.hasSuffix("checkpoint.new") })
        return fileSystem.operationCount
    }

    @Test func whatWasCommittedIsReadableAfterAPowerLossAtEveryOperation() throws {
        for index in 0..<(operationCount() + 5) {
            let fileSystem = SimulatedFileSystem { $0.index == index ? .powerLoss : nil }
            let outcome = script(fileSystem)
            for seed in 0..<4 {
                try check(
                    fileSystem.copy(afterPowerLoss: UInt64(index * 10 + seed)),
                    outcome,
                    "power loss at \(index), \(seed)"
                )
            }
        }
    }

    @Test func aSecondPowerLossDuringTheRecoveryFromTheFirstLosesNothingEither() throws {
        for index in stride(from: 3, to: operationCount(), by: 7) {
            let fileSystem = SimulatedFileSystem { $0.index == index ? .powerLoss : nil }
            let first = script(fileSystem)
            for second in stride(from: 0, to: 40, by: 3) {
                let restarted = fileSystem.copy(afterPowerLoss: UInt64(index))
                restarted.setFault { $0.index == second ? .powerLoss : nil }
                var outcome = script(restarted)
                outcome.committed = first.committed + outcome.committed
                outcome.failed += first.failed
                outcome.confirmedBelow = max(outcome.confirmedBelow, first.confirmedBelow)
                try check(
                    restarted.copy(afterPowerLoss: UInt64(second)),
                    outcome,
                    "power loss at \(index), then \(second)"
                )
            }
        }
    }

    @Test func whatWasCommittedIsReadableAfterAKillAtEveryOperation() throws {
        for index in 0..<(operationCount() + 5) {
            let fileSystem = SimulatedFileSystem { $0.index == index ? .powerLoss : nil }
            let outcome = script(fileSystem)
            try check(fileSystem.copy(), outcome, "kill at \(index)")
        }
    }

    @Test func oneFailureAtAnyOperationFailsNoAppendAndLosesNothing() throws {
        for code in [EIO, ENOSPC] {
            for index in 1..<operationCount() {
                let fileSystem = SimulatedFileSystem { $0.index == index ? .error(code) : nil }
                let outcome = script(fileSystem)
                #expect(outcome.failed.isEmpty, "error \(code) at \(index): \(fileSystem.operations[index])")
                #expect(outcome.committed.count == 30)
                #expect(fileSystem.violations.isEmpty)
                try check(fileSystem.copy(), outcome, "error \(code) at \(index)")
                try check(
                    fileSystem.copy(afterPowerLoss: UInt64(index)),
                    outcome,
                    "error \(code) at \(index), power loss"
                )
            }
        }
    }

    @Test func halfAWriteIsAbandonedAndWrittenAgainElsewhere() throws {
        for target in 0..<30 {
            let count = Guarded(0)
            let fileSystem = SimulatedFileSystem { operation in
                guard operation.kind == .write, operation.path.hasSuffix(".segment") else { return nil }
                let index = count.withLock { count in
                    count += 1
                    return count
                }
                return index == target ? .halfWrite(EIO) : nil
            }
            let outcome = script(fileSystem, confirms: false)
            #expect(outcome.failed.isEmpty)
            #expect(fileSystem.violations.isEmpty)
            try check(fileSystem.copy(), outcome, "half of write \(target)")
        }
    }

    @Test func afterAFailedSyncTheRecordsMoveToANewSegmentWithTheSamePositionsAndAreReadOnce() throws {
        let fails = Guarded(false)
        let fileSystem = SimulatedFileSystem { operation in
            operation.kind == .syncData
                && fails.withLock { fails in
                    defer { fails = false }
                    return fails
                } ? .error(EIO) : nil
        }
        let abandoned = Atomic(0)
        let observer = JournalObserver(didAbandonSegment: { _ in abandoned.add(1, ordering: .relaxed) })
        try withJournal(configuration, fileSystem, observer: observer) { journal in
            let appender = TestAppender(journal)
            #expect(appender.append("one")?.outcome == .committed)
            fails.withLock { $0 = true }
            #expect(appender.append("two")?.outcome == .committed)
            #expect(abandoned.load(ordering: .relaxed) == 1)
            #expect(appender.append("three")?.outcome == .committed)
            try #expect(journal.makeReader().all().map(\.position) == [1, 2, 3])
        }
        #expect(fileSystem.paths.filter { $0.hasSuffix(".segment") }.count == 2)
        #expect(fileSystem.violations.isEmpty)
        // The abandoned tail still holds an intact frame for position 2.
        try withJournal(configuration, fileSystem) { journal in
            try #expect(journal.makeReader().all().map(\.position) == [1, 2, 3])
            #expect(journal.statistics.recovery.duplicatesSkipped == 1)
        }
    }

    @Test func aDiskThatFailsAndStaysFailedFailsAppendsAndTheNextOneAfterItsRecoveryCommits() throws {
        let isBroken = Atomic(false)
        let fileSystem = SimulatedFileSystem { operation in
            let kinds: [SimulatedFileSystem.Kind] = [.create, .write, .sync, .syncData]
            return isBroken.load(ordering: .relaxed) && kinds.contains(operation.kind) ? .error(EIO) : nil
        }
        try withJournal(configuration, fileSystem) { journal in
            let appender = TestAppender(journal)
            #expect(appender.append("one")?.outcome == .committed)
            isBroken.store(true, ordering: .relaxed)
            guard case .failed(.disk(let error)) = appender.append("two")?.outcome else {
                Issue.record("committed on a broken disk")
                return
            }
            #expect(error.systemCode == EIO)
            guard case .failing = journal.statistics.state else {
                Issue.record("the state does not tell")
                return
            }
            let before = fileSystem.operationCount
            isBroken.store(false, ordering: .relaxed)
            #expect(appender.append("three")?.outcome == .committed)
            #expect(fileSystem.operationCount - before < 20)
            #expect(journal.statistics.state == .accepting)
            try #expect(journal.makeReader().all().map(\.text) == ["one", "three"])
        }
    }

    @Test func aFullDiskAtTheStartStillShipsWhatIsThereAndRecoversByItself() throws {
        let (original, reads) = try filled(25)
        let fileSystem = original.copy()
        fileSystem.capacity = 0
        try withJournal(configuration, fileSystem) { journal in
            eventually("the state tells") {
                if case .failing(let error) = journal.statistics.state { error.code == .noSpace } else { false }
            }
            try #expect(journal.makeReader().all() == reads)
            fileSystem.capacity = .max
            eventually("it recovers without an append") { journal.statistics.state == .accepting }
            #expect(TestAppender(journal).append("new")?.outcome == .committed)
        }
    }

    @Test func onAFullDiskTheReservePaysForTheCheckpointThatFreesSegments() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(configuration, fileSystem) { journal in
            let appender = TestAppender(journal)
            // What worked once must work again: the reserve has to be made anew.
            for _ in 1...3 {
                for index in 0..<20 { _ = appender.append("record \(index) " + String(repeating: "z", count: 100)) }
                eventually("the reserve is there") { fileSystem.contents("/j/reserve")?.count == 32 << 10 }
                fileSystem.capacity = fileSystem.paths.reduce(0) { $0 + (fileSystem.contents($1)?.count ?? 0) }
                let before = journal.statistics.segments
                let reader = journal.makeReader()
                while let block = try reader.next(maxBytes: 4096) {
                    journal.confirm(below: JournalPosition(block.last.rawValue + 1))
                }
                eventually("segments are deleted") { journal.statistics.segments < before }
                #expect(appender.append("fits again")?.outcome == .committed)
                fileSystem.capacity = .max
                // Something to confirm, so that the journal tidies up again.
                _ = appender.append("and again")
                let last = journal.makeReader()
                while let block = try last.next(maxBytes: 4096) {
                    journal.confirm(below: JournalPosition(block.last.rawValue + 1))
                }
            }
        }
    }

    // MARK: Order of operations

    @Test func aSegmentIsDeletedOnlyAfterADurableCheckpointBeyondIt() throws {
        let fileSystem = SimulatedFileSystem()
        let problems = Guarded<[String]>([])
        let isSynced = Atomic(true)
        let deletions = Atomic(0)
        fileSystem.setFault { [unowned fileSystem] operation in
            if operation.kind == .rename { isSynced.store(false, ordering: .relaxed) }
            if operation.kind == .syncDirectory { isSynced.store(true, ordering: .relaxed) }
            guard operation.kind == .remove, operation.path.hasSuffix(".segment"),
                let bytes = fileSystem.contents(operation.path), bytes.count > SegmentHeader.bytes
            else { return nil }
            deletions.add(1, ordering: .relaxed)
            let checkpoint = fileSystem.contents("/j/checkpoint").flatMap { Checkpoint(decoding: $0) }
            var last: UInt64 = 0
            var offset = SegmentHeader.bytes
            while offset < bytes.count {
                bytes.withUnsafeBytes {
                    last = Frame.position(of: $0.baseAddress! + offset)
                    offset += Frame.bytes(of: $0.baseAddress! + offset)
                }
            }
            if !isSynced.load(ordering: .relaxed) || (checkpoint?.below ?? 0) <= last {
                problems.withLock { $0.append("\(operation.path) with \(last), checkpoint \(checkpoint?.below ?? 0)") }
            }
            return nil
        }
        _ = script(fileSystem)
        #expect(deletions.load(ordering: .relaxed) > 0)
        #expect(problems.withLock { $0 } == [])
    }

    @Test func theCheckpointNeverCoversWhatIsNotConfirmedEvenIfTheCallerAsksForIt() throws {
        let fileSystem = SimulatedFileSystem()
        let journal = try Journal.open(configuration, fileSystem: fileSystem)
        let appender = TestAppender(journal)
        _ = appender.append("one")
        journal.confirm(below: JournalPosition(1000))
        eventually("durable") { journal.statistics.durableCheckpoint == JournalPosition(2) }
        _ = appender.append("two")
        let crashed = fileSystem.copy(afterPowerLoss: 3)
        journal.close()
        try withJournal(configuration, crashed) { journal in
            try #expect(journal.makeReader().all().map(\.text) == ["two"])
        }
    }

    @Test func aCommitIsResolvedOnlyAfterItsSync() throws {
        let fileSystem = SimulatedFileSystem()
        let resolutions = Resolutions()
        let early = Atomic(0)
        fileSystem.setFault { operation in
            if operation.kind == .syncData, !resolutions.list.isEmpty { early.add(1, ordering: .relaxed) }
            return nil
        }
        try withJournal(configuration, fileSystem) { journal in
            let appender = journal.makeAppender { resolutions.add($0) }
            let result = Array("x".utf8).withUnsafeBytes { appender.append($0) }
            guard case .pending(let position) = result else { return }
            _ = resolutions.wait(for: position)
        }
        #expect(early.load(ordering: .relaxed) == 0)
        #expect(fileSystem.operations.contains { $0.kind == .syncData })
    }

    @Test func withoutSyncOnlyTheDataSyncIsSkipped() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(small { $0.sync = false }, fileSystem) { _ = TestAppender($0).append("x") }
        #expect(!fileSystem.operations.contains { $0.kind == .syncData })
        #expect(fileSystem.operations.contains { $0.kind == .sync && $0.path.hasSuffix(".segment") })
        #expect(fileSystem.operations.contains { $0.kind == .syncDirectory })
    }
}
