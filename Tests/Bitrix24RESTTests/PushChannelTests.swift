import Foundation
import Locks
import Synchronization
import Testing

@testable import Bitrix24REST

/// Over real HTTP: configuration and polls at one server, as in a test with a stand-in.
@Suite struct PushChannelTests {
    @Test func `word of a queue is signalled, and the next poll goes on after it`() async throws {
        try await PushStage.with(polls: { _, earlier in
            switch earlier {
            case 0: PushStage.news(offlineMessage("m1"), pushMessage("m2", "im", "message"))
            case 1: PushStage.news(offlineMessage("m1"), offlineMessage("m3"))
            default: PushStage.held
            }
        }) { stage in
            try await until { stage.polls.count == 3 }
            #expect(stage.signals == 3)
            let first = try #require(stage.polls.first)
            #expect(first.verb == "GET" && first.path == "/sub/" && first.body.isEmpty)
            #expect(
                first.parameters == [
                    "CHANNEL_ID": "shared:1.abc", "clientId": "fcda45d0859442735f07b8bb5825ded1", "format": "json",
                    "revision": "19",
                ]
            )
            #expect(first.query.contains("CHANNEL_ID=shared%3A1.abc"))
            #expect(stage.polls.map { $0.parameters["mid"] } == [nil, "m2", "m3"])
            #expect(stage.configurations.count == 1)
            #expect(stage.configurations[0].json == ["auth": .string(OAuthTokens.first.access)])
        }
    }

    @Test func `an old server frames its messages, and is told of the last one in its own way`() async throws {
        try await PushStage.with(
            configuration: { address, _ in
                .result(pushConfiguration(at: address, version: 2) { $0["exp"] = 2_000_000_000 })
            },
            polls: { _, earlier in
                let message = String(decoding: offlineMessage("m1").json, as: UTF8.self)
                return earlier == 0 ? .text(200, "#!NGINXNMS!#\(message)#!NGINXNME!#", []) : PushStage.held
            }
        ) { stage in
            try await until { stage.polls.count == 2 }
            #expect(stage.signals == 2)
            let parameters = stage.polls[1].parameters
            #expect(parameters["tag"] == "tm1" && parameters["time"] == "Thu, 29 Jun 2017 09:50:16 GMT")
            #expect(parameters["mid"] == nil && parameters["format"] == nil)
        }
    }

    @Test func `after silence the next poll follows at once`() async throws {
        let clock = TestClock()
        try await PushStage.with(
            clock,
            polls: { _, earlier in
                earlier < 2 ? .text(304, "", PushStage.silence) : PushStage.held
            }
        ) { stage in
            try await until { stage.polls.count == 3 }
            #expect(stage.polls.map { $0.parameters["mid"] } == [nil, "m7", "m7"])
            #expect(stage.signals == 1)
            // Nothing but the wait for the first poll to be at the server.
            #expect(clock.sleeps.allSatisfy { $0 == .seconds(3) })
        }
    }

    @Test func `our own patience is silence as well`() async throws {
        try await PushStage.with(
            polls: { _, _ in
                PushStage.held
            },
            change: {
                // By the real clock, and longer than an answer for which nobody waited.
                $0.clock = .system
                $0.pollTimeout = .milliseconds(300)
            }
        ) { stage in
            try await until { stage.polls.count >= 3 }
            #expect(stage.signals == 1)
        }
    }

    @Test func `a server that is down is asked ever more seldom, and heard again when it is back`() async throws {
        let clock = TestClock()
        try await PushStage.with(
            clock,
            polls: { _, earlier in
                switch earlier {
                case 0: PushStage.news(offlineMessage("m1"))
                case 1..<12: .text(502, "<html>", [])
                case 12: PushStage.news(offlineMessage("m2"))
                default: PushStage.held
                }
            }
        ) { stage in
            try await until { stage.polls.count == 14 }
            let waits = clock.sleeps.filter { $0 != .seconds(3) }.map { $0 / .milliseconds(1) / 1.1 }
            let expected =
                [100, 15_000] + Array(repeating: 45_000.0, count: 3) + Array(repeating: 600_000, count: 5) + [3_600_000]
            #expect(waits.count == expected.count)
            for (wait, expected) in zip(waits, expected) { #expect(abs(wait - expected) < 1) }
            // Anew after each failure from the third on.
            #expect(stage.configurations.count == 1 + 9)
            #expect(stage.configurations.dropFirst().allSatisfy { $0.json["CACHE"] == "N" })
            // At first, of either message, and once the server was back: it may have forgotten some.
            #expect(stage.signals >= 4)
            #expect(stage.polls.dropFirst().prefix(11).allSatisfy { $0.parameters["mid"] == "m1" })
        }
    }

    @Test func `a server elsewhere than the stand-in is not called`() async throws {
        try await PushStage.with(
            configuration: { address, _ in
                // The text of it begins as the stand-in's does.
                .result(pushConfiguration(at: address + "0") { $0["exp"] = 2_000_000_000 })
            },
            polls: { _, _ in
                PushStage.held
            }
        ) { stage in
            let error = await stage.following.value
            #expect(error?.code == .forbiddenAddress)
            #expect(stage.polls.isEmpty)
        }
    }

    @Test func `an answer that is no message is a failure`() async throws {
        let clock = TestClock()
        try await PushStage.with(
            clock,
            polls: { _, earlier in
                earlier == 0 ? .text(200, "not framed", []) : PushStage.held
            }
        ) { stage in
            try await until { stage.polls.count == 2 }
            #expect(clock.sleeps.contains(.milliseconds(110)))
        }
    }

    @Test func `a restarted server is left alone for a while`() async throws {
        let clock = TestClock()
        try await PushStage.with(
            clock,
            polls: { _, earlier in
                earlier == 0 ? PushStage.news(pushMessage("m1", "pull", "server_restart")) : PushStage.held
            }
        ) { stage in
            try await until { stage.polls.count == 2 }
            #expect(clock.sleeps.contains(.seconds(65)))
            #expect(stage.configurations.map { $0.json["CACHE"] } == [nil, "N"])
            // Once for each configuration.
            try await until { stage.signals == 2 }
        }
    }

    @Test func `an expired channel is replaced without a call of the portal`() async throws {
        try await PushStage.with(polls: { _, earlier in
            earlier == 0
                ? PushStage.news(
                    pushMessage(
                        "m1",
                        "pull",
                        "channel_expire",
                        [
                            "action": "reconnect", "channel": ["id": "shared:1.abc", "type": "shared"],
                            "new_channel": ["id": "shared:2", "type": "shared"],
                        ]
                    )
                ) : PushStage.held
        }) { stage in
            try await until { stage.polls.count == 2 }
            #expect(stage.polls[1].parameters["CHANNEL_ID"] == "shared:2")
            #expect(stage.configurations.count == 1)
            try await until { stage.signals == 2 }
        }
    }

    @Test func `polls use nothing of the portal's rate, configurations do`() async throws {
        try await PushStage.with(
            polls: { _, earlier in
                earlier < 30 ? PushStage.news(offlineMessage("m\(earlier)")) : PushStage.held
            },
            change: {
                $0.perSecond = 0.01
            }
        ) { stage in
            try await until { stage.polls.count == 31 }
            #expect(stage.signals == 31)
            // Of 50; the clock has moved by seconds, in which nothing comes back at this rate.
            #expect(stage.client.budget(of: portal).calls == 49)
        }
    }

    @Test(arguments: ["WRONG_AUTH_TYPE", "insufficient_scope", "INVALID_CREDENTIALS"])
    func `a portal that refuses ends it`(code: String) async throws {
        try await PushStage.with(
            configuration: { _, _ in
                .error(403, code)
            },
            polls: { _, _ in
                PushStage.held
            }
        ) { stage in
            let error = await stage.following.value
            #expect(error?.code == .init(code))
            #expect(stage.configurations.count == 1 && stage.polls.isEmpty)
        }
    }

    @Test func `a portal without a server is asked an hour later`() async throws {
        let clock = TestClock()
        try await PushStage.with(
            clock,
            configuration: { address, earlier in
                switch earlier {
                // The call is repeated four times.
                case ..<5: .error(500, "SERVER_ERROR", "Push & Pull server is not configured")
                case 5: .result(["server": ["server_enabled": false]])
                default: .result(pushConfiguration(at: address) { $0["exp"] = 2_000_000_000 })
                }
            },
            polls: { _, _ in
                PushStage.held
            }
        ) { stage in
            try await until { stage.polls.count == 1 }
            #expect(clock.sleeps.count { $0 == .seconds(3960) } == 2)
            #expect(stage.configurations.count == 7)
        }
    }

    @Test func `who is cancelled stops listening at once`() async throws {
        try await PushStage.with(polls: { _, _ in
            PushStage.held
        }) { stage in
            try await until { stage.polls.count == 1 }
            stage.following.cancel()
            #expect(await stage.following.value?.code == .cancelled)
            #expect(stage.polls.count == 1)
        }
    }

    @Test func `an answer larger than allowed is passed over`() async throws {
        try await PushStage.with(
            polls: { _, earlier in
                switch earlier {
                case 0: PushStage.news(offlineMessage("m1"))
                case 1: .text(200, String(repeating: "x", count: 100_000), [])
                default: PushStage.held
                }
            },
            change: {
                $0.maxAnswerBytes = 50_000
            }
        ) { stage in
            try await until { stage.polls.count == 3 }
            #expect(stage.polls.map { $0.parameters["mid"] } == [nil, "m1", nil])
            try await until { stage.signals == 3 }
        }
    }

    @Test func `a poll is held for longer than a call may last`() async throws {
        try await PushStage.with(
            polls: { _, earlier in
                earlier == 0 ? .held(200, [offlineMessage("m1")]) : PushStage.held
            },
            others: PushStage.held,
            change: {
                $0.portalTimeout = .milliseconds(300)
                $0.retry.passingAttempts = 0
            }
        ) { stage in
            try await until { stage.polls.count == 1 }
            await #expect(throws: RESTError.self, "it was called later, and has lasted as long as it may") {
                try await stage.client.serverTime(of: portal)
            }
            #expect(stage.polls.count == 1)
            stage.server.release()
            try await until { stage.signals == 2 }
        }
    }

    /// A Push & Pull server is one host for many portals.
    @Test func `polls of many portals wait neither for each other nor keep calls from that host waiting`() async throws
    {
        let address = Guarded("")
        try await FakeBitrix24.with { call, _ in
            switch call.method {
            case PushStage.configMethod:
                .result(pushConfiguration(at: address.withLock { $0 }) { $0["exp"] = 2_000_000_000 })
            case "sub": PushStage.held
            default: .result("time")
            }
        } _: { server in
            address.withLock { $0 = server.address }
            let portals = TestPortals()
            let members = (0..<100).map { "member\($0)" }
            for member in members { portals.add(member, at: server) }
            try await withClient(at: server, portals) { client, _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for member in members {
                        group.addTask { try? await PushChannel(client: client, memberID: member).follow {} }
                    }
                    try await until { server.calls("sub").count == members.count }
                    let time = try await client.serverTime(of: members[0])
                    #expect(time == "time")
                    group.cancelAll()
                }
                server.release()
            }
        }
    }
}
