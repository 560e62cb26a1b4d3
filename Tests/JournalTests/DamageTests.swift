import Foundation
import Testing

@testable import Journal

/// Whatever happened to the files: a start never fails, nothing intact is lost, nothing is made up.
@Suite struct DamageTests {
    private let configuration = small()

    private func reopen(_ fileSystem: SimulatedFileSystem, _ body: (Journal) throws -> Void = { _ in }) throws -> [Read]
    {
        try withJournal(configuration, fileSystem) { journal in
            let reads = try journal.makeReader().all(maxBytes: 700)
            try body(journal)
            return reads
        }
    }

    /// Where each record lies: path, and the range of its frame.
    private func places(_ fileSystem: SimulatedFileSystem, _ reads: [Read]) -> [(path: String, range: Range<Int>)] {
        var places: [(String, Range<Int>)] = []
        for path in fileSystem.paths where path.hasSuffix(".segment") {
            let bytes = fileSystem.contents(path) ?? []
            var offset = SegmentHeader.bytes
            while offset < bytes.count {
                let length = bytes.withUnsafeBytes { Frame.bytes(of: $0.baseAddress! + offset) }
                places.append((path, offset..<(offset + length)))
                offset += length
            }
        }
        precondition(places.count == reads.count)
        return places
    }

    @Test func truncationAtEveryByteLosesOnlyWhatIsCut() throws {
        let (original, reads) = try filled(25)
        let places = places(original, reads)
        for path in original.paths where path.hasSuffix(".segment") {
            let bytes = try #require(original.contents(path))
            for length in 0..<bytes.count {
                let fileSystem = original.copy()
                fileSystem.setContents(path, Array(bytes.prefix(length)))
                let expected = zip(reads, places).filter { $1.path != path || $1.range.upperBound <= length }.map(\.0)
                let found = try reopen(fileSystem)
                guard found == expected else {
                    Issue.record("\(path) cut at \(length): \(found.count) records, not \(expected.count)")
                    return
                }
            }
        }
    }

    @Test func anyFlippedBitLosesAtMostTheRecordItIsIn() throws {
        let (original, reads) = try filled(25)
        let places = places(original, reads)
        let segments = original.paths.filter { $0.hasSuffix(".segment") }
        var random = SplitMix(4711)
        for _ in 0..<1500 {
            let path = try #require(segments.randomElement(using: &random))
            var bytes = try #require(original.contents(path))
            let bit = Int.random(in: 0..<(bytes.count * 8), using: &random)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let fileSystem = original.copy()
            fileSystem.setContents(path, bytes)
            let expected = zip(reads, places).filter { $1.path != path || !$1.range.contains(bit / 8) }.map(\.0)
            let found = try reopen(fileSystem)
            guard found == expected else {
                Issue.record("\(path) bit \(bit): \(found) not \(expected)")
                return
            }
        }
    }

    @Test func blocksOfZerosAndOfNoiseLoseOnlyWhatTheyCover() throws {
        let (original, reads) = try filled(40)
        let places = places(original, reads)
        let segments = original.paths.filter { $0.hasSuffix(".segment") }
        var random = SplitMix(815)
        for round in 0..<400 {
            let path = try #require(segments.randomElement(using: &random))
            var bytes = try #require(original.contents(path))
            let start = Int.random(in: 0..<bytes.count, using: &random)
            // A header may be gone, but not together with the first frame: the last segment's marker is nowhere else then.
            let lower = start < SegmentHeader.bytes ? 0 : start
            let end = start < SegmentHeader.bytes ? SegmentHeader.bytes : min(bytes.count, start + 300)
            for index in lower..<end { bytes[index] = round % 2 == 0 ? 0 : UInt8.random(in: 0...255, using: &random) }
            let fileSystem = original.copy()
            fileSystem.setContents(path, bytes)
            // A frame is not lost for bytes that were like this before: a checksum may begin with a zero.
            let whole = try #require(original.contents(path))
            let expected = zip(reads, places).filter { $1.path != path || bytes[$1.range] == whole[$1.range] }.map(\.0)
            let found = try reopen(fileSystem)
            guard found == expected else {
                Issue.record("\(path) \(lower)..<\(end): \(found.count) not \(expected.count)")
                return
            }
        }
    }

    @Test func damageIsCountedAndKeptInSetAsideOnce() throws {
        let (fileSystem, reads) = try filled(25)
        let place = places(fileSystem, reads)[2]
        var bytes = try #require(fileSystem.contents(place.path))
        bytes[place.range.lowerBound + 45] ^= 1
        fileSystem.setContents(place.path, bytes)
        for _ in 0..<2 {
            let found = try reopen(fileSystem) { journal in
                eventually("the range is kept") { journal.statistics.recovery.setAsideFiles == 1 }
                let recovery = journal.statistics.recovery
                #expect(recovery.damagedRanges == 1)
                #expect(recovery.damagedBytes == place.range.count)
                #expect(recovery.damagedBytesNotKept == 0)
            }
            #expect(found.count == reads.count - 1)
        }
        let kept = fileSystem.paths.filter { $0.hasPrefix("/j/set-aside/") }
        #expect(kept.count == 1)
        #expect(fileSystem.contents(kept[0]) == Array(bytes[place.range]))
    }

    @Test func setAsideIsBoundedAndTheRestOnlyCounted() throws {
        let tight = small { $0.maxBytes = 4096 }
        let (fileSystem, _) = try filled(10, tight)
        let path = try #require(fileSystem.paths.first { $0.hasSuffix(".segment") })
        let header = try #require(fileSystem.contents(path)).prefix(SegmentHeader.bytes)
        fileSystem.setContents(path, Array(header) + [UInt8](repeating: 7, count: 600))
        try withJournal(tight, fileSystem) { journal in
            _ = try journal.makeReader().all()
            eventually("the range is counted") { journal.statistics.recovery.damagedBytesNotKept == 600 }
        }
        #expect(!fileSystem.paths.contains { $0.hasPrefix("/j/set-aside/") })
    }

    @Test func aPayloadThatLooksLikeAFrameDoesNotPoseAsOneAfterDamage() throws {
        let (other, _) = try filled(1)
        let otherPath = try #require(other.paths.first { $0.hasSuffix(".segment") })
        let forged = try #require(other.contents(otherPath)).dropFirst(SegmentHeader.bytes)
        let fileSystem = SimulatedFileSystem()
        try withJournal(configuration, fileSystem) { journal in
            let appender = TestAppender(journal)
            _ = appender.append("honest")
            // A whole frame of another segment, intact by its own checksum, within a payload.
            let payload = Array(forged) + Array(forged)
            guard case .pending(let position) = payload.withUnsafeBytes({ appender.appender.append($0) }) else {
                return
            }
            _ = appender.resolutions.wait(for: position)
            _ = appender.append("after")
        }
        let path = try #require(fileSystem.paths.first { $0.hasSuffix(".segment") })
        var bytes = try #require(fileSystem.contents(path))
        bytes[SegmentHeader.bytes + Frame.headerBytes + 6 + 17] ^= 0x40  // the length of the second frame
        fileSystem.setContents(path, bytes)
        try #expect(reopen(fileSystem).map(\.text) == ["honest", "after"])
    }

    @Test func aMissingMiddleSegmentIsCountedAndTheOthersAreRead() throws {
        let (fileSystem, reads) = try filled(40)
        let places = places(fileSystem, reads)
        let missing = fileSystem.paths.filter { $0.hasSuffix(".segment") }[1]
        fileSystem.setContents(missing, nil)
        let found = try reopen(fileSystem) { #expect($0.statistics.recovery.segmentsMissing == 1) }
        #expect(found == zip(reads, places).filter { $1.path != missing }.map(\.0))
    }

    @Test func anEmptyFileIsNoObstacleAndIsDeleted() throws {
        let (fileSystem, reads) = try filled(3)
        fileSystem.setContents("/j/00000000000000000007.segment", [])
        let found = try reopen(fileSystem) { journal in
            let appender = TestAppender(journal)
            let done = try #require(appender.append("new"))
            #expect(done.position.rawValue > 3)
            journal.confirm(below: JournalPosition(done.position.rawValue + 1))
            eventually("the empty file is deleted") { fileSystem.contents("/j/00000000000000000007.segment") == nil }
        }
        #expect(found == reads)
    }

    @Test func aFileOfALaterVersionIsSetAsideUntouched() throws {
        let (fileSystem, reads) = try filled(25)
        let places = places(fileSystem, reads)
        let path = fileSystem.paths.filter { $0.hasSuffix(".segment") }[1]
        var bytes = try #require(fileSystem.contents(path))
        bytes[8] = 2
        let crc = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[..<124])) }
        withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange(124..<128, with: $0) }
        fileSystem.setContents(path, bytes)
        let found = try reopen(fileSystem) { journal in
            eventually("the file is set aside") { journal.statistics.recovery.newerVersionFiles == 1 }
        }
        #expect(found == zip(reads, places).filter { $1.path != path }.map(\.0))
        #expect(fileSystem.contents(path) == nil)
        #expect(fileSystem.contents("/j/set-aside/" + path.dropFirst(3)) == bytes)
    }

    @Test func unreadableBlocksAreAnErrorAFewTimesThenDamageAndTheFileIsKept() throws {
        let (fileSystem, reads) = try filled(25)
        let segments = fileSystem.paths.filter { $0.hasSuffix(".segment") }
        var configuration = configuration
        configuration.readPatience = 3
        try withJournal(configuration, fileSystem) { journal in
            fileSystem.setFault { $0.kind == .read && $0.path == segments[1] ? .error(EIO) : nil }
            let reader = journal.makeReader()
            var found: [Read] = []
            var errors = 0
            while errors < 20 {
                do {
                    guard let block = try reader.next(maxBytes: 700) else { break }
                    found += block.reads
                } catch {
                    #expect((error as? JournalError)?.code == .inputOutput)
                    errors += 1
                }
            }
            #expect(errors == 3)
            #expect(found.first == reads.first)
            #expect(found.last == reads.last)
            #expect(found.count < reads.count)
            journal.confirm(below: JournalPosition(26))
            eventually("the segment is gone from the journal") { fileSystem.contents(segments[1]) == nil }
            #expect(fileSystem.contents("/j/set-aside/" + segments[1].dropFirst(3)) != nil)
        }
    }

    @Test(arguments: [EMFILE, ENFILE, ENOMEM, EACCES])
    func wantOfSomethingThatPassesGivesNoRecordUpHoweverLongItLasts(code: Int32) throws {
        let (fileSystem, reads) = try filled(25)
        let segments = fileSystem.paths.filter { $0.hasSuffix(".segment") }
        var configuration = configuration
        configuration.readPatience = 3
        try withJournal(configuration, fileSystem) { journal in
            fileSystem.setFault { $0.kind == .open && $0.path == segments[1] ? .error(code) : nil }
            let reader = journal.makeReader()
            var found: [Read] = []
            var errors = 0
            while errors < 50 {
                do {
                    guard let block = try reader.next(maxBytes: 700) else { break }
                    found += block.reads
                } catch {
                    errors += 1
                }
            }
            #expect(errors == 50, "it goes on trying")
            fileSystem.setFault { _ in nil }
            while let block = try reader.next(maxBytes: 700) { found += block.reads }
            #expect(found == reads)
            #expect(journal.statistics.recovery.damagedBytes == 0)
        }
    }

    // MARK: Files that go away

    /// Reads on over at most so many errors, each of which says that the file is not there.
    private func read(_ reader: JournalReader, errors most: Int) -> (found: [Read], errors: Int) {
        var found: [Read] = []
        var errors = 0
        while errors < most {
            do throws(JournalError) {
                guard let block = try reader.next(maxBytes: 700) else { break }
                found += block.reads
            } catch {
                #expect(error.isMissing)
                errors += 1
            }
        }
        return (found, errors)
    }

    @Test func aFileThatGoesAwayAndComesBackLosesNothing() throws {
        let (fileSystem, reads) = try filled(25)
        let path = fileSystem.segments[1]
        let bytes = fileSystem.contents(path)
        try withJournal(configuration, fileSystem) { journal in
            fileSystem.setContents(path, nil)
            let reader = journal.makeReader()
            let away = read(reader, errors: 20)
            #expect(away.errors == 20 && !away.found.isEmpty)
            fileSystem.setContents(path, bytes)
            #expect(away.found + read(reader, errors: 1).found == reads)
            #expect(journal.statistics.recovery.damagedBytes == 0)
            journal.confirm(below: JournalPosition(26))
            eventually("it is deleted like any other") { fileSystem.contents(path) == nil }
            #expect(fileSystem.contents("/j/set-aside/" + path.dropFirst(3)) == nil)
        }
    }

    @Test(arguments: [false, true])
    func aFileThatIsGoneForGoodIsCountedAsDamageAndKeptShouldItComeBack(comesBack: Bool) throws {
        let (fileSystem, reads) = try filled(25)
        let path = fileSystem.segments[1]
        let bytes = try #require(fileSystem.contents(path))
        let lost = frames(bytes).map(\.position)
        var configuration = configuration
        configuration.readPatience = 3
        try withJournal(configuration, fileSystem) { journal in
            fileSystem.setContents(path, nil)
            let (found, errors) = read(journal.makeReader(), errors: 20)
            #expect(errors == 3)
            #expect(found == reads.filter { !lost.contains($0.position) })
            let recovery = journal.statistics.recovery
            #expect(recovery.damagedRanges == 1 && recovery.damagedBytes == bytes.count)
            #expect(recovery.damagedBytesNotKept == bytes.count)
            if comesBack { fileSystem.setContents(path, bytes) }
            journal.confirm(below: JournalPosition(26))
            eventually("it is gone from the journal") {
                journal.statistics.segments <= 1 && fileSystem.contents(path) == nil
            }
            #expect(fileSystem.contents("/j/set-aside/" + path.dropFirst(3)) == (comesBack ? bytes : nil))
        }
    }

    @Test func aFileThatIsGoneThoughItsConfirmedRecordsWereToBeRetainedIsPassedOver() throws {
        let (fileSystem, reads) = try filled(25)
        let path = fileSystem.segments[1]
        let lost = frames(try #require(fileSystem.contents(path))).map(\.position)
        var configuration = configuration
        configuration.retain = .seconds(3600)
        try withJournal(configuration, fileSystem) { journal in
            try #expect(journal.makeReader().all() == reads)
            journal.confirm(below: JournalPosition(26))
            fileSystem.setContents(path, nil)
            let again = read(journal.makeReader(from: .first), errors: 1)
            #expect(again.errors == 0 && again.found == reads.filter { !lost.contains($0.position) })
            #expect(journal.statistics.recovery.damagedBytes == 0)
        }
    }

    // MARK: Checkpoints

    @Test func aMissingOrDamagedCheckpointSendsEverythingAgain() throws {
        for damaged in [nil, [UInt8](repeating: 0, count: 80), Array("nonsense".utf8)] {
            let (fileSystem, reads) = try filled(10)
            fileSystem.setContents("/j/checkpoint", damaged)
            let found = try reopen(fileSystem) { #expect($0.statistics.recovery.checkpoint == .unreadable) }
            #expect(found == reads)
        }
    }

    @Test func aStaleCheckpointOnlySendsAgain() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(configuration, fileSystem) { _ = TestAppender($0).append("one") }
        let stale = fileSystem.contents("/j/checkpoint")
        try withJournal(configuration, fileSystem) { journal in
            _ = TestAppender(journal).append("two")
            journal.confirm(below: JournalPosition(2))
        }
        fileSystem.setContents("/j/checkpoint", stale)
        try #expect(reopen(fileSystem).map(\.text).last == "two")
        try withJournal(configuration, fileSystem) { journal in
            let position = try #require(TestAppender(journal).append("three")).position
            #expect(position.rawValue > 2)
        }
    }

    @Test func aCheckpointFromTheFutureIsNotBelievedNowNorAfterTheNextStart() throws {
        let (fileSystem, reads) = try filled(10)
        let old = try #require(fileSystem.contents("/j/checkpoint").flatMap { Checkpoint(decoding: $0) })
        let future = Checkpoint(
            journal: old.journal,
            below: 1 << 40,
            next: 1 << 40,
            lastSegment: old.lastSegment,
            lastSegmentBytes: 0,
            isClean: false
        )
        fileSystem.setContents("/j/checkpoint", future.encoded())
        // A crash right after the start must not bring it back either.
        let crashed = fileSystem.copy()
        let found = try reopen(fileSystem) { journal in
            #expect(journal.statistics.recovery.checkpoint == .notCredible)
            #expect(TestAppender(journal).append("new")?.position.rawValue ?? 0 >= 1 << 40)
        }
        #expect(found == reads)
        try #expect(Array(reopen(fileSystem).prefix(reads.count)) == reads)

        let journal = try Journal.open(configuration, fileSystem: crashed)
        _ = TestAppender(journal).append("new")
        let after = crashed.copy(afterPowerLoss: 1)
        journal.close()
        try #expect(Array(reopen(after).prefix(reads.count)) == reads)
    }
}
