import Foundation
import Synchronization
import Testing

@testable import Journal

@Suite struct QuotaTests {
    private let payload = String(repeating: "q", count: 160)  // a frame of 200 bytes

    private func tight(_ change: (inout JournalConfiguration) -> Void = { _ in }) -> JournalConfiguration {
        small {
            $0.maxBytes = 8192
            $0.roomTimeout = .seconds(30)
            change(&$0)
        }
    }

    /// Appends until one has to wait; returns the positions that wait, after `extra` more appends.
    private func fill(_ journal: Journal, _ appender: TestAppender, extra: Int) -> [JournalPosition] {
        while true {
            guard case .pending(let position) = appender.begin(payload) else { return [] }
            eventually("committed or full") {
                appender.resolutions.outcome(of: position) != nil || journal.statistics.state == .full
            }
            guard journal.statistics.state == .full else { continue }
            var waiting = [position]
            for _ in 0..<extra {
                if case .pending(let position) = appender.begin(payload) { waiting.append(position) }
            }
            return waiting
        }
    }

    @Test func aFullJournalLetsAppendsWaitAndTheyCommitInOrderWhenRoomComes() throws {
        let fileSystem = SimulatedFileSystem()
        let highest = Atomic(0)
        fileSystem.setFault { [unowned fileSystem] operation in
            guard operation.kind == .syncData else { return nil }
            let used = fileSystem.paths.filter { $0.hasSuffix(".segment") }
                .reduce(0) { $0 + (fileSystem.contents($1)?.count ?? 0) }
            _ = highest.max(used, ordering: .relaxed)
            return nil
        }
        try withJournal(tight(), fileSystem) { journal in
            let appender = TestAppender(journal)
            let waiting = fill(journal, appender, extra: 10)
            #expect(waiting.allSatisfy { appender.resolutions.outcome(of: $0) == nil })
            #expect(journal.statistics.waitingAppends == 11)
            let reader = journal.makeReader()
            var read: [Read] = []
            while let block = try reader.next(maxBytes: 1000) {
                read += block.reads
                journal.confirm(below: JournalPosition(block.last.rawValue + 1))
            }
            for position in waiting { #expect(appender.resolutions.wait(for: position) == .committed) }
            let through = appender.resolutions.list.map(\.through)
            #expect(through == through.sorted())
            read += try reader.all()
            #expect(read.suffix(waiting.count).map(\.position) == waiting.map(\.rawValue))
            #expect(read.map(\.position) == Array(1...UInt64(read.count)))
            eventually("the state tells of the room") { journal.statistics.state == .accepting }
        }
        #expect(highest.load(ordering: .relaxed) <= 8192)
    }

    @Test func withoutRoomAppendsFailInOrderAfterTheTimeoutAndLaterOnesSucceed() throws {
        let configuration = tight { $0.roomTimeout = .milliseconds(50) }
        try withJournal(configuration, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            let waiting = fill(journal, appender, extra: 3)
            for position in waiting { #expect(appender.resolutions.wait(for: position) == .failed(.full)) }
            #expect(journal.statistics.pendingBytes == 0)
            #expect(journal.statistics.recordsFailed >= 4)
            let reader = journal.makeReader()
            let read = try reader.all()
            #expect(!read.contains { waiting.map(\.rawValue).contains($0.position) })
            journal.confirm(below: journal.statistics.next)
            eventually("the confirmed segments are deleted") { journal.statistics.segments == 1 }
            let retry = appender.append("room")
            #expect(retry?.outcome == .committed)
            try #expect(reader.all().map(\.text) == ["room"])
        }
    }

    @Test func closeFailsWhatWaitsForRoom() throws {
        let journal = try Journal.open(tight(), fileSystem: SimulatedFileSystem())
        let appender = TestAppender(journal)
        let waiting = fill(journal, appender, extra: 2)
        journal.close()
        for position in waiting { #expect(appender.resolutions.outcome(of: position) == .failed(.closed)) }
    }

    @Test func moreThanThePendingBoundIsRefused() throws {
        let configuration = tight { $0.maxPendingBytes = 1000 }
        try withJournal(configuration, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            #expect(fill(journal, appender, extra: 20).count == 5)
            #expect(appender.begin(payload) == .refused(.overloaded))
        }
    }

    @Test func confirmedSegmentsAreRetainedForReplayAndGivenUpUnderPressure() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(tight { $0.retain = .seconds(3600) }, fileSystem) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<15 { _ = appender.append(payload) }
            let segments = journal.statistics.segments
            #expect(segments > 2)
            journal.confirm(below: journal.statistics.next)
            eventually("durable") { journal.statistics.durableCheckpoint == journal.statistics.next }
            #expect(journal.statistics.segments == segments)
            try #expect(journal.makeReader(from: .first).all().count == 15)
            let reader = journal.makeReader()
            for index in 0..<60 {
                #expect(appender.append(payload)?.outcome == .committed, "append \(index)")
                _ = try reader.all()
                journal.confirm(below: journal.statistics.next)
            }
            #expect(journal.statistics.diskBytes <= 8192)
            #expect(journal.statistics.segments > 2)
        }
    }

    @Test func whatIsHeldIsWhatStaysWhenRoomIsNeeded() throws {
        try withJournal(tight { $0.retain = .seconds(3600) }, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<30 { _ = appender.append(payload) }
            var statistics = journal.statistics
            #expect(statistics.heldBytes == statistics.diskBytes && statistics.unconfirmedBytes == statistics.diskBytes)

            // Whole segments are given up: the third record holds the two before it.
            journal.confirm(below: JournalPosition(3))
            statistics = journal.statistics
            #expect(statistics.heldBytes == statistics.diskBytes)
            #expect(statistics.unconfirmedBytes < statistics.diskBytes - 300)
            journal.confirm(below: JournalPosition(23))
            statistics = journal.statistics
            #expect(statistics.heldBytes == 10 * 200 + 3 * SegmentHeader.bytes)
            #expect(statistics.unconfirmedBytes == statistics.heldBytes - (4 * 200 + SegmentHeader.bytes) / 2)

            // Retained, but nobody's loss.
            journal.confirm(below: statistics.next)
            statistics = journal.statistics
            #expect(statistics.heldBytes == 0 && statistics.unconfirmedBytes == 0 && statistics.diskBytes > 6000)
        }
    }

    @Test func whatIsRetainedOfAnEarlierRunIsNotHeld() throws {
        let fileSystem = SimulatedFileSystem()
        let configuration = tight { $0.retain = .seconds(3600) }
        let next = try withJournal(configuration, fileSystem) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<20 { _ = appender.append(payload) }
            journal.confirm(below: JournalPosition(19))
            return journal.statistics.next
        }
        try withJournal(configuration, fileSystem) { journal in
            // Older segments are looked at beside the start.
            eventually("they are counted") { journal.statistics.diskBytes > 4000 }
            #expect((200..<1600).contains(journal.statistics.heldBytes), "\(journal.statistics)")
            _ = try journal.makeReader().all()
            journal.confirm(below: next)
            #expect(journal.statistics.heldBytes == 0, "\(journal.statistics)")
        }
    }

    @Test func whatIsOnlyRetainedNeverMakesAnAppendWait() throws {
        try withJournal(tight { $0.retain = .seconds(3600) }, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<200 {
                _ = appender.append(payload)
                journal.confirm(below: journal.statistics.next)
                let limit = Date(timeIntervalSinceNow: 5)
                while journal.statistics.diskBytes > 8192 - 512, Date() < limit { usleep(200) }
                try #require(journal.statistics.diskBytes <= 8192 - 512, "a sixteenth is free")
                #expect(journal.statistics.state == .accepting)
            }
            #expect(journal.statistics.segments > 2, "the rest is retained")
        }
    }

    @Test func whatWaitsIsAnsweredOnceThereAreConfirmedBytesHoweverLongTheyAreRetained() throws {
        let configuration = tight {
            $0.retain = .seconds(3600)
            $0.roomTimeout = .seconds(5)
        }
        try withJournal(configuration, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            let waiting = fill(journal, appender, extra: 10)
            let reader = journal.makeReader()
            // Little by little: what could not be freed at first must be freed when more is confirmed.
            while waiting.contains(where: { appender.resolutions.outcome(of: $0) == nil }) {
                guard let block = try reader.next(maxBytes: 300) else { break }
                journal.confirm(below: JournalPosition(block.last.rawValue + 1))
                usleep(2000)
            }
            for position in waiting { #expect(appender.resolutions.wait(for: position) == .committed) }
        }
    }

    @Test func afterATimeOfBeingFullReadinessReturnsWithoutAnAppend() throws {
        for retain in [Duration.zero, .seconds(3600)] {
            let configuration = tight {
                $0.retain = retain
                $0.roomTimeout = .milliseconds(50)
            }
            try withJournal(configuration, SimulatedFileSystem()) { journal in
                let appender = TestAppender(journal)
                let waiting = fill(journal, appender, extra: 3)
                for position in waiting { #expect(appender.resolutions.wait(for: position) == .failed(.full)) }
                #expect(journal.statistics.state == .full)
                let reader = journal.makeReader()
                while journal.statistics.state == .full, let block = try reader.next(maxBytes: 300) {
                    journal.confirm(below: JournalPosition(block.last.rawValue + 1))
                    usleep(2000)
                }
                eventually("it accepts again") { journal.statistics.state == .accepting }
            }
        }
    }

    @Test func onAFullVolumeWhatIsRetainedIsGivenUpWhenItIsConfirmed() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(small { $0.retain = .seconds(3600) }, fileSystem) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<20 { _ = appender.append(payload) }
            eventually("the reserve is there") { fileSystem.contents("/j/reserve")?.count == 32 << 10 }
            // The first segment is retained, so there is a time to wake at, an hour away.
            let first = try #require(fileSystem.contents("/j/00000000000000000001.segment"))
            journal.confirm(below: JournalPosition(try #require(frames(first).last).position + 1))
            eventually("durable") { journal.statistics.durableCheckpoint == journal.statistics.confirmedBelow }
            fileSystem.capacity = fileSystem.paths.reduce(0) { $0 + (fileSystem.contents($1)?.count ?? 0) }
            while appender.append(payload)?.outcome == .committed {}
            journal.confirm(below: journal.statistics.next)
            eventually("it recovers without an append") { journal.statistics.state == .accepting }
            #expect(appender.append(payload)?.outcome == .committed)
        }
    }

    @Test func aConfirmationIsDurableSoonAlthoughSegmentsAreRetained() throws {
        try withJournal(tight { $0.retain = .seconds(3600) }, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<15 { _ = appender.append(payload) }
            for _ in 0..<3 {
                journal.confirm(below: journal.statistics.next)
                eventually("durable") { journal.statistics.durableCheckpoint == journal.statistics.next }
                // Until the maintenance thread sleeps.
                usleep(20_000)
                _ = appender.append("x")
            }
        }
    }

    @Test func retentionEnds() throws {
        try withJournal(tight { $0.retain = .milliseconds(30) }, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            for _ in 0..<15 { _ = appender.append(payload) }
            journal.confirm(below: journal.statistics.next)
            eventually("only the open segment is left") { journal.statistics.segments == 1 }
        }
    }

    @Test func segmentsOfAnEarlierRunAreDeletedOnceTheyAreReadAndConfirmed() throws {
        let (fileSystem, reads) = try filled(40)
        try withJournal(small(), fileSystem) { journal in
            let reader = journal.makeReader()
            try #expect(reader.all() == reads)
            #expect(journal.statistics.recovery.segmentsExamined == journal.statistics.recovery.segmentsFound)
            journal.confirm(below: JournalPosition(20))
            eventually("the first are deleted") { journal.statistics.segmentsDeleted > 0 }
            journal.confirm(below: JournalPosition(41))
            eventually("all old ones are deleted") { journal.statistics.segments == 1 }
        }
        #expect(fileSystem.paths.filter { $0.hasSuffix(".segment") }.count == 1)
    }

    @Test func underLoadAtMostOneCheckpointAnIntervalAndOneAtOnceWhenIdle() throws {
        try withJournal(small { $0.checkpointInterval = .seconds(600) }, SimulatedFileSystem()) { journal in
            let appender = TestAppender(journal)
            for index in 0..<100 {
                guard let done = appender.append("x") else { continue }
                journal.confirm(below: JournalPosition(done.position.rawValue + 1))
                if index == 0 {
                    eventually("the first goes at once") { journal.statistics.checkpointsWritten == 1 }
                }
            }
            // Segments were filled, and each may need one more before it can be deleted.
            #expect(journal.statistics.checkpointsWritten <= 1 + journal.statistics.segmentsDeleted + 1)
        }
    }
}
