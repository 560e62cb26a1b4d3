import Testing

@testable import Bitrix24REST

@Suite struct CallTests {
    @Test func `a call posts JSON with the token in the body to the portal's own address`() async throws {
        try await FakeBitrix24.with { _, _ in
            .result(["ID": "1"])
        } _: { server in
            let portals = TestPortals()
            portals.add(at: server)
            try await withClient(at: server, portals) { client, _ in
                let result = try await client.call("crm.deal.get", ["id": 7], of: portal)
                #expect(result == ["ID": "1"])
            }
            let call = try #require(server.calls.first)
            #expect(call.path == "/portal/\(portal)/rest/crm.deal.get")
            #expect(call.json == ["id": 7, "auth": .string(OAuthTokens.first.access)])
            #expect(call.contentType == "application/json")
            #expect(call.userAgent == "b24bridge")
        }
    }

    @Test func `an expired token is refreshed once and the new one kept before the call is repeated`() async throws {
        try await FakeBitrix24.with { call, _ in
            if call.method == "token" { return .json(200, newTokens(1)) }
            return call.json["auth"] == .string(OAuthTokens.first.access)
                ? .error(401, "EXPIRED_TOKEN") : .result("time")
        } _: { server in
            let portals = TestPortals {
                () throws(RESTError) in
                #expect(server.calls("server.time").count == 1)
            }
            portals.add(at: server)
            try await withClient(at: server, portals) { client, _ in
                let time = try await client.serverTime(of: portal)
                #expect(time == "time")
            }
            #expect(server.calls.map(\.method) == ["server.time", "token", "server.time"])
            #expect(portals.kept.map(\.access) == ["access1-0123456789abcdef"])
        }
    }

    @Test func `binding what is bound already is a success`() async throws {
        try await FakeBitrix24.with { _, _ in
            .error(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
        } _: { server in
            let portals = TestPortals()
            portals.add(at: server)
            try await withClient(at: server, portals) { client, _ in
                try await client.bind(
                    EventBinding(event: "onCrmDealAdd", handler: "https://bridge.example/e"),
                    of: portal
                )
            }
            #expect(server.calls.count == 1)
            #expect(server.calls[0].json["event"] == "ONCRMDEALADD")
        }
    }
}
