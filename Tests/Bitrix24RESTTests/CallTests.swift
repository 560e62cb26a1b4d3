import Foundation
import Locks
import Synchronization
import Testing

@testable import Bitrix24REST

@Suite struct CallTests {
    @Test func `a call posts JSON with the token in the body to the portal's own address`() async throws {
        try await withPortal { _, _ in
            .result(["ID": "1"])
        } _: { client, server, _ in
            let result = try await client.call("crm.deal.get", ["id": 7], of: portal)
            #expect(result == ["ID": "1"])
            let call = try #require(server.calls.first)
            #expect(call.path == "/portal/\(portal)/rest/crm.deal.get")
            #expect(call.json == ["id": 7, "auth": .string(OAuthTokens.first.access)])
            #expect(call.contentType == "application/json")
            #expect(call.userAgent == "b24bridge")
        }
    }

    @Test func `an error that comes with HTTP 200 is one`() async throws {
        try await withPortal { _, _ in
            .json(200, ["error": "WRONG_CLIENT", "error_description": "x", "result": true])
        } _: { client, server, _ in
            let error = await error(client)
            #expect(error?.code == .init("wrong_client"))
            #expect(error?.status == 200)
            #expect(server.calls.count == 1)
        }
    }

    @Test func `an error names portal, method and code, and no token that the answer repeats`() async throws {
        try await withPortal { call, _ in
            .error(403, "ACCESS_DENIED", "\(call.body) is not allowed")
        } _: { client, _, _ in
            let text = try #require(await error(client)).description
            #expect(text.contains(portal) && text.contains("server.time") && text.contains("access_denied"))
            #expect(!text.contains(OAuthTokens.first.access))
        }
    }

    @Test(arguments: [502, 500, 403, 200])
    func `HTML in place of JSON is tried again a few times and never quoted`(status: Int) async throws {
        let clock = TestClock()
        try await withPortal(clock) { _, _ in
            .text(status, "<html>\(OAuthTokens.first.access)</html>", [])
        } _: { client, server, _ in
            let error = await error(client)
            #expect(error?.code == .notJSON)
            #expect(error?.status == status)
            #expect(error?.description.contains("html") == false)
            #expect(server.calls.count == 5)
            #expect(clock.sleeps == [750, 1500, 3000, 6000].map { .milliseconds($0) })
        }
    }

    @Test func `a call succeeds once the portal has recovered`() async throws {
        try await withPortal { _, earlier in
            switch earlier {
            case 0: .error(500, "INTERNAL_SERVER_ERROR")
            case 1: .text(504, "", [])
            default: .result("time")
            }
        } _: { client, server, _ in
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            #expect(server.calls.count == 3)
        }
    }

    @Test func `too many calls make the whole portal pause, others not`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, earlier in
            call.method == "server.time" && earlier < 2
                ? .error(503, "QUERY_LIMIT_EXCEEDED") : .result("time")
        } _: { client, server, portals in
            portals.add("another", at: server)
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            // Half of 1 s and of 2 s, each with the turn of a full bucket.
            #expect(clock.now >= .milliseconds(1500) && clock.now <= .seconds(30))
            let before = clock.now
            _ = try await client.profile(of: "another")
            #expect(clock.now == before)
            _ = try await client.profile(of: portal)
            #expect(clock.now == before + .milliseconds(500))
        }
    }

    @Test func `a portal that stays throttled is given up`() async throws {
        try await withPortal { _, _ in
            .error(503, "QUERY_LIMIT_EXCEEDED")
        } _: { client, server, _ in
            #expect(await error(client)?.code == .queryLimitExceeded)
            #expect(server.calls.count == 9)
        }
    }

    @Test func `a blocked portal is asked once`() async throws {
        try await withPortal { _, _ in
            .error(503, "OVERLOAD_LIMIT")
        } _: { client, server, _ in
            #expect(await error(client)?.meaning == .later)
            #expect(server.calls.count == 1)
        }
    }

    @Test func `a method without operating time waits for its reset, and only that method`() async throws {
        let clock = TestClock()
        let time: JSONValue = ["finish": .double(1_790_000_000.5), "operating_reset_at": 1_790_000_300]
        try await withPortal(clock) { call, earlier in
            guard call.method == "event.get" else { return .result("time") }
            return earlier == 1
                ? .error(429, "OPERATION_TIME_LIMIT") : .json(200, ["result": [], "time": time])
        } _: { client, server, _ in
            _ = try await client.bindings(of: portal)
            async let waiting = client.bindings(of: portal)
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            #expect(try await waiting.isEmpty)
            #expect(clock.sleeps.contains(.milliseconds(299_500)))
            #expect(server.calls("event.get").count == 3)
        }
    }

    @Test func `calls beyond the burst wait for their turn`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { _, _ in
            .result("time")
        } change: {
            $0.perSecond = 2
            $0.burst = 3
        } _: { client, _, _ in
            for _ in 0..<5 { _ = try await client.serverTime(of: portal) }
            #expect(clock.now == .seconds(1))
        }
    }

    @Test func `a slow portal is given up in time`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { _, _ in
            .held(200, ["result": 1])
        } change: {
            $0.portalTimeout = .milliseconds(200)
            $0.retry.passingAttempts = 1
        } _: { client, server, _ in
            #expect(await error(client)?.code == .unreachable)
            // It was tried again, once.
            #expect(clock.sleeps == [.milliseconds(750)])
            server.release()
        }
    }

    @Test func `an answer larger than allowed is not read`() async throws {
        try await withPortal { _, _ in
            .result(.string(String(repeating: "x", count: 100_000)))
        } change: {
            $0.maxAnswerBytes = 50_000
        } _: { client, server, _ in
            #expect(await error(client)?.code == .tooLarge)
            #expect(server.calls.count == 1)
        }
    }

    @Test func `nobody there is unreachable`() async throws {
        try await withPortal { _, _ in
            .result(1)
        } change: {
            $0.standIn = "http://127.0.0.1:1"
        } _: { client, _, portals in
            portals.state.withLock {
                $0.places[portal] = PortalPlace(
                    memberID: portal,
                    domain: "",
                    clientEndpoint: "http://127.0.0.1:1/rest/",
                    authorizationServer: .world
                )
            }
            #expect(await error(client)?.code == .unreachable)
        }
    }

    @Test func `a call that is cancelled ends, wherever it waits`() async throws {
        try await withPortal { _, _ in
            .held(200, ["result": 1])
        } _: { client, server, _ in
            let task = Task { try await client.serverTime(of: portal) }
            try await until { server.calls.count == 1 }
            task.cancel()
            await #expect(throws: CallName(portal: portal, method: "server.time").cancelled) { try await task.value }
            server.release()
        }
    }

    @Test func `a call that is cancelled between two attempts ends`() async throws {
        var clock = TestClock().clock
        clock.sleep = { _ throws(CancellationError) in
            do { try await Task.sleep(for: .seconds(3600)) } catch { throw CancellationError() }
        }
        try await FakeBitrix24.with { _, _ in
            .error(500, "INTERNAL_SERVER_ERROR")
        } _: { server in
            let portals = TestPortals()
            portals.add(at: server)
            try await withClient(at: server, portals, clock: clock) { client, _ in
                let task = Task { try await client.serverTime(of: portal) }
                try await until { server.calls.count == 1 }
                task.cancel()
                await #expect(throws: CallName(portal: portal, method: "server.time").cancelled) {
                    try await task.value
                }
            }
        }
    }

    private func error(_ client: RESTClient) async -> RESTError? {
        await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
    }
}
