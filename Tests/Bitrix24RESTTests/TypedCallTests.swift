import Testing

@testable import Bitrix24REST

@Suite struct TypedCallTests {
    @Test func `binding what is bound already is a success`() async throws {
        try await withPortal { _, _ in
            .error(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
        } _: { client, server, _ in
            let binding = EventBinding(event: "onCrmDealAdd", handler: "https://bridge.example/e", authType: 5)
            try await client.bind(binding, of: portal)
            #expect(server.calls.count == 1)
            let call = server.calls[0].json
            #expect(call["event"] == "ONCRMDEALADD")
            #expect(call["handler"] == "https://bridge.example/e")
            #expect(call["auth_type"] == 5)
        }
    }

    @Test(arguments: [JSONValue.bool(false), nil])
    func `a handler that was not accepted is an error`(result: JSONValue) async throws {
        try await withPortal { _, _ in
            result == false ? .result(false) : .error(400, "ERROR_CORE", "Unable to set event handler: bad")
        } _: { client, _, _ in
            await #expect(throws: RESTError.self) {
                try await client.bind(EventBinding(event: "X", handler: "https://bridge.example/e"), of: portal)
            }
        }
    }

    @Test func `an offline binding names its queue and no handler`() async throws {
        try await withPortal { _, _ in
            .result(true)
        } _: { client, server, _ in
            try await client.bind(EventBinding(offline: "ONCRMDEALADD", connector: "OneC"), of: portal)
            try await client.bind(
                EventBinding(event: "ONOFFLINEEVENT", handler: "https://bridge.example/e"),
                minTimeout: 0,
                of: portal
            )
            let calls = server.calls.map(\.json)
            #expect(calls[0]["event_type"] == "offline")
            #expect(calls[0]["auth_connector"] == "OneC")
            #expect(calls[0]["handler"] == nil)
            #expect(calls[1]["options"] == ["minTimeout": 0])
        }
    }

    @Test func `bindings are read as they are bound`() async throws {
        try await withPortal { _, _ in
            .result([
                ["event": "ONCRMLEADADD", "handler": "https://h/", "auth_type": "0", "offline": 0],
                ["event": "onCrmLeadAdd", "handler": "https://h/", "auth_type": "7", "offline": "0"],
                ["event": "ONCRMLEADADD", "connector_id": "OneC", "auth_type": "0", "offline": 1], ["x": 1],
            ])
        } _: { client, _, _ in
            let bindings = try await client.bindings(of: portal)
            #expect(
                bindings == [
                    EventBinding(event: "ONCRMLEADADD", handler: "https://h/"),
                    EventBinding(event: "ONCRMLEADADD", handler: "https://h/", authType: 7),
                    EventBinding(offline: "ONCRMLEADADD", connector: "OneC"),
                ]
            )
        }
    }

    @Test func `what is no list is never taken for an empty one`() async throws {
        try await withPortal { _, _ in
            .result(nil)
        } _: { client, _, _ in
            await #expect(throws: RESTError.self) { try await client.bindings(of: portal) }
            await #expect(throws: RESTError.self) { try await client.events(of: portal) }
        }
        try await withPortal { _, _ in
            .json(200, ["time": [:]])
        } _: { client, _, _ in
            await #expect(throws: RESTError.self) { try await client.bindings(of: portal) }
        }
    }

    @Test func `the small calls are read`() async throws {
        try await withPortal { call, _ in
            switch call.method {
            case "event.unbind": .result(["count": 1])
            case "events": .result(["ONAPPUNINSTALL", "onCrmDealAdd"])
            case "event.test": .result(1)
            case "profile": .result(["ID": "1", "ADMIN": true, "NAME": "Ada", "LAST_NAME": ""])
            case "feature.get":
                call.json["CODE"] == "a"
                    ? .result(["value": "Y"]) : .result(["value": call.json["CODE"] == "b" ? "N" : "en_selfhosted"])
            case "scope": .result(["crm", "task"])
            default: .result(appInfo(endpoint: "https://new.bitrix24.com/rest/"))
            }
        } _: { client, server, _ in
            #expect(try await client.unbind(EventBinding(event: "X", handler: "https://h/"), of: portal) == 1)
            #expect(try await client.events(of: portal) == ["ONAPPUNINSTALL", "ONCRMDEALADD"])
            try await client.testEvent(["nonce": "n"], of: portal)
            #expect(server.calls("event.test").first?.json["nonce"] == "n")
            #expect(try await client.profile(of: portal) == Profile(id: "1", isAdministrator: true, name: "Ada"))
            #expect(try await client.feature("a", of: portal))
            #expect(try await !client.feature("b", of: portal))
            #expect(try await client.feature("c", of: portal))
            #expect(try await client.scope(of: portal) == ["crm", "task"])
            #expect(try await client.appInfo(of: portal).memberID == portal)
            #expect(server.calls.last?.path == "/rest/app.info")
        }
    }

    @Test func `a user who is no longer active has no profile`() async throws {
        try await withPortal { _, _ in
            .result([])
        } _: { client, _, _ in
            let profile = try await client.profile(of: portal)
            #expect(profile == nil)
        }
    }
}
