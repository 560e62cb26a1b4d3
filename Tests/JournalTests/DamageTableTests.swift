import Foundation
import Testing

@testable import Journal

/// Each kind of damage with its stated outcome: what is read, what is reported at the start, what is counted.
@Suite struct DamageTableTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let name: String
        /// Applied to a journal of 25 records in several segments that lost power, the first five of them confirmed.
        let apply: @Sendable (SimulatedFileSystem) throws -> Void
        /// Of the 20 records due, those that are not read.
        var lost: @Sendable (SimulatedFileSystem) throws -> Set<UInt64> = { _ in [] }
        /// Read although they were confirmed: the checkpoint does not say so any more.
        var repeats = false
        var findings: [JournalFinding.Kind] = []
        /// The path in the first finding.
        var file: String?
        var damagedRanges = 0
        /// Files in set-aside in the end.
        var setAside = 0

        var testDescription: String { name }
    }

    private static let middle = "/j/00000000000000000003.segment"
    private static let checkpoint = "/j/checkpoint"

    private static func last(_ fileSystem: SimulatedFileSystem) -> String { fileSystem.segments.last! }

    private static func edit(_ fileSystem: SimulatedFileSystem, _ path: String, _ change: (inout [UInt8]) -> Void)
        throws
    {
        var bytes = try #require(fileSystem.contents(path))
        change(&bytes)
        fileSystem.setContents(path, bytes)
    }

    private static func positions(_ fileSystem: SimulatedFileSystem, _ path: String) throws -> [UInt64] {
        frames(try #require(fileSystem.contents(path))).map(\.position)
    }

    private static func changeCheckpoint(_ fileSystem: SimulatedFileSystem, _ change: (inout Checkpoint) -> Void) throws
    {
        var value = try #require(fileSystem.contents(checkpoint).flatMap { Checkpoint(decoding: $0) })
        change(&value)
        fileSystem.setContents(checkpoint, value.encoded())
    }

    static let table: [Damage] = [
        Damage(name: "nothing") { _ in },
        Damage(name: "torn tail") { fileSystem in
            // Half of a frame that was never committed.
            try edit(fileSystem, last(fileSystem)) { bytes in
                bytes += bytes[frames(bytes)[0].range.lowerBound...].prefix(70)
            }
        }.with(damagedRanges: 1, setAside: 1),
        Damage(name: "committed bytes cut off") { fileSystem in
            try edit(fileSystem, last(fileSystem)) { $0.removeLast(3) }
        } lost: {
            [try positions($0, last($0)).last!]
        }.with(repeats: true, findings: [.checkpointNotCredible], file: checkpoint, damagedRanges: 1, setAside: 1),
        Damage(name: "a flipped bit in a payload") { fileSystem in
            try edit(fileSystem, middle) { $0[frames($0)[1].range.lowerBound + 50] ^= 4 }
        } lost: {
            [try positions($0, middle)[1]]
        }.with(damagedRanges: 1, setAside: 1),
        Damage(name: "a flipped bit in a header") { try edit($0, middle) { $0[45] ^= 4 } }
            .with(findings: [.headerDamaged], file: middle, damagedRanges: 1, setAside: 1),
        Damage(name: "a zeroed block") { fileSystem in
            try edit(fileSystem, middle) { bytes in
                for index in frames(bytes)[1].range { bytes[index] = 0 }
            }
        } lost: {
            [try positions($0, middle)[1]]
        }.with(damagedRanges: 1, setAside: 1),
        Damage(name: "header and first frame of a segment zeroed") { fileSystem in
            try edit(fileSystem, middle) { bytes in
                for index in 0..<frames(bytes)[0].range.upperBound { bytes[index] = 0 }
            }
        } lost: {
            [try positions($0, middle)[0]]
        }.with(findings: [.headerDamaged], file: middle, damagedRanges: 2, setAside: 2),
        Damage(name: "header and first frame of the last segment zeroed") { fileSystem in
            try edit(fileSystem, last(fileSystem)) { bytes in
                for index in 0..<frames(bytes)[0].range.upperBound { bytes[index] = 0 }
            }
        } lost: {
            [try positions($0, last($0))[0]]
        }.with(findings: [.headerDamaged], damagedRanges: 2, setAside: 2),
        Damage(name: "a segment of noise") { fileSystem in
            try edit(fileSystem, middle) { bytes in
                for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index &* 31 ^ index >> 3) }
            }
        } lost: {
            Set(try positions($0, middle))
        }.with(findings: [.headerDamaged], file: middle, damagedRanges: 2, setAside: 2),
        Damage(name: "a missing middle segment") {
            $0.setContents(middle, nil)
        } lost: {
            Set(try positions($0, middle))
        }.with(findings: [.segmentMissing], file: middle),
        Damage(name: "a segment cut to nothing") {
            $0.setContents(middle, [])
        } lost: {
            Set(try positions($0, middle))
        },
        Damage(name: "an empty file after the last") { $0.setContents("/j/00000000000000000090.segment", []) },
        Damage(name: "a file of a newer version") {
            try $0.makeNewer(middle)
        } lost: {
            Set(try positions($0, middle))
        }.with(findings: [.newerVersion], file: middle, setAside: 1),
        Damage(name: "a directory with a segment's name") {
            try $0.makeDirectory("/j/00000000000000000090.segment")
        }.with(findings: [.notAFile], file: "/j/00000000000000000090.segment"),
        Damage(name: "directories with the next segments' names") { fileSystem in
            for number in 1...40 {
                let path = DirectoryLayout(directory: "/j").segment(UInt64(number))
                if fileSystem.contents(path) == nil { try fileSystem.makeDirectory(path) }
            }
        }.with(findings: Array(repeating: .notAFile, count: 40 - 5)),
        Damage(name: "foreign files") { fileSystem in
            for name in ["core", "7.segment", "0000000000000000000x.segment", "lost+found", "checkpoint.new", ".x"] {
                fileSystem.setContents("/j/" + name, Array("foreign".utf8))
            }
        },
        Damage(name: "no checkpoint") { $0.setContents(checkpoint, nil) }
            .with(repeats: true, findings: [.checkpointUnreadable], file: checkpoint),
        Damage(name: "an empty checkpoint") { $0.setContents(checkpoint, []) }
            .with(repeats: true, findings: [.checkpointUnreadable], file: checkpoint),
        Damage(name: "a flipped bit in the checkpoint") { try edit($0, checkpoint) { $0[20] ^= 1 } }
            .with(repeats: true, findings: [.checkpointUnreadable], file: checkpoint),
        Damage(name: "a stale checkpoint") { try changeCheckpoint($0) { $0.below = 1 } }.with(repeats: true),
        Damage(name: "a checkpoint from the future") { fileSystem in
            try changeCheckpoint(fileSystem) {
                $0.below = 1 << 40
                $0.next = 1 << 40
            }
        }.with(repeats: true, findings: [.checkpointNotCredible], file: checkpoint),
        Damage(name: "another journal's checkpoint") { try changeCheckpoint($0) { $0.journal ^= 1 } }
            .with(repeats: true, findings: [.checkpointNotCredible], file: checkpoint),
        Damage(name: "no reserve") { $0.setContents("/j/reserve", nil) },
        Damage(name: "an empty reserve") { $0.setContents("/j/reserve", []) },
        Damage(name: "a reserve of zeros") { $0.setContents("/j/reserve", [UInt8](repeating: 0, count: 32 << 10)) },
        Damage(name: "no lock file") { $0.setContents("/j/lock", nil) },
        Damage(name: "set-aside is a file") { fileSystem in
            fileSystem.setContents("/j/set-aside", Array("x".utf8))
        },
    ]

    private let configuration = small { $0.maxBytes = 1 << 16 }

    /// A journal after a crash, with its records.
    private func crashed() throws -> (SimulatedFileSystem, [Read]) {
        let fileSystem = SimulatedFileSystem()
        let journal = try Journal.open(configuration, fileSystem: fileSystem)
        defer { journal.close() }
        let appender = TestAppender(journal)
        var reads: [Read] = []
        for index in 0..<25 {
            let text = "record \(index) " + String(repeating: "x", count: 120)
            let done = try #require(appender.append(text))
            reads.append(Read(position: done.position.rawValue, text: text))
        }
        journal.confirm(below: JournalPosition(6))
        eventually("the checkpoint is durable and knows the open segment") {
            let checkpoint = fileSystem.contents("/j/checkpoint").flatMap { Checkpoint(decoding: $0) }
            return checkpoint?.below == 6 && checkpoint?.lastSegment == 5
                && fileSystem.contents("/j/reserve")?.count == 32 << 10
        }
        return (fileSystem.copy(afterPowerLoss: 1), reads)
    }

    @Test(arguments: table) func outcome(of damage: Damage) throws {
        let (fileSystem, reads) = try crashed()
        let lost = try damage.lost(fileSystem)
        #expect(lost.isSubset(of: reads.filter { $0.position >= 6 }.map(\.position)))
        try damage.apply(fileSystem)
        let findings = Found()
        var observer = JournalObserver()
        observer.didFind = { findings.add($0) }
        try withJournal(configuration, fileSystem, observer: observer) { journal in
            #expect(findings.list.map(\.kind) == damage.findings)
            if let file = damage.file { #expect(findings.list.first?.path == file) }
            let new = try #require(TestAppender(journal).append("new"))
            #expect(new.outcome == .committed)
            #expect(new.position.rawValue > 25)
            let found = try journal.makeReader().all(maxBytes: 700)
            let isThere = { (read: Read) in (damage.repeats || read.position >= 6) && !lost.contains(read.position) }
            // Confirmed records that are still there may come again with a lost checkpoint; those that are due must come.
            #expect(
                found.filter { $0.position >= 6 }.dropLast() == reads.filter { $0.position >= 6 && isThere($0) }[...]
            )
            #expect(found.last == Read(position: new.position.rawValue, text: "new"))
            #expect(found.map(\.position) == found.map(\.position).sorted())
            if !damage.repeats { #expect(found.first?.position ?? 6 >= 6) }
            eventually("damage is counted and set aside") {
                let recovery = journal.statistics.recovery
                let kept = fileSystem.paths.filter { $0.hasPrefix("/j/set-aside/") }
                return recovery.damagedRanges == damage.damagedRanges && kept.count == damage.setAside
            }
            eventually("the reserve is whole") {
                fileSystem.contents("/j/reserve") == [UInt8](repeating: 0x2e, count: 32 << 10)
            }
            journal.confirm(below: journal.statistics.next)
            eventually("what was delivered is deleted") { journal.statistics.segments == 1 }
        }
        // What is delivered stays so, and the damage makes no second start worse.
        try withJournal(configuration, fileSystem) { journal in
            try #expect(journal.makeReader().all().isEmpty)
            #expect(journal.statistics.recovery.checkpoint == .used)
        }
    }

    @Test func theMarkerSurvivesFurtherStartsWithoutADelivery() throws {
        let (fileSystem, reads) = try crashed()
        let last = Self.last(fileSystem)
        let first = try Self.positions(fileSystem, last)[0]
        try Self.edit(fileSystem, last) { bytes in
            for index in 0..<frames(bytes)[0].range.upperBound { bytes[index] = 0 }
        }
        for _ in 0..<3 { try withJournal(configuration, fileSystem) { _ in } }
        try withJournal(configuration, fileSystem) { journal in
            try #expect(journal.makeReader().all() == reads.filter { $0.position >= 6 && $0.position != first })
        }
    }

    @Test func aSecondProcessOnTheDirectoryIsRefusedAndTheFirstGoesOn() throws {
        let fileSystem = SimulatedFileSystem()
        try withJournal(configuration, fileSystem) { journal in
            let began = ContinuousClock.now
            #expect { try Journal.open(configuration, fileSystem: fileSystem) } throws: {
                ($0 as? JournalError)?.code == .locked && "\($0)".contains("/j")
            }
            #expect(ContinuousClock.now - began >= .seconds(1), "who has it may only be looking")
            #expect(TestAppender(journal).append("x")?.outcome == .committed)
        }
        try withJournal(configuration, fileSystem) { #expect($0.statistics.next.rawValue == 2) }
    }

    @Test func aToolThatLooksAtTheDirectoryJustNowDoesNotKeepTheJournalFromOpening() throws {
        let fileSystem = SimulatedFileSystem()
        fileSystem.refuseLocks(tries: 3)
        try withJournal(configuration, fileSystem) { journal in
            #expect(TestAppender(journal).append("x")?.outcome == .committed)
        }
        #expect(fileSystem.lockTries == 4)
    }

    @Test(arguments: [EACCES, EROFS])
    func aDirectoryThatCannotBeWrittenIsRefusedWithTheMendOrServedFromIfItCouldBeLocked(code: Int32) throws {
        let (original, reads) = try crashed()
        let changing: Set<SimulatedFileSystem.Kind> = [
            .create, .write, .rename, .remove, .sync, .syncData, .syncDirectory,
        ]
        // The lock file is there and may be opened: what is in the journal is shipped.
        let locked = original.copy()
        locked.setFault { changing.contains($0.kind) ? .error(code) : nil }
        let journal = try Journal.open(configuration, fileSystem: locked)
        try #expect(journal.makeReader().all() == reads.filter { $0.position >= 6 })
        eventually("the state tells") {
            if case .failing(let error) = journal.statistics.state { error.systemCode == code } else { false }
        }
        locked.setFault { _ in nil }
        eventually("it recovers by itself") { journal.statistics.state == .accepting }
        journal.close()
        // Not even the lock: nobody may work there unseen.
        original.setContents("/j/lock", nil)
        original.setFault { changing.contains($0.kind) ? .error(code) : nil }
        #expect { try Journal.open(configuration, fileSystem: original) } throws: {
            ($0 as? JournalError)?.systemCode == code && "\($0)".contains("/j/lock")
        }
    }
}

private final class Found: @unchecked Sendable {  // the journal calls it before `open` returns
    private(set) var list: [JournalFinding] = []
    func add(_ finding: JournalFinding) { list.append(finding) }
}

extension DamageTableTests.Damage {
    fileprivate init(name: String, _ apply: @escaping @Sendable (SimulatedFileSystem) throws -> Void) {
        self.init(name: name, apply: apply)
    }

    fileprivate init(
        name: String,
        _ apply: @escaping @Sendable (SimulatedFileSystem) throws -> Void,
        lost: @escaping @Sendable (SimulatedFileSystem) throws -> Set<UInt64>
    ) {
        self.init(name: name, apply: apply, lost: lost)
    }

    fileprivate func with(
        repeats: Bool = false,
        findings: [JournalFinding.Kind] = [],
        file: String? = nil,
        damagedRanges: Int = 0,
        setAside: Int = 0
    ) -> Self {
        var damage = self
        damage.repeats = repeats
        damage.findings = findings
        damage.file = file
        damage.damagedRanges = damagedRanges
        damage.setAside = setAside
        return damage
    }
}
