import Foundation
import Locks
import Synchronization
import Testing

@testable import Journal

@Suite struct JournalTests {
    @Test func recordsComeBackInOrderAndAfterACleanClosePositionsHaveNoGap() throws {
        try withDirectory { directory in
            let configuration = JournalConfiguration(directory: directory)
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                for index in 1...5 { #expect(appender.append("a\(index)")?.outcome == .committed) }
                let reader = journal.makeReader()
                try #expect(reader.all().map(\.text) == ["a1", "a2", "a3", "a4", "a5"])
                try #expect(reader.next(maxBytes: 100) == nil)
                journal.confirm(below: JournalPosition(3))
            }
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                #expect(appender.append("b1")?.position == JournalPosition(6))
                let read = try journal.makeReader().all()
                #expect(read.map(\.position) == [3, 4, 5, 6])
                #expect(journal.statistics.recovery.checkpoint == .used)
                #expect(journal.statistics.recovery.damagedBytes == 0)
            }
        }
    }

    @Test func aStartTellsWhenTheLastRecordOfTheEarlierRunWasWritten() throws {
        try withDirectory { directory in
            let configuration = JournalConfiguration(directory: directory)
            for _ in 0..<2 {
                try withJournal(configuration) { #expect($0.statistics.recovery.lastWrittenAt == nil, "no record") }
            }
            let before = Date().timeIntervalSince1970 * 1000
            try withJournal(configuration) { #expect(TestAppender($0).append("a")?.outcome == .committed) }
            let after = Date().timeIntervalSince1970 * 1000
            // A run that writes nothing leaves the time as it is. The file system's clock is coarse.
            for _ in 0..<2 {
                try withJournal(configuration) { journal in
                    let writtenAt = Double(try #require(journal.statistics.recovery.lastWrittenAt))
                    #expect(writtenAt >= before - 100 && writtenAt <= after)
                }
            }
        }
    }

    @Test func manyConcurrentAppendersAreCommittedInArrivalOrderAndEachIsResolvedOnce() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, segmentBytes: 64 << 10)
            configuration.chunkBytes = 16 << 10
            let commits = Atomic(0)
            let observer = JournalObserver(didCommit: { _ in commits.add(1, ordering: .relaxed) })
            try withJournal(configuration, observer: observer) { journal in
                let appenders = (0..<8).map { _ in TestAppender(journal) }
                let given = Guarded<[Int: [JournalPosition]]>([:])
                DispatchQueue.concurrentPerform(iterations: 8) { lane in
                    var positions: [JournalPosition] = []
                    for index in 0..<500 {
                        if case .pending(let position) = appenders[lane].begin("\(lane)/\(index)") {
                            positions.append(position)
                        }
                    }
                    given.withLock { $0[lane] = positions }
                    if let last = positions.last { _ = appenders[lane].resolutions.wait(for: last) }
                }
                for (lane, appender) in appenders.enumerated() {
                    let positions = given.withLock { $0[lane] } ?? []
                    #expect(positions.count == 500)
                    #expect(positions == positions.sorted())
                    let resolutions = appender.resolutions.list
                    // Strictly growing, and the last one settles the last append: so each is settled exactly once.
                    #expect(zip(resolutions, resolutions.dropFirst()).allSatisfy { $0.through < $1.through })
                    #expect(resolutions.last?.through == positions.last)
                    #expect(resolutions.allSatisfy { $0.outcome == .committed })
                }
                let read = try journal.makeReader().all(maxBytes: 5000)
                #expect(read.map(\.position) == Array(1...4000))
                for lane in 0..<8 {
                    #expect(
                        read.filter { $0.text.hasPrefix("\(lane)/") }.map(\.text) == (0..<500).map { "\(lane)/\($0)" }
                    )
                }
                #expect(commits.load(ordering: .relaxed) < 4000)
                #expect(journal.statistics.recordsCommitted == 4000)
                #expect(journal.statistics.pendingBytes == 0)
            }
        }
    }

    @Test func thePositionIsStampedIntoThePayload() throws {
        try withDirectory { directory in
            try withJournal(JournalConfiguration(directory: directory)) { journal in
                let appender = TestAppender(journal)
                _ = appender.append("first")
                let template = "{\"sequence\":\"r.????????????????????\"}"
                guard case .pending(let position) = appender.begin(template, stampAt: 15) else {
                    Issue.record("refused")
                    return
                }
                _ = appender.resolutions.wait(for: position)
                try #expect(
                    journal.makeReader(from: position).all().map(\.text) == [
                        "{\"sequence\":\"r.00000000000000000002\"}"
                    ]
                )
            }
        }
    }

    @Test func aSecondOpenOfADirectoryIsRefusedWithWordsAndTheLockEndsWithClose() throws {
        try withDirectory { directory in
            let journal = try Journal.open(JournalConfiguration(directory: directory))
            do throws(JournalError) {
                let second = try Journal.open(JournalConfiguration(directory: directory))
                second.close()
                Issue.record("a second journal was opened")
            } catch {
                #expect(error.code == .locked)
                #expect(error.description.contains(directory))
                #expect(error.description.contains("stop that process"))
            }
            journal.close()
            journal.close()
            try Journal.open(JournalConfiguration(directory: directory)).close()
        }
    }

    @Test func aReaderThatLagsIsServedFromDiskAndCatchesUp() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, segmentBytes: 4096, tailBytes: 1000)
            configuration.chunkBytes = 512
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                let reader = journal.makeReader()
                var read: [Read] = []
                for index in 0..<300 {
                    _ = appender.append("record \(index)")
                    // Keeps up at first, then falls behind by more than the tail holds, again and again.
                    if index < 20 || index % 97 == 0, let block = try reader.next(maxBytes: 300) {
                        #expect(block.count == 1 || block.reads.reduce(0) { $0 + $1.text.utf8.count + 40 } <= 300)
                        read += block.reads
                    }
                }
                read += try reader.all(maxBytes: 500)
                #expect(read.map(\.text) == (0..<300).map { "record \($0)" })
                #expect(journal.statistics.tailBytes <= 1000)
                reader.seek(to: JournalPosition(150))
                try #expect(reader.all().map(\.position) == Array(150...300))
                reader.seek(to: JournalPosition(299))
                try #expect(reader.all().map(\.position) == [299, 300])
            }
        }
    }

    @Test func aRecordLargerThanBlockBufferAndSegmentIsReadFromMemoryAndFromDisk() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, segmentBytes: 4096, tailBytes: 0)
            configuration.chunkBytes = 512
            let large = String(repeating: "L", count: 100_000)
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                for text in ["before", large, "after"] { #expect(appender.append(text)?.outcome == .committed) }
                try #expect(journal.makeReader().all(maxBytes: 10).map(\.text) == ["before", large, "after"])
            }
            try withJournal(configuration) { journal in
                try #expect(journal.makeReader().all(maxBytes: 10).map(\.text) == ["before", large, "after"])
                #expect(
                    TestAppender(journal).begin(String(repeating: "x", count: (16 << 20) + 1)) == .refused(.tooLarge)
                )
            }
        }
    }

    @Test func aBlockOutlivesReaderAndTail() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, tailBytes: 200)
            configuration.chunkBytes = 256
            let block = try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                _ = appender.append("kept")
                let block = try journal.makeReader().next(maxBytes: 100)
                for index in 0..<50 { _ = appender.append("later \(index)") }
                return block
            }
            #expect(block?.reads == [Read(position: 1, text: "kept")])
        }
    }

    @Test func commitWakesReaders() throws {
        try withDirectory { directory in
            try withJournal(JournalConfiguration(directory: directory)) { journal in
                let woken = DispatchSemaphore(value: 0)
                journal.onCommit { woken.signal() }
                _ = TestAppender(journal).append("x")
                #expect(woken.wait(timeout: .now() + 10) == .success)
            }
        }
    }

    @Test func closeCommitsWhatWaitsAndThenRefuses() throws {
        try withDirectory { directory in
            let configuration = JournalConfiguration(directory: directory)
            let journal = try Journal.open(configuration)
            let appender = TestAppender(journal)
            for index in 0..<100 { _ = appender.begin("\(index)") }
            journal.close()
            #expect(
                appender.resolutions.list.last == AppendResolution(through: JournalPosition(100), outcome: .committed)
            )
            #expect(appender.begin("late") == .refused(.closed))
            #expect(journal.statistics.state == .closed)
            try withJournal(configuration) { journal in try #expect(journal.makeReader().all().count == 100) }
        }
    }

    @Test func openTakesTheSameTimeWhateverOldSegmentsHold() throws {
        // A sparse file of 8 GiB stands for a large old segment: nothing of it may be read before open returns.
        try withDirectory { directory in
            let configuration = JournalConfiguration(directory: directory, maxBytes: 64 << 30)
            try withJournal(configuration) { _ = TestAppender($0).append("old") }
            let path = directory + "/" + DirectoryLayout.segmentName(1)
            truncate(path, 8 << 30)
            let clock = ContinuousClock()
            var journal: Journal?
            let time = try clock.measure { journal = try Journal.open(configuration) }
            defer { journal?.close() }
            #expect(time < .milliseconds(500))
            let opened = try #require(journal)
            #expect(TestAppender(opened).append("new")?.outcome == .committed)
        }
    }

    @Test func theDirectoryCanBeInspectedWhileTheJournalIsOpen() throws {
        try withDirectory { directory in
            var configuration = JournalConfiguration(directory: directory, segmentBytes: 600)
            configuration.checkpointInterval = .milliseconds(1)
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                for index in 0..<30 { _ = appender.append("record \(index)") }
                let view = try JournalDirectory(inspecting: directory)
                #expect(view.segments.count > 2)
                var reads: [Read] = []
                for segment in view.segments {
                    try view.read(segment) { finding, _ in
                        if case .records(let block) = finding { reads += block.reads }
                        if case .damage(let range) = finding { Issue.record("damage \(range)") }
                        return true
                    }
                }
                #expect(reads.map(\.position) == Array(1...30))
                #expect(view.isInUse)
            }
            let closed = try JournalDirectory(inspecting: directory)
            #expect(closed.isCleanlyClosed && !closed.isInUse && closed.checkpoint == .used)
            let lock = try JournalLock(directory)
            #expect(throws: JournalError.self) { try Journal.open(configuration) }
            withExtendedLifetime(lock) {}
        }
    }

    @Test func theEndOfTheNewestSegmentIsUnfinishedInALiveJournalAndDamagedInADeadOne() throws {
        try withDirectory { directory in
            let configuration = JournalConfiguration(directory: directory)
            let path = directory + "/" + DirectoryLayout.segmentName(1)
            func findings() throws -> [String] {
                let view = try JournalDirectory(inspecting: directory)
                var found: [String] = []
                try view.read(#require(view.segments.first)) { finding, _ in
                    switch finding {
                    case .records(let block): found.append("records \(block.count)")
                    case .unfinished(let range): found.append("unfinished \(range.count)")
                    case .damage(let range): found.append("damage \(range.count)")
                    case .repeated, .deleted: found.append("other")
                    }
                    return true
                }
                return found
            }
            try withJournal(configuration) { journal in
                let appender = TestAppender(journal)
                for index in 0..<3 { _ = appender.append("record \(index)") }
                let file = try #require(FileHandle(forWritingAtPath: path))
                try file.seekToEnd()
                try file.write(contentsOf: Data([1, 2, 3]))
                try #expect(findings() == ["records 3", "unfinished 3"])
            }
            try #expect(findings() == ["records 3", "damage 3"])
        }
    }

    @Test func twoDirectoriesChangeTheirNamesInOneStep() throws {
        try withDirectory { directory in
            for name in ["a", "b"] {
                try FileManager.default.createDirectory(
                    atPath: "\(directory)/\(name)/in-\(name)",
                    withIntermediateDirectories: true
                )
            }
            let doubt = try DirectoryExchange.exchange("a", "b", in: directory)
            #expect(doubt == nil)
            #expect(FileManager.default.fileExists(atPath: "\(directory)/a/in-b"))
            #expect(FileManager.default.fileExists(atPath: "\(directory)/b/in-a"))
            #expect(throws: JournalError.self) { try DirectoryExchange.exchange("a", "missing", in: directory) }
            #expect(FileManager.default.fileExists(atPath: "\(directory)/a/in-b"))
        }
    }
}
