import Testing

@testable import Bitrix24REST

@Suite struct BatchTests {
    private let binding = EventBinding(event: "onCrmDealAdd", handler: "https://bridge.example/e?src=a&b=1")

    @Test func `a batch sends each call as a query and reads each one's result`() async throws {
        try await withPortal { _, _ in
            .result([
                "result": ["c0": true], "result_total": [], "result_next": [], "result_time": ["c0": [:]],
                "result_error": ["c1": ["error": "ERROR_EVENT_NOT_FOUND", "error_description": "Event not found"]],
            ])
        } _: { client, server, _ in
            let results = try await client.batch(
                [.bind(binding), .bind(EventBinding(event: "X", handler: "https://h.example/"))],
                of: portal
            )
            #expect(try results[0].get() == true)
            let error = #expect(throws: RESTError.self) { try results[1].get() }
            #expect(error?.code == .eventNotFound)
            #expect(error?.method == "event.bind")
            let call = try #require(server.calls.first?.json)
            #expect(call["halt"] == 0)
            #expect(
                call["cmd"]?["c0"]
                    == "event.bind?event=ONCRMDEALADD&handler=https%3A%2F%2Fbridge.example%2Fe%3Fsrc%3Da%26b%3D1"
            )
        }
    }

    @Test func `lists where maps are empty are read as such`() async throws {
        try await withPortal { _, _ in
            .result(["result": [], "result_error": ["c0": ["error": "ACCESS_DENIED"]], "result_time": []])
        } _: { client, _, _ in
            let results = try await client.batch([BatchCall("profile")], of: portal)
            #expect(throws: RESTError.self) { try results[0].get() }
        }
        try await withPortal { _, _ in
            .result(["result": ["c0": nil], "result_error": []])
        } _: { client, _, _ in
            let results = try await client.batch([BatchCall("profile")], of: portal)
            #expect(try results[0].get() == nil)
        }
    }

    @Test func `a call that the answer leaves out has failed`() async throws {
        try await withPortal { _, _ in
            .result(["result": [], "result_error": []])
        } _: { client, _, _ in
            let results = try await client.batch([BatchCall("profile")], of: portal)
            #expect(throws: RESTError.self) { try results[0].get() }
        }
        try await withPortal { _, _ in
            .result(true)
        } _: { client, _, _ in
            await #expect(throws: RESTError.self) { try await client.batch([BatchCall("profile")], of: portal) }
        }
    }

    @Test func `what is bound already counts as bound, and what was not accepted as an error`() async throws {
        try await withPortal { _, _ in
            .result([
                "result": ["c1": false],
                "result_error": [
                    "c0": [
                        "error": "ERROR_CORE",
                        "error_description": "Unable to set event handler: Handler already binded",
                    ]
                ],
            ])
        } _: { client, _, _ in
            let results = try await client.batch([.bind(binding), .bind(binding)], of: portal)
            #expect(try results[0].get() == true)
            let error = #expect(throws: RESTError.self) { try results[1].get() }
            #expect(error?.code == .handlerRefused)
        }
    }

    @Test func `a long list is split, costs one call for each fifty and keeps its order`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, _ in
            let commands = call.json["cmd"]?.members ?? [:]
            return .result(["result": .object(commands), "result_error": []])
        } change: {
            $0.burst = 1
        } _: { client, server, _ in
            let calls = (0..<120).map { BatchCall("m\($0)") }
            let results = try await client.batch(calls, of: portal)
            #expect(try results.map { try $0.get().text } == calls.map(\.method))
            #expect(server.calls.map { $0.json["cmd"]?.members?.count } == [50, 50, 20])
            #expect(clock.now == .seconds(1))
        }
    }

    @Test func `what was done is not forgotten when the rest fails`() async throws {
        try await withPortal { call, earlier in
            if earlier > 0 { return .error(403, "ACCESS_DENIED") }
            return .result(["result": .object(call.json["cmd"]?.members ?? [:]), "result_error": []])
        } _: { client, _, _ in
            let results = try await client.batch((0..<60).map { BatchCall("m\($0)") }, of: portal)
            #expect(results.count == 60)
            #expect(results.prefix(50).allSatisfy { (try? $0.get()) != nil })
            #expect(results.suffix(10).allSatisfy { (try? $0.get()) == nil })
        }
        try await withPortal { _, _ in
            .error(403, "ACCESS_DENIED")
        } _: { client, _, _ in
            await #expect(throws: RESTError.self) { try await client.batch([BatchCall("m")], of: portal) }
        }
        try await withPortal { _, _ in
            .error(403, "ACCESS_DENIED")
        } _: { client, server, _ in
            let results = try await client.batch([], of: portal)
            #expect(results.isEmpty)
            #expect(server.calls.isEmpty)
        }
    }

    @Test func `a method that is out of operating time within a batch waits the next time`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, _ in
            guard call.method == "batch" else { return .result([]) }
            return .result([
                "result": [], "result_error": ["c0": ["error": "OPERATION_TIME_LIMIT"]],
                "result_time": ["c0": ["finish": 1000, "operating_reset_at": 1200]],
            ])
        } _: { client, _, _ in
            _ = try await client.batch([BatchCall("event.get")], of: portal)
            #expect(clock.now == .zero)
            _ = try await client.events(of: portal)
            #expect(clock.now == .zero)
            _ = try await client.bindings(of: portal)
            #expect(clock.now == .seconds(200))
        }
    }
}
