import Bitrix24
import Foundation
import KafkaClient
import Testing

@testable import Bitrix24REST
@testable import Bridge

/// A row tells of an event what the portal would have posted of it.
@Suite struct OfflineRowTests {
    private static let memberID = "a223c6b3710f85df22e9377d6c4f7553"
    private static let domain = "some-domain.bitrix24.com"
    private static let now = Timestamp(milliseconds: 1_766_050_000_123)

    private static func settings(maxRecordBytes: Int = 1 << 20) throws -> BridgeSettings {
        var settings = BridgeSettings(
            topic: try TopicTemplate("b24.{entity}"),
            key: try KeyTemplate(KeyTemplate.defaultText),
            replica: "test-0"
        )
        settings.kafka.deadLetterTopic = "dead"
        settings.kafka.maxRecordBytes = maxRecordBytes
        return settings
    }

    private static func written(
        _ row: OfflineRow,
        of memberID: String = memberID,
        _ settings: BridgeSettings? = nil
    ) throws -> (record: EventRecord, reason: DeadLetterReason?) {
        var writer = OfflineRowWriter(try settings ?? Self.settings(), memberID: memberID, domain: domain)
        var record = EventRecord()
        let reason = writer.write(row, fetchedAt: now, into: &record)
        return (record, reason)
    }

    private static func json(_ record: EventRecord) throws -> [String: JSONValue] {
        try #require(JSONValue(json: Data(record.value.bytes)).members)
    }

    private static func headers(_ record: EventRecord) -> [String: String] {
        var headers: [String: String] = [:]
        record.headers.forEach { headers[String(decoding: $0, as: UTF8.self)] = String(decoding: $1, as: UTF8.self) }
        return headers
    }

    static func row(_ members: [String: JSONValue] = [:]) -> OfflineRow {
        let plain: [String: JSONValue] = [
            "ID": "12", "TIMESTAMP_X": "2026-03-18T12:32:31+02:00", "EVENT_NAME": "ONCRMLEADADD",
            "EVENT_DATA": ["FIELDS": ["ID": "1000983"]], "EVENT_ADDITIONAL": ["user_id": "1"],
            "MESSAGE_ID": "0b3bb1c8c07f0f54d3e17ee2a7b1a8f0",
        ]
        return OfflineRow(.object(plain.merging(members) { $1 }))
    }

    static let online = try! FileManager.default.contentsOfDirectory(
        atPath: Fixtures.directory.appending(path: "bodies").path
    ).filter { $0.hasSuffix(".form") && !$0.hasPrefix("_") }.map { String($0.dropLast(5)) }.sorted()

    @Test(arguments: online) func `a row makes of an event the record that its post made`(name: String) throws {
        var form = BracketForm()
        try form.decode(Array(Fixtures.body(name).utf8))
        guard case .event(let event) = InboundCall(form) else { return }
        let settings = try Self.settings()
        var normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: nil
        )
        var posted = EventRecord()
        let receipt = Receipt(id: EnvelopeID(high: 1, low: 2), receivedAt: Self.now, origin: .online)
        try normalizer.normalize(event, of: form, domain: Self.domain, receipt: receipt, into: &posted)

        let body = try JSONValue(
            json: Data(contentsOf: Fixtures.directory.appending(path: "bodies/\(name).json"))
        )
        let seconds = body["ts"]?.integer.map { Date(timeIntervalSince1970: TimeInterval($0)) }
        let row = Self.row([
            "EVENT_NAME": .string(event.code), "EVENT_DATA": body["data"] ?? false,
            "TIMESTAMP_X": .string(seconds.map { $0.ISO8601Format() } ?? ""),
            "EVENT_ADDITIONAL": body["auth"]?["user_id"].map { ["user_id": $0] } ?? false,
        ])
        let drained = try Self.written(row, of: event.memberID)

        #expect(drained.reason == nil)
        #expect(drained.record.topic == posted.topic && drained.record.key == posted.key)
        let (there, here) = (try Self.json(posted), try Self.json(drained.record))
        for attribute in ["type", "subject", "source", "time", "data", "b24user", "b24entity", "b24entityid"] {
            #expect(here[attribute] == there[attribute], "\(attribute)")
        }
        #expect(here["b24origin"] == "offline" && here["sequence"] == nil)
    }

    @Test func `the id is the same at each fetch, and another for another portal, row or second`() throws {
        func id(_ members: [String: JSONValue] = [:], of memberID: String = Self.memberID) throws -> JSONValue? {
            try Self.json(Self.written(Self.row(members), of: memberID).record)["id"]
        }
        let first = try id()
        #expect(first != nil)
        #expect(try id() == first)
        #expect(try id(["TIMESTAMP_X": "2026-03-18T10:32:31Z"]) == first, "the same moment in another zone")
        let others = try [id(of: "other"), id(["ID": "13"]), id(["TIMESTAMP_X": "2026-03-18T12:32:32+02:00"])]
        #expect(Set(others + [first]).count == 4)
        // What oracles count on.
        var text: [UInt8] = []
        EnvelopeID(offlineRow: "12", changedAt: "1773829951", of: Self.memberID).write(into: &text)
        #expect(first == .string(String(decoding: text, as: UTF8.self)))
    }

    @Test func `the time is that of the change, and without a usable one that of fetching`() throws {
        #expect(try Self.json(Self.written(Self.row()).record)["time"] == "2026-03-18T10:32:31Z")
        for time: JSONValue in ["", "yesterday", "2026-03-18 12:32:31", false] {
            let written = try Self.written(Self.row(["TIMESTAMP_X": time]))
            #expect(try Self.json(written.record)["time"] == "2025-12-18T09:26:40.123Z")
        }
    }

    @Test func `values are written as PHP would have posted them`() throws {
        let data: JSONValue = ["F": ["yes": true, "no": false, "none": nil, "n": 7, "empty": [], "list": ["a", 2]]]
        let written = try Self.json(Self.written(Self.row(["EVENT_DATA": data])).record)
        #expect(written["data"] == ["F": ["yes": "1", "no": "0", "n": "7", "list": ["a", "2"]]])
        #expect(try Self.json(Self.written(Self.row(["EVENT_DATA": false])).record)["data"] == [:])
    }

    @Test func `a row without a name or an id is a dead letter with its pairs`() throws {
        for missing in ["EVENT_NAME", "ID"] {
            let (record, reason) = try Self.written(Self.row([missing: ""]))
            #expect(reason == .unusableRow && record.topic == Array("dead".utf8))
            let headers = Self.headers(record)
            #expect(headers["b24_reason"] == "unusable-row" && headers["b24_portal"] == Self.memberID)
            #expect(headers["b24_id"]?.count == 36)
            let value = String(decoding: record.value.bytes, as: UTF8.self)
            #expect(value.contains(#"["data[FIELDS][ID]","1000983"]"#))
        }
    }

    @Test func `a row that is over a limit is a dead letter without its pairs`() throws {
        var deep: JSONValue = "x"
        for _ in 0..<200 { deep = ["a": deep] }
        let (record, reason) = try Self.written(Self.row(["EVENT_DATA": deep]))
        #expect(reason == .unusableRow && record.value.bytes == Array("[]".utf8))

        let large = Self.row([
            "EVENT_DATA": ["FIELDS": ["ID": "1", "TEXT": .string(String(repeating: "x", count: 3000))]]
        ])
        let tooLarge = try Self.written(large, Self.settings(maxRecordBytes: 2000))
        #expect(tooLarge.reason == .tooLarge && tooLarge.record.value.bytes == Array("[]".utf8))
        #expect(Self.headers(tooLarge.record)["b24_event"] == "ONCRMLEADADD")

        let nameless = try Self.written(
            Self.row(["EVENT_NAME": "", "EVENT_DATA": ["T": .string(String(repeating: "x", count: 3000))]]),
            Self.settings(maxRecordBytes: 2000)
        )
        #expect(nameless.reason == .unusableRow && nameless.record.value.bytes == Array("[]".utf8))
    }
}
