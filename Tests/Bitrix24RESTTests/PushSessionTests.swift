import Testing

@testable import Bitrix24REST

@Suite struct PushSessionTests {
    private static let hour = Duration.seconds(3600)

    private func configuration(
        _ life: Duration? = .seconds(12 * 3600),
        version: Int64 = 4,
        change: (inout [String: JSONValue]) -> Void = { _ in }
    ) throws -> PushConfiguration {
        let result = pushConfiguration(at: "https://rtc.example", version: version) {
            $0["channels"] = ["shared": ["id": "s1", "type": "shared"]]
            $0["exp"] = life.map { .int(1000 + $0.components.seconds) }
            change(&$0)
        }
        return try #require(PushConfiguration(result, at: 1000))
    }

    /// A session that polls at time 0.
    private func session(_ configuration: PushConfiguration) -> PushSession {
        var session = PushSession(timeout: .seconds(120))
        session.configured(configuration, cached: true, at: .zero, random: 0.5)
        session.heard()
        return session
    }

    private func parameters(_ session: inout PushSession, at now: Duration = .zero) -> [String: JSONValue]? {
        guard case .poll(let poll) = session.step(at: now) else { return nil }
        return poll.parameters
    }

    private func messages(_ messages: JSONValue...) -> PushAnswer { .messages(messages.map(PushMessage.init)) }

    @discardableResult
    private func answer(
        _ session: inout PushSession,
        _ answer: PushAnswer,
        elapsed: Duration = .seconds(40),
        at now: Duration = .zero
    ) -> Bool {
        session.polled(answer, elapsed: elapsed, at: now, random: 0.5)
    }

    @Test func `it begins with the configuration that is at hand, and polls with it`() throws {
        var session = PushSession(timeout: .seconds(120))
        #expect(session.step(at: .zero) == .configure(cached: true))
        #expect(session.mayHaveMissed)
        session.configured(try configuration(), cached: true, at: .zero, random: 0)
        #expect(
            session.step(at: .zero)
                == .poll(
                    .init(
                        endpoint: "https://rtc.example/sub/",
                        parameters: [
                            "CHANNEL_ID": "s1", "clientId": "fcda45d0859442735f07b8bb5825ded1", "format": "json",
                            "revision": 19,
                        ],
                        timeout: .seconds(120)
                    )
                )
        )
        #expect(session.mayHaveMissed)
    }

    @Test func `a poll goes on after the last message, as the server's version has it`() throws {
        for (version, expected): (Int64, [String: JSONValue]) in [
            (5, ["mid": "m2", "format": "json"]), (4, ["mid": "m2", "format": "json"]), (3, ["mid": "m2"]),
            (2, ["tag": "tm2", "time": "Thu, 29 Jun 2017 09:50:16 GMT"]),
        ] {
            var session = session(try configuration(version: version) { $0["clientId"] = nil })
            answer(&session, messages(offlineMessage("m1"), pushMessage("m2", "im", "x")))
            let common: [String: JSONValue] = ["CHANNEL_ID": "s1", "revision": 19]
            #expect(parameters(&session) == common.merging(expected) { $1 })
        }
    }

    @Test func `a token stands for the channels`() throws {
        var session = session(try configuration { $0["jwt"] = "j.w.t" })
        let parameters = parameters(&session)
        #expect(parameters?["token"] == "j.w.t" && parameters?["CHANNEL_ID"] == nil)
    }

    @Test func `word of queues is told of once, and nothing else is`() throws {
        var session = session(try configuration())
        func tells(_ sent: JSONValue...) -> Bool { answer(&session, .messages(sent.map(PushMessage.init))) }
        #expect(!tells(pushMessage("0", "im", "event_offline")))
        #expect(tells(offlineMessage("1"), pushMessage("2", "im", "x"), offlineMessage("3")))
        // The server repeats some, also in another order.
        #expect(!tells(offlineMessage("3"), offlineMessage("1")))
        #expect(tells(offlineMessage("3"), offlineMessage("1"), offlineMessage("4")))
        // Ten are remembered.
        for number in 5...13 { #expect(tells(offlineMessage("\(number)"))) }
        #expect(!tells(offlineMessage("4")))
        #expect(tells(offlineMessage("14")) && tells(offlineMessage("4")))
        // Without a mid nobody can tell.
        for _ in 0..<2 { #expect(tells(offlineMessage(nil))) }
    }

    @Test func `silence is followed by the next poll at once, after what the server names`() throws {
        var session = session(try configuration())
        answer(&session, .silence(last: "m9"))
        #expect(parameters(&session)?["mid"] == "m9")
        answer(&session, .silence(last: nil))
        #expect(parameters(&session)?["mid"] == "m9")
        #expect(!session.mayHaveMissed)
    }

    @Test func `a server that knows no longer where to go on has made us miss something`() throws {
        var session = session(try configuration())
        answer(&session, .nothing)
        #expect(!session.mayHaveMissed)
        answer(&session, messages(offlineMessage("1")))
        answer(&session, .nothing)
        #expect(session.mayHaveMissed)
        #expect(parameters(&session)?["mid"] == nil)
    }

    @Test func `failures are tried again later and later, from the third with a new configuration`() throws {
        var session = session(try configuration())
        answer(&session, messages(offlineMessage("m1")))
        var waits: [Duration] = []
        for failure in 1...12 {
            answer(&session, .failure(status: 0))
            guard case .wait(let wait) = session.step(at: .zero) else { return #expect(Bool(false)) }
            waits.append(wait)
            if failure < 3 {
                #expect(parameters(&session)?["mid"] == "m1")
                #expect(!session.mayHaveMissed)
            } else {
                #expect(session.step(at: .zero) == .configure(cached: false))
                session.configured(try configuration(), cached: false, at: .zero, random: 0.5)
                #expect(session.mayHaveMissed)
            }
        }
        // With 20 % of jitter, half of it.
        let seconds: [Double] = [0.1, 15, 45, 45, 45, 600, 600, 600, 600, 600, 3600, 3600]
        for (wait, expected) in zip(waits, seconds) { #expect(abs(wait / .seconds(1) - expected * 1.1) < 1e-6) }
        // The place is the same server's.
        #expect(parameters(&session)?["mid"] == "m1")
        answer(&session, .silence(last: nil))
        answer(&session, .failure(status: 500))
        #expect(session.step(at: .zero) == .wait(.milliseconds(110)))
    }

    @Test func `a failure without a place to go on from may have lost messages`() throws {
        var session = session(try configuration())
        answer(&session, .failure(status: 0))
        #expect(session.mayHaveMissed)
    }

    @Test func `a server that refuses the channel brings a new configuration`() throws {
        for status in [400, 401, 403, 404, 410] {
            var session = session(try configuration())
            answer(&session, .failure(status: status))
            #expect(session.step(at: .zero) == .wait(.milliseconds(110)))
            #expect(session.step(at: .zero) == .configure(cached: false))
        }
    }

    @Test func `another server does not know where to go on`() throws {
        var session = session(try configuration())
        answer(&session, messages(offlineMessage("m1")))
        answer(&session, .failure(status: 404))
        session.configured(
            try configuration { $0["server"] = ["version": 4, "long_polling": "https://other.example/sub/"] },
            cached: false,
            at: .zero,
            random: 0
        )
        _ = session.step(at: .zero)
        #expect(parameters(&session)?["mid"] == nil)
    }

    @Test func `channel and configuration are renewed when their time is over`() throws {
        var session = session(try configuration(.seconds(7200)))
        #expect(parameters(&session, at: .seconds(7199)) != nil)
        guard case .poll(let poll) = session.step(at: .seconds(7100)) else { return #expect(Bool(false)) }
        #expect(poll.timeout == .seconds(100))
        #expect(session.step(at: .seconds(7200)) == .configure(cached: false))
        // One that is over already, though new: the portal's clock is wrong.
        session.configured(try configuration(.seconds(-5)), cached: false, at: .seconds(7200), random: 0)
        #expect(parameters(&session, at: .seconds(7799)) != nil)
        #expect(session.step(at: .seconds(7800)) == .configure(cached: false))
        // A short one costs a call each time it is over.
        session.configured(try configuration(.seconds(1)), cached: false, at: .zero, random: 0)
        #expect(parameters(&session, at: .seconds(9)) != nil)
        #expect(session.step(at: .seconds(10)) == .configure(cached: false))
        session.configured(try configuration(nil), cached: false, at: .zero, random: 0)
        #expect(parameters(&session, at: .seconds(12 * 3600 - 1)) != nil)
        #expect(session.step(at: .seconds(12 * 3600)) == .configure(cached: false))
    }

    @Test func `a configuration at hand that is over is not taken`() throws {
        var session = PushSession(timeout: .seconds(120))
        session.configured(try configuration(.seconds(-5)), cached: true, at: .zero, random: 0)
        #expect(session.step(at: .zero) == .configure(cached: false))
    }

    @Test func `an expired channel is replaced by the one that is named`() throws {
        var session = session(try configuration(.seconds(100_000)))
        answer(&session, messages(offlineMessage("m1")))
        let change: JSONValue = [
            "action": "reconnect", "channel": ["id": "s1", "type": "shared"],
            "new_channel": ["id": "s2", "start": 1000, "end": 8200, "type": "shared"],
        ]
        answer(&session, messages(pushMessage("m2", "pull", "channel_expire", change)), at: .seconds(10))
        #expect(session.mayHaveMissed)
        let parameters = parameters(&session, at: .seconds(7209))
        #expect(parameters?["CHANNEL_ID"] == "s2" && parameters?["mid"] == "m2")
        #expect(session.step(at: .seconds(7210)) == .configure(cached: false))
    }

    @Test(arguments: [
        JSONValue.object([
            "action": "reconnect", "channel": ["id": "p1", "type": "private"], "new_channel": ["id": "p2"],
        ]),
        ["action": "reconnect", "channel": ["id": "s0", "type": "shared"], "new_channel": ["id": "s2"]],
    ])
    func `the change of another channel is none of ours`(change: JSONValue) throws {
        var session = session(try configuration())
        answer(&session, messages(pushMessage("1", "pull", "channel_expire", change)))
        #expect(parameters(&session)?["CHANNEL_ID"] == "s1")
    }

    @Test func `an expired channel without another brings a new configuration, not all the time`() throws {
        for change: JSONValue in [["action": "get_config"], ["action": "reconnect"], []] {
            var session = session(try configuration())
            answer(&session, messages(pushMessage("1", "pull", "channel_expire", change)), at: Self.hour)
            #expect(session.step(at: Self.hour) == .configure(cached: false))
        }
        var session = session(try configuration())
        for number in 1...4 {
            let message = pushMessage("\(number)", "pull", "channel_expire", ["action": "get_config"])
            answer(&session, messages(message), at: .seconds(5))
            if number == 4 { #expect(session.step(at: .seconds(5)) == .wait(.seconds(65))) }
            #expect(session.step(at: .seconds(5)) == .configure(cached: false))
            session.configured(try configuration(), cached: false, at: .seconds(5), random: 0)
        }
    }

    @Test(arguments: ["config_expire", "server_restart"])
    func `when all are sent away, each comes back at a time of its own`(command: String) throws {
        for (random, wait) in [(0.0, 10), (0.5, 65), (1.0, 120)] {
            var session = session(try configuration())
            let answer = messages(offlineMessage("1"), pushMessage("2", "pull", command))
            let tells = session.polled(answer, elapsed: .seconds(1), at: Self.hour, random: random)
            #expect(tells)
            #expect(session.step(at: Self.hour) == .wait(.seconds(wait)))
            #expect(session.step(at: Self.hour) == .configure(cached: false))
        }
        var other = session(try configuration())
        answer(&other, messages(pushMessage("2", "im", command)))
        #expect(parameters(&other) != nil)
    }

    @Test func `a server that does not hold polls is not asked all the time`() throws {
        for answer: PushAnswer in [.silence(last: nil), .nothing, messages(offlineMessage("1"))] {
            var session = session(try configuration())
            _ = session.polled(messages(offlineMessage("1")), elapsed: .zero, at: .zero, random: 0.5)
            for _ in 0..<3 {
                _ = session.polled(answer, elapsed: .milliseconds(1), at: .zero, random: 0.5)
                #expect(parameters(&session) != nil)
            }
            _ = session.polled(answer, elapsed: .milliseconds(1), at: .zero, random: 0.5)
            #expect(session.step(at: .zero) == .wait(.milliseconds(110)))
            _ = session.polled(answer, elapsed: .milliseconds(1), at: .zero, random: 0.5)
            #expect(session.step(at: .zero) == .wait(.milliseconds(16_500)))
            // News come as fast as they come.
            for mid in 2..<20 {
                _ = session.polled(messages(offlineMessage("\(mid)")), elapsed: .zero, at: .zero, random: 0.5)
                #expect(parameters(&session) != nil)
            }
        }
    }

    @Test func `a portal that refuses is not asked again, one that has no server an hour later`() throws {
        func error(_ code: String, _ status: Int) -> RESTError {
            RESTError(portal: portal, method: "m", code: .init(code), status: status, message: "")
        }
        for (code, status) in [
            ("WRONG_AUTH_TYPE", 403), ("insufficient_scope", 401), ("NO_AUTH_FOUND", 401),
            ("APPLICATION_NOT_FOUND", 401),
            ("no_tokens", 0), ("forbidden_address", 0), ("cancelled", 0), ("ERROR_METHOD_NOT_FOUND", 404),
        ] {
            var session = PushSession(timeout: .seconds(120))
            #expect(throws: error(code, status)) { try session.notConfigured(error(code, status), random: 0) }
        }
        for (code, status) in [("SERVER_ERROR", 500), ("OVERLOAD_LIMIT", 503), ("PORTAL_DELETED", 500)] {
            var session = PushSession(timeout: .seconds(120))
            try session.notConfigured(error(code, status), random: 0.5)
            #expect(session.step(at: .zero) == .wait(Self.hour * 11 / 10))
            #expect(session.step(at: .zero) == .configure(cached: false))
        }
        var none = PushSession(timeout: .seconds(120))
        none.configured(nil, cached: true, at: .zero, random: 0)
        #expect(none.step(at: .zero) == .wait(Self.hour))
        #expect(none.step(at: .zero) == .configure(cached: false))
        var down = PushSession(timeout: .seconds(120))
        var waits: [PushSession.Step] = []
        for _ in 0..<5 {
            try down.notConfigured(error("unreachable", 0), random: 0)
            waits.append(down.step(at: .zero))
            #expect(down.step(at: .zero) == .configure(cached: true))
        }
        #expect(waits == [15, 45, 45, 45, 600].map { .wait(.seconds($0)) })
    }
}
