import Foundation
import Testing

@testable import Bitrix24

/// The records in `Tests/Fixtures` were made by a second implementation of the contract, in Python.
@Suite struct GoldenRecordTests {
    private static let now = Timestamp(milliseconds: 1_466_439_715_120)

    @Test func everyFixtureBecomesItsGoldenRecord() throws {
        let names = try Fixtures.names(in: "records", extension: "json")
        try #require(names.count >= 57)
        for name in names { try compare(name, in: "records", mode: .structured) }
    }

    @Test func binaryModeMovesTheAttributesToTheHeaders() throws {
        let names = try Fixtures.names(in: "records-binary", extension: "json")
        try #require(names.count >= 5)
        for name in names { try compare(name, in: "records-binary", mode: .binary) }
    }

    @Test func everyEventFixtureHasAGoldenRecord() throws {
        let events = try Fixtures.bodies().map(\.name).filter { !$0.hasPrefix("_") }
        #expect(Set(events) == Set(try Fixtures.names(in: "records", extension: "json")))
    }

    private func compare(_ name: String, in folder: String, mode: EnvelopeMode) throws {
        let expected = try #require(
            try JSONSerialization.jsonObject(with: Fixtures.data("\(folder)/\(name).json")) as? [String: Any]
        )
        var form = BracketForm()
        try Array(Fixtures.data("bodies/\(name).form")).withUnsafeBytes { try form.decode($0) }
        guard case .event(let event) = InboundCall(form) else {
            #expect(expected["error"] != nil, "\(name) is no event")
            return
        }
        var normalizer = Normalizer(
            topic: try TopicTemplate(TopicTemplate.defaultText),
            key: try KeyTemplate(KeyTemplate.defaultText),
            mode: mode,
            replica: nil
        )
        var record = EventRecord()
        var ids = EnvelopeIDGenerator()
        try normalizer.normalize(
            event,
            of: form,
            domain: nil,
            receipt: Receipt(id: ids.next(at: Self.now), receivedAt: Self.now, origin: .online),
            into: &record
        )

        var headers: [String: String] = [:]
        record.headers.forEach { headers[String(decoding: $0, as: UTF8.self)] = String(decoding: $1, as: UTF8.self) }
        let id = try #require(headers["ce_id"])
        let uuid7 = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        #expect(id.wholeMatch(of: uuid7) != nil)
        func masked(_ text: String) -> String {
            text.replacingOccurrences(of: id, with: "<uuid7>")
                .replacingOccurrences(of: "2016-06-20T16:21:55.120Z", with: "<time>")
        }
        let value = try JSONSerialization.jsonObject(
            with: Data(masked(String(decoding: record.value.bytes, as: UTF8.self)).utf8),
            options: .fragmentsAllowed
        )
        let ours: NSDictionary = [
            "topic": String(decoding: record.topic, as: UTF8.self), "key": String(decoding: record.key, as: UTF8.self),
            "headers": headers.mapValues(masked), "value": value,
        ]
        #expect(ours == expected as NSDictionary, "\(name)")
        #expect(record.value.repairs == 0)
    }
}
