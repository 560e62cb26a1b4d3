import Testing

@testable import Bitrix24REST

@Suite struct WebhookTests {
    @Test func `a webhook's calls go to its address without a token`() async throws {
        try await withPortal { _, _ in
            .result(["ID": "1"])
        } _: { client, server, _ in
            let webhook = try #require(IncomingWebhook("\(server.address)/rest/1/k7Qz3vX9/"))
            _ = try await client.call("profile", ["x": 1], by: webhook, of: portal)
            #expect(server.calls.map(\.path) == ["/rest/1/k7Qz3vX9/profile"])
            #expect(server.calls[0].json == ["x": 1])
        }
    }

    @Test(arguments: [("expired_token", 401), ("WRONG_AUTH_TYPE", 403), ("INVALID_CREDENTIALS", 401)])
    func `there is nothing to refresh`(code: String, status: Int) async throws {
        try await withPortal { _, _ in
            .error(status, code, "https://127.0.0.1/rest/1/k7Qz3vX9/profile and k7Qz3vX9")
        } _: { client, server, portals in
            let webhook = try #require(IncomingWebhook("\(server.address)/rest/1/k7Qz3vX9/"))
            let error = await #expect(throws: RESTError.self) {
                try await client.call("profile", by: webhook, of: portal)
            }
            #expect(error?.code == .init(code))
            #expect(error?.description.contains("k7Qz3vX9") == false)
            #expect(server.calls.count == 1)
            #expect(portals.kept.isEmpty)
        }
    }

    @Test func `it shares the portal's rate and is as patient`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { _, earlier in
            earlier == 1 ? .error(503, "QUERY_LIMIT_EXCEEDED") : .result("time")
        } change: {
            $0.burst = 1
        } _: { client, server, _ in
            let webhook = try #require(IncomingWebhook("\(server.address)/rest/1/k7Qz3vX9/"))
            _ = try await client.serverTime(of: portal)
            _ = try await client.call("server.time", by: webhook, of: portal)
            #expect(clock.now >= .milliseconds(1500))
            #expect(server.calls.count == 3)
        }
    }

    @Test func `a redirect is not followed`() async throws {
        try await withPortal { _, _ in
            .text(302, "", [("Location", "/elsewhere")])
        } _: { client, server, _ in
            let webhook = try #require(IncomingWebhook("\(server.address)/rest/1/k7Qz3vX9/"))
            let error = await #expect(throws: RESTError.self) {
                try await client.call("profile", by: webhook, of: portal)
            }
            #expect(error?.code == .moved)
            #expect(server.calls.count == 1)
        }
    }
}
