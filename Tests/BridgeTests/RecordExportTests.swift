import Bitrix24
import Foundation
import Journal
import Testing

@testable import Bridge

@Suite struct RecordExportTests {
    private typealias Record = FilledJournal.Record

    private static func filled() throws -> (temporary: TemporaryDirectory, journal: FilledJournal) {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        var records = FilledJournal.numbered(1...20, "deals")
        records += (21...30).map { Record(topic: "leads", number: $0, portal: "other", mode: .binary) }
        try journal.append(records, confirmed: 6)
        try journal.append(FilledJournal.numbered(41...43, "deals", .refused), to: journal.parked)
        return (temporary, journal)
    }

    @Test func `each record is a line of JSON`() throws {
        let (temporary, journal) = try Self.filled()
        let lines = try journal.exported()
        #expect(FilledJournal.numbers(lines) == Array(1...30) + Array(41...43))
        #expect(
            lines.map { $0["journal"] as? String } == Array(repeating: "main", count: 30) + [
                "parked", "parked", "parked",
            ]
        )
        #expect(lines.map { $0["position"] as? Int } == Array(1...30) + Array(1...3))
        #expect(lines.map { $0["delivered"] as? Bool } == (1...33).map { $0 <= 5 })
        #expect(lines.map { $0["refused"] as? Bool ?? false } == (1...33).map { $0 > 30 })
        let first = lines[0]
        #expect(first["topic"] as? String == "deals" && first["key"] as? String == "\(memberID)/crm.deal/1")
        let envelope = try #require(first["value"] as? [String: Any])
        #expect(envelope["id"] as? String == (first["headers"] as? [String: String])?["ce_id"])
        #expect(envelope["sequence"] as? String == "r.00000000000000000001")
        let times = lines.prefix(30).compactMap { $0["appendedAt"] as? String }
        #expect(times == times.sorted() && times.allSatisfy { JournalBound($0) != nil })
        withExtendedLifetime(temporary) {}
    }

    @Test func `filters choose by topic, portal, range, journal and delivery`() throws {
        let (temporary, journal) = try Self.filled()
        func numbers(
            _ journals: Set<JournalName> = [.main],
            undelivered: Bool = false,
            _ change: (inout RecordFilter) -> Void
        ) throws -> [Int] {
            FilledJournal.numbers(try journal.exported(journals, undelivered: undelivered, change))
        }
        #expect(try numbers { $0.topics = ["leads"] } == Array(21...30))
        #expect(try numbers([.parked]) { _ in } == Array(41...43))
        #expect(try numbers { $0.portals = ["other", "nobody"] } == Array(21...30))
        #expect(try numbers { $0.portals = ["othe"] } == [])
        #expect(try numbers(undelivered: true) { $0.topics = ["deals"] } == Array(6...20))
        #expect(
            try numbers {
                ($0.from, $0.to) = (.position(19), .position(22))
            } == Array(19...22)
        )
        let moment = try #require(try journal.exported()[14]["appendedAt"] as? String)
        let times = try journal.exported([.main]).compactMap { $0["appendedAt"] as? String }
        let expected = times.indices.filter { times[$0] >= moment }.map { $0 + 1 }
        #expect(try numbers { $0.from = JournalBound(moment) } == expected)
        withExtendedLifetime(temporary) {}
    }

    @Test func `damage is counted and the rest printed; nobody reading ends it`() throws {
        let (temporary, journal) = try Self.filled()
        let path = journal.directory + "/" + JournalDirectory.Segment.name(of: 1)
        var data = try Data(contentsOf: URL(filePath: path))
        data[1000] ^= 1
        try data.write(to: URL(filePath: path))
        let export = RecordExport(try journal.site())
        var text: [UInt8] = []
        let summary = try export.run(progress: { _ in }) {
            text += $0
            return true
        }
        #expect(summary.lines == 32 && summary.damagedRanges == 1 && !summary.isWhole)
        #expect(text.count { $0 == UInt8(ascii: "\n") } == 32)
        #expect(try export.run(progress: { _ in }) { _ in false }.wasCutShort)
        withExtendedLifetime(temporary) {}
    }

    @Test func `a file that is gone is no silence`() throws {
        let (temporary, journal) = try Self.filled()
        try FileManager.default.removeItem(atPath: journal.directory + "/" + JournalDirectory.Segment.name(of: 2))
        func summary(from position: UInt64? = nil) throws -> RecordExport.Summary {
            var filter = RecordFilter()
            filter.from = position.map { .position($0) }
            return try RecordExport(try journal.site(), filter: filter).run(progress: { _ in }) { _ in true }
        }
        let found = try summary()
        #expect(found.missingFiles == 1 && !found.isWhole && found.lines > 0)
        // What is asked for lies behind it.
        let last = try #require(try journal.exported([.main]).last?["position"] as? Int)
        #expect(try summary(from: UInt64(last)).isWhole)
        withExtendedLifetime(temporary) {}
    }

    @Test func `what cannot be written ends it with the reason`() throws {
        let (temporary, journal) = try Self.filled()
        let export = RecordExport(try journal.site())
        #expect(throws: WaitingEnded.self) {
            try export.run(progress: { _ in }) { _ in throw WaitingEnded() }
        }
        withExtendedLifetime(temporary) {}
    }

    @Test(arguments: [
        ("17", JournalBound.position(17)), ("2016-06-20T16:21:54Z", .time(Timestamp(milliseconds: 1_466_439_714_000))),
        ("2016-06-20T18:21:54.120+02:00", .time(Timestamp(milliseconds: 1_466_439_714_120))),
    ])
    func `a place is a position or a time`(text: String, bound: JournalBound) {
        #expect(JournalBound(text) == bound)
    }

    @Test(arguments: [
        "", "yesterday", "-1", "2016-06-20", "16:21:54", "2016-06-20T16:21:54", "99999999999999999999999",
    ])
    func `anything else is none`(text: String) {
        #expect(JournalBound(text) == nil)
    }
}
