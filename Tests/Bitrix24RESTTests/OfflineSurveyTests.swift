import Testing

@testable import Bitrix24REST

@Suite struct OfflineSurveyTests {
    private static func row(_ id: String, process: String = "", error: String = "0") -> JSONValue {
        [
            "ID": .string(id), "TIMESTAMP_X": "2026-03-18T12:32:31+02:00", "EVENT_NAME": "ONCRMLEADADD",
            "PROCESS_ID": .string(process), "ERROR": .string(error),
        ]
    }

    private static func answer(_ lists: [JSONValue], totals: JSONValue) -> FakeBitrix24.Reply {
        let results = Dictionary(uniqueKeysWithValues: lists.enumerated().map { ("c\($0)", $1) })
        return .result(["result": .object(results), "result_error": [], "result_total": totals, "result_next": []])
    }

    @Test func `queues are counted by one call, each with its own rows`() async throws {
        try await withPortal { _, _ in
            Self.answer(
                [
                    [Self.row("1"), Self.row("2", process: "p")], [Self.row("2", process: "p")],
                    [Self.row("3", error: "1")], [], [], [],
                ],
                totals: ["c0": 120, "c1": "70", "c2": 1, "c3": 0, "c4": 0, "c5": 0]
            )
        } _: { client, server, _ in
            let surveys = try await client.surveyOfflineQueues(["OneC", ""], of: portal)
            #expect(surveys.map(\.connector) == ["OneC", ""])
            #expect(surveys.map(\.rows) == [120, 0])
            #expect(surveys.map(\.reserved) == [70, 0] && surveys.map(\.erroneous) == [1, 0])
            #expect(surveys.map(\.oldest) == ["2026-03-18T12:32:31+02:00", nil])
            #expect(server.calls.map(\.method) == ["batch"])
            let commands = try #require(server.calls.first?.json["cmd"])
            #expect(
                commands["c0"] == "event.offline.list?auth_connector=OneC&order%5BTIMESTAMP_X%5D=ASC&start=0"
            )
            #expect(
                commands["c1"]
                    == "event.offline.list?auth_connector=OneC&filter%5B%3EPROCESS_ID%5D=&order%5BID%5D=ASC&start=0"
            )
            #expect(commands["c5"] == "event.offline.list?filter%5B%3DERROR%5D=1&order%5BID%5D=ASC&start=0")
        }
    }

    @Test(arguments: [(2, 1), (51, nil)] as [(Int, Int?)])
    func `a filter that the portal passes over is not believed`(total: Int, reserved: Int?) async throws {
        let page: JSONValue = [Self.row("1"), Self.row("2", process: "p")]
        try await withPortal { _, _ in
            let total = JSONValue.int(Int64(total))
            return Self.answer([page, page, page], totals: ["c0": total, "c1": total, "c2": total])
        } _: { client, _, _ in
            let survey = try #require(try await client.surveyOfflineQueues([""], of: portal).first)
            #expect(survey.rows == total && survey.reserved == reserved)
            #expect(survey.erroneous == reserved.map { _ in 0 })
        }
    }

    @Test func `an empty list and one with gaps are lists also where PHP writes objects`() async throws {
        try await withPortal { _, _ in
            Self.answer(
                [["3": Self.row("2"), "1": Self.row("1", process: "p")], ["1": Self.row("1", process: "p")], [:]]
                    + [[:], [:], [:]],
                totals: ["c0": 120, "c1": 60, "c2": 0, "c3": 0, "c4": 0, "c5": 0]
            )
        } _: { client, _, _ in
            let surveys = try await client.surveyOfflineQueues(["OneC", ""], of: portal)
            #expect(surveys.map(\.rows) == [120, 0])
            #expect(surveys.map(\.reserved) == [60, 0] && surveys.map(\.erroneous) == [0, 0])
            #expect(surveys.map(\.oldest) == ["2026-03-18T12:32:31+02:00", nil])
        }
    }

    @Test func `what is no list is not taken for an empty queue`() async throws {
        try await withPortal { _, _ in
            Self.answer([["error": "no"], [], []], totals: ["c0": 0, "c1": 0, "c2": 0])
        } _: { client, _, _ in
            let error = await #expect(throws: RESTError.self) {
                try await client.surveyOfflineQueues([""], of: portal)
            }
            #expect(error?.code == .notJSON && error?.method == "event.offline.list")
        }
    }

    @Test func `a queue that may not be looked at is an error, a filter that is refused is not`() async throws {
        let denied: JSONValue = ["error": "ACCESS_DENIED", "error_description": "Access denied"]
        try await withPortal { _, count in
            .result([
                "result": ["c0": [], "c1": [], "c2": []],
                "result_error": count == 0 ? ["c1": denied, "c2": denied] : ["c0": denied],
                "result_total": ["c0": 0],
            ])
        } _: { client, _, _ in
            let survey = try #require(try await client.surveyOfflineQueues([""], of: portal).first)
            #expect(survey.rows == 0 && survey.reserved == 0)
            let error = await #expect(throws: RESTError.self) {
                try await client.surveyOfflineQueues([""], of: portal)
            }
            #expect(error?.code == .init("access_denied") && error?.method == "event.offline.list")
        }
    }
}
