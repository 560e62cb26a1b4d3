import Testing

@testable import Bitrix24REST

/// Calls of the queue leave their waits to whoever made them.
@Suite struct OfflinePatienceTests {
    static let calls: [(method: String, call: @Sendable (RESTClient) async throws(RESTError) -> Void)] = [
        (
            "event.offline.get",
            { client async throws(RESTError) in
                _ = try await client.reserveOfflineRows(.init(limit: 1), connector: "", of: portal)
            }
        ),
        (
            "event.offline.list",
            { client async throws(RESTError) in _ = try await client.offlineRows(connector: "", of: portal) }
        ),
        (
            "event.offline.clear",
            { client async throws(RESTError) in
                try await client.clearOfflineRows(["1"], reservedAs: "p", connector: "", of: portal)
            }
        ),
        (
            "event.offline.error",
            { client async throws(RESTError) in
                try await client.markOfflineRows(["m"], reservedAs: "p", connector: "", of: portal)
            }
        ),
    ]

    @Test(arguments: calls.indices, [(503, "QUERY_LIMIT_EXCEEDED"), (429, "OPERATION_TIME_LIMIT"), (502, "")])
    func `a slow or dead portal is asked once, and nobody sleeps`(index: Int, failure: (Int, String)) async throws {
        let (clock, (status, code)) = (TestClock(), failure)
        try await withPortal(clock) { _, _ in
            code.isEmpty ? .text(status, "", []) : .json(status, ["error": .string(code)])
        } _: { client, server, _ in
            let error = await #expect(throws: RESTError.self) { try await Self.calls[index].call(client) }
            #expect(error?.meaning == .passing && error?.method == Self.calls[index].method)
            #expect(server.calls.count == 1 && clock.sleeps.isEmpty)
        }
    }

    @Test func `a portal that has too many calls pauses for all`() async throws {
        try await withPortal { _, _ in
            .json(503, ["error": "QUERY_LIMIT_EXCEEDED"])
        } _: { client, _, _ in
            #expect(client.budget(of: portal).calls > 1)
            await #expect(throws: RESTError.self) { try await Self.calls[0].call(client) }
            #expect(client.budget(of: portal).calls == 0)
        }
    }

    @Test func `a method without operating time is not called before its time, which the error tells`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, earlier in
            call.method == "event.offline.get" && earlier == 0
                ? .json(429, ["error": "OPERATION_TIME_LIMIT"]) : .result(["process_id": "p", "events": []])
        } _: { client, server, _ in
            for _ in 0..<3 {
                let error = await #expect(throws: RESTError.self) { try await Self.calls[0].call(client) }
                #expect(error?.code == .operationTimeLimit)
            }
            let blocked = await #expect(throws: RESTError.self) { try await Self.calls[0].call(client) }
            #expect(blocked?.retryAfter == OperatingLimits.unknownReset)
            #expect(server.calls.count == 1 && clock.sleeps.isEmpty)
            try await clock.clock.sleep(OperatingLimits.unknownReset)
            try await Self.calls[0].call(client)
            #expect(server.calls.count == 2)
        }
    }

    @Test func `an expired token is renewed all the same`() async throws {
        try await withPortal { call, earlier in
            if call.method == "event.offline.list" {
                return earlier == 0
                    ? .json(401, ["error": "expired_token"]) : .json(200, ["result": [], "total": 0])
            }
            return .json(200, newTokens(1))
        } _: { client, server, portals in
            try await Self.calls[1].call(client)
            #expect(portals.kept.count == 1)
            #expect(server.calls.count { $0.method == "event.offline.list" } == 2)
        }
    }
}
