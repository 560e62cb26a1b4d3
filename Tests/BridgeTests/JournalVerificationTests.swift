import Foundation
import Journal
import Testing

@testable import Bridge

@Suite struct JournalVerificationTests {
    private static func verify(_ journal: FilledJournal) throws -> JournalVerification {
        JournalVerification(of: try journal.site()) { _ in }
    }

    private static func file(_ journal: FilledJournal, _ number: UInt64) -> String {
        journal.directory + "/" + JournalDirectory.Segment.name(of: number)
    }

    private static func change(_ path: String, _ change: (inout Data) throws -> Void) throws {
        var data = try Data(contentsOf: URL(filePath: path))
        try change(&data)
        try data.write(to: URL(filePath: path))
    }

    private static func filled() throws -> (temporary: TemporaryDirectory, journal: FilledJournal) {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        try journal.append(FilledJournal.numbered(1...40, "deals"), confirmed: 3)
        try journal.append(FilledJournal.numbered(1...5, "deals"), to: journal.parked)
        return (temporary, journal)
    }

    @Test func `an intact journal is sound, and so is one that was killed`() throws {
        let (temporary, journal) = try Self.filled()
        let findings = try Self.verify(journal)
        #expect(findings.isSound && findings.records == 45 && findings.faults.isEmpty)
        let bytes = try journal.site().bytes
        #expect(findings.bytes == bytes)
        // Killed before it ever wrote a checkpoint.
        try FileManager.default.removeItem(atPath: journal.directory + "/checkpoint")
        #expect(try Self.verify(journal).isSound)
        withExtendedLifetime(temporary) {}
    }

    @Test func `a flipped bit is named by file and bytes, with what it took`() throws {
        let (temporary, journal) = try Self.filled()
        let place = 2000
        try Self.change(Self.file(journal, 2)) { $0[place] ^= 4 }
        let findings = try Self.verify(journal)
        let fault = try #require(findings.faults.first)
        #expect(findings.faultsCounted == 1 && findings.records == 44)
        #expect(fault.kind == .damage && fault.journal == .main)
        #expect(fault.file == JournalDirectory.Segment.name(of: 2))
        let range = try #require(fault.from)..<#require(fault.to)
        #expect(range.contains(place))
        #expect(fault.text.contains("at most 1 records are lost"), "\(fault.text)")
        withExtendedLifetime(temporary) {}
    }

    @Test func `a damaged header, a torn end and what was confirmed before are told apart`() throws {
        let (temporary, journal) = try Self.filled()
        try Self.change(Self.file(journal, 1)) {
            $0[20] ^= 1
            $0[300] ^= 1
        }
        var texts = try Self.verify(journal).faults.filter { $0.kind == .damage }.map(\.text)
        #expect(texts.count == 2 && texts[0].contains("header"), "\(texts)")
        #expect(texts[1].contains("all of that was delivered"), "\(texts[1])")
        // Below what the checkpoint knows to be written, so that one is not believed any more either.
        let last = try #require(try journal.site().parts[0].directory.segments.last { $0.bytes > 128 })
        try Self.change(Self.file(journal, last.number)) { $0.removeLast(7) }
        let findings = try Self.verify(journal)
        texts = findings.faults.filter { $0.kind == .damage }.map(\.text)
        #expect(texts.count == 3 && texts[2].contains("after position"), "\(texts)")
        #expect(findings.faults.map(\.kind).contains(.checkpoint))
        withExtendedLifetime(temporary) {}
    }

    @Test func `a missing file, a damaged or foreign checkpoint and a foreign payload are faults`() throws {
        let (temporary, journal) = try Self.filled()
        try FileManager.default.removeItem(atPath: Self.file(journal, 3))
        #expect(try Self.verify(journal).faults.map(\.kind) == [.missingSegment])
        #expect(try Self.verify(journal).faults[0].file == JournalDirectory.Segment.name(of: 3))
        try Self.change(journal.directory + "/checkpoint") { $0[9] ^= 1 }
        #expect(try Self.verify(journal).faults.map(\.kind) == [.missingSegment, .checkpoint])

        let other = FilledJournal(try TemporaryDirectory())
        try other.append([(bytes: [9, 9, 9], stampAt: nil)], to: other.directory)
        let findings = try Self.verify(other)
        #expect(findings.faults.map(\.kind) == [.undecodable])
        // Another journal's checkpoint.
        try FileManager.default.removeItem(atPath: other.directory + "/checkpoint")
        try FileManager.default.copyItem(
            atPath: journal.parked + "/checkpoint",
            toPath: other.directory + "/checkpoint"
        )
        #expect(try Self.verify(other).faults.map(\.kind) == [.checkpoint, .undecodable])
        withExtendedLifetime(temporary) {}
    }

    @Test func `a file of a later version is reported and not read`() throws {
        let (temporary, journal) = try Self.filled()
        let survey = try JournalSurvey(of: journal.site()) { _ in }
        let path = Self.file(journal, 1)
        try Self.change(path) { Self.makeNewer(&$0) }
        let findings = try Self.verify(journal)
        #expect(findings.faults.map(\.kind) == [.newerVersion])
        #expect(findings.records == 45 - survey.journals[0].segments[0].records)
        withExtendedLifetime(temporary) {}
    }

    /// A segment as of the next format version, its checksum right.
    static func makeNewer(_ data: inout Data) {
        data[8] = 2
        let crc = crc32c(data[0..<124])
        data.replaceSubrange(124..<128, with: withUnsafeBytes(of: crc.littleEndian) { Data($0) })
    }

    private static func crc32c(_ bytes: Data) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }
}
