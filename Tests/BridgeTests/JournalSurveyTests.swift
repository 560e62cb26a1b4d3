import Bitrix24
import Foundation
import Journal
import Testing

@testable import Bridge

@Suite struct JournalSurveyTests {
    private typealias Record = FilledJournal.Record

    @Test func `what lies there is counted by file, topic and portal`() throws {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        var records = FilledJournal.numbered(1...40, "deals")
        records += (1...10).map { Record(topic: "leads", number: $0, portal: "a b/c", mode: .binary) }
        records += (1...2).map { Record(topic: "dead", number: $0, portal: "forged%2541", isDeadLetter: true) }
        records.append(Record(topic: "leads", number: 11, flags: .oversized))
        try journal.append(records, confirmed: 31)
        let parked =
            FilledJournal.numbered(1...3, "deals") + FilledJournal.numbered(4...4, "deals", .refused)
            + FilledJournal.numbered(5...6, "leads", .oversized)
        try journal.append(parked, to: journal.parked, confirmed: 2)

        let survey = try JournalSurvey(of: journal.site()) { _ in }
        #expect(survey.journals.map(\.journal) == [.main, .parked])
        let main = survey.journals[0]
        #expect(main.records == 53 && main.undelivered == 23 && main.oversized == 1 && main.refused == 0)
        #expect(main.checkpoint == .used && main.confirmedBelow == 31 && main.isCleanlyClosed && !main.isInUse)
        #expect(main.segments.count > 3 && main.segments.allSatisfy { $0.damagedRanges == 0 && $0.repeated == 0 })
        let held = main.segments.filter { $0.records > 0 }
        #expect(held.first?.first == 1 && held.last?.last == 53)
        #expect(zip(held, held.dropFirst()).allSatisfy { ($0.last ?? 0) + 1 == $1.first })
        #expect(main.segments.reduce(0) { $0 + $1.undelivered } == 23)
        let second = survey.journals[1]
        #expect(second.records == 6 && second.undelivered == 5 && second.oversized == 2 && second.refused == 1)

        let topics = Dictionary(uniqueKeysWithValues: survey.topics.map { ($0.name, $0.tally) })
        #expect(topics["deals"]?.records == 40 && topics["deals"]?.waiting == 10 && topics["deals"]?.parked == 3)
        #expect(topics["deals"]?.refused == 1 && topics["leads"]?.oversized == 3 && topics["leads"]?.parked == 2)
        #expect(topics["dead"]?.waiting == 2 && topics.count == 3)
        // One of the parked ones is delivered: the main journal tells of it.
        let bytes = try (records + parked.dropFirst()).reduce(0) { try $0 + $1.payload().bytes.count }
        #expect(survey.topics.reduce(0) { $0 + $1.tally.bytes } == bytes)
        let portals = Dictionary(uniqueKeysWithValues: survey.portals.map { ($0.name, $0.tally) })
        #expect(portals[memberID]?.records == 41 && portals["a b/c"]?.records == 10)
        #expect(portals["forged%41"]?.waiting == 2, "\(portals.keys)")
        #expect(survey.topics.map(\.tally.undelivered) == survey.topics.map(\.tally.undelivered).sorted(by: >))
    }

    @Test func `a journal in use is read as it is and said to be in use`() throws {
        let journal = FilledJournal(try TemporaryDirectory())
        let payloads = try FilledJournal.numbered(1...30, "deals").map { try $0.payload() }
        try journal.append(payloads, to: journal.directory) {
            let survey = try JournalSurvey(of: journal.site()) { _ in }
            #expect(survey.journals[0].isInUse && survey.journals[0].records == 30)
            let findings = JournalVerification(of: try journal.site()) { _ in }
            #expect(findings.isSound)
        }
        #expect(try !journal.site().isInUse)
    }

    @Test func `a directory without a journal is told from an empty journal`() throws {
        let temporary = try TemporaryDirectory()
        #expect(throws: JournalToolError.self) { try JournalSite(inspecting: temporary.path) }
        #expect(throws: JournalError.self) { try JournalSite(inspecting: temporary.path + "/missing") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path).isEmpty, "looking makes nothing")
        let journal = FilledJournal(temporary)
        try journal.append([FilledJournal.Record](), to: journal.directory)
        #expect(try JournalSurvey(of: journal.site()) { _ in }.journals.map(\.records) == [0])
    }

    @Test func `a table agrees with a dictionary and sums what it has no room for`() {
        for limit in [10_000, 50] {
            var table = TallyTable(limit: limit)
            var model: [[UInt8]: Int] = [:]
            for _ in 0..<20_000 {
                let key = Array(repeating: UInt8.random(in: 0...9), count: .random(in: 0...20)) + [.random(in: 0...9)]
                model[key, default: 0] += 1
                key.withUnsafeBytes { table.update($0) { $0.records += 1 } }
            }
            let found = Dictionary(uniqueKeysWithValues: table.rows.map { ($0.key, $0.tally.records) })
            #expect(found.count == min(limit, model.count))
            #expect(found.allSatisfy { model[$0.key] == $0.value })
            #expect((table.others?.records ?? 0) + found.values.reduce(0, +) == 20_000)
            #expect((table.others == nil) == (model.count <= limit))
        }
    }
}
