import Locks
import Synchronization
import Testing

@testable import Bitrix24REST

@Suite struct RefreshTests {
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

    @Test func `a token whose time is over is refreshed before it is used`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, _ in
            call.method == "token" ? .json(200, newTokens(1)) : .result("time")
        } _: { client, server, portals in
            portals.state.withLock {
                $0.tokens[portal] = OAuthTokens(access: "old", refresh: "old", accessExpiresAt: clock.beginning)
            }
            _ = try await client.serverTime(of: portal)
            _ = try await client.serverTime(of: portal)
            #expect(server.calls.map(\.method) == ["token", "server.time", "server.time"])
        }
    }

    @Test func `who asks at the same time shares one refresh`() async throws {
        try await withPortal { call, _ in
            if call.method == "token" { return .json(200, newTokens(1)) }
            return call.json["auth"] == .string(OAuthTokens.first.access)
                ? .error(401, "invalid_token") : .result("time")
        } _: { client, server, portals in
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await client.serverTime(of: portal) } }
                for try await time in group { #expect(time == "time") }
            }
            #expect(server.calls("token").count == 1)
            #expect(portals.kept.count == 1)
        }
    }

    @Test func `who asks at the same time shares a failure, and the keeper is told`() async throws {
        try await withPortal { call, _ in
            call.method == "token" ? .held(400, ["error": "invalid_grant"]) : .error(401, "expired_token")
        } _: { client, server, portals in
            let tasks = (0..<10).map { _ in Task { try await client.serverTime(of: portal) } }
            try await until { client.flights.count == 9 && server.calls("token").count == 1 }
            server.release()
            for task in tasks {
                let error = await #expect(throws: RESTError.self) { try await task.value }
                #expect(error?.code == .invalidGrant)
            }
            #expect(server.calls("token").count == 1)
            #expect(portals.refused.map(\.code) == [.invalidGrant])
        }
    }

    @Test func `a refresh for one portal does not wait for another's`() async throws {
        try await withPortal { call, _ in
            if call.method == "token" {
                return call.form["refresh_token"] == "stuck"
                    ? .held(200, newTokens(1)) : .json(200, newTokens(2, of: "another"))
            }
            return .result("time")
        } _: { client, server, portals in
            portals.state.withLock {
                $0.tokens[portal] = OAuthTokens(access: "old", refresh: "stuck", accessExpiresAt: 0)
            }
            portals.add("another", at: server, tokens: OAuthTokens(access: "x", refresh: "y", accessExpiresAt: 0))
            async let stuck = client.serverTime(of: portal)
            try await until { server.calls("token").count == 1 }
            #expect(try await client.serverTime(of: "another") == "time")
            server.release()
            #expect(try await stuck == "time")
        }
    }

    @Test func `a token is refreshed once only for one call`() async throws {
        try await withPortal { call, earlier in
            call.method == "token" ? .json(200, newTokens(earlier + 1)) : .error(401, "NO_AUTH_FOUND")
        } _: { client, server, portals in
            let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(error?.code == .noAuthFound)
            #expect(server.calls.map(\.method) == ["server.time", "token", "server.time"])
            #expect(portals.refused.map(\.code) == [.noAuthFound])
        }
    }

    @Test func `a token that could not be kept is not used`() async throws {
        try await FakeBitrix24.with { call, _ in
            call.method == "token" ? .json(200, newTokens(1)) : .error(401, "expired_token")
        } _: { server in
            let lost = RESTError(portal: portal, method: "", code: .init("disk"), message: "full")
            let portals = TestPortals { () throws(RESTError) in throw lost }
            portals.add(at: server)
            try await withClient(at: server, portals) { client, _ in
                await #expect(throws: lost) { try await client.serverTime(of: portal) }
            }
            #expect(server.calls.map(\.method) == ["server.time", "token"])
        }
    }

    @Test func `tokens that could not be kept are kept at the next attempt, without another exchange`() async throws {
        try await FakeBitrix24.with { call, earlier in
            if call.method == "token" { return earlier == 0 ? .json(200, newTokens(1)) : .error(400, "invalid_grant") }
            return call.json["auth"] == .string(OAuthTokens.first.access)
                ? .error(401, "expired_token") : .result("time")
        } _: { server in
            let keeps = Guarded(0)
            let portals = TestPortals { () throws(RESTError) in
                let number = keeps.withLock {
                    $0 += 1
                    return $0
                }
                if number == 1 {
                    throw RESTError(portal: portal, method: "", code: .init("disk"), message: "full")
                }
            }
            portals.add(at: server)
            try await withClient(at: server, portals) { client, _ in
                await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
                let time = try await client.serverTime(of: portal)
                #expect(time == "time")
            }
            #expect(server.calls("token").count == 1)
            #expect(portals.kept.map(\.refresh) == ["refresh1-0123456789abcdef"])
            #expect(portals.refused.isEmpty)
        }
    }

    @Test func `a cancelled caller does not lose the tokens that are on their way`() async throws {
        try await withPortal { call, _ in
            call.method == "token" ? .held(200, newTokens(1)) : .error(401, "expired_token")
        } _: { client, server, portals in
            let task = Task { try await client.serverTime(of: portal) }
            try await until { server.calls("token").count == 1 }
            task.cancel()
            server.release()
            await #expect(throws: RESTError.self) { try await task.value }
            #expect(portals.kept.map(\.refresh) == ["refresh1-0123456789abcdef"])
        }
    }

    @Test func `who waits for another's refresh can be cancelled, and takes it over when that one is`() async throws {
        var clock = TestClock().clock
        let sleeps = Guarded(0)
        // The first to wait between two attempts waits until it is cancelled.
        clock.sleep = { _ throws(CancellationError) in
            let number = sleeps.withLock {
                $0 += 1
                return $0
            }
            guard number == 1 else { return }
            do { try await Task.sleep(for: .seconds(3600)) } catch { throw CancellationError() }
        }
        try await FakeBitrix24.with { call, earlier in
            if call.method == "token" { return earlier == 0 ? .error(500, "x") : .json(200, newTokens(1)) }
            return call.json["auth"] == .string(OAuthTokens.first.access)
                ? .error(401, "expired_token") : .result("time")
        } _: { server in
            let portals = TestPortals()
            portals.add(at: server)
            try await withClient(at: server, portals, clock: clock) { client, _ in
                let leader = Task { try await client.serverTime(of: portal) }
                try await until { sleeps.withLock { $0 } == 1 }
                let second = Task { try await client.serverTime(of: portal) }
                let third = Task { try await client.serverTime(of: portal) }
                try await until { server.calls("server.time").count == 3 }
                second.cancel()
                await #expect(throws: RESTError.self) { try await second.value }
                leader.cancel()
                await #expect(throws: RESTError.self) { try await leader.value }
                #expect(try await third.value == "time")
                #expect(server.calls("token").count == 2)
            }
        }
    }

    @Test func `an authorization server that fails is asked again after 5 s and more`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, earlier in
            guard call.method == "token" else { return .error(401, "expired_token") }
            return .text(502, "<html>", [])
        } _: { client, server, portals in
            let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(error?.meaning == .passing)
            #expect(server.calls("token").count == 4)
            #expect(clock.sleeps == [3750, 7500, 15_000].map { .milliseconds($0) })
            #expect(portals.refused.isEmpty)
        }
    }

    @Test func `an old refresh token is forgiven when an installation brought new ones meanwhile`() async throws {
        try await withPortal { call, _ in
            if call.method == "token" { return .held(400, ["error": "invalid_grant"]) }
            return call.json["auth"] == "installed" ? .result("time") : .error(401, "expired_token")
        } _: { client, server, portals in
            let task = Task { try await client.serverTime(of: portal) }
            try await until { server.calls("token").count == 1 }
            portals.state.withLock {
                $0.tokens[portal] = OAuthTokens(access: "installed", refresh: "r", accessExpiresAt: .max)
            }
            server.release()
            #expect(try await task.value == "time")
            #expect(portals.refused.isEmpty)
        }
    }

    @Test func `a removed application is told as such`() async throws {
        try await withPortal { call, _ in
            call.method == "token" ? .error(401, "NOT_INSTALLED") : .error(401, "expired_token")
        } _: { client, _, portals in
            await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(portals.refused.map(\.meaning) == [.uninstalled])
        }
    }

    @Test func `tokens are kept alive by one refresh`() async throws {
        try await withPortal { _, _ in
            .json(200, newTokens(1))
        } _: { client, server, portals in
            try await client.renewTokens(of: portal)
            #expect(server.calls.map(\.method) == ["token"])
            #expect(portals.kept.count == 1)
        }
    }
}
