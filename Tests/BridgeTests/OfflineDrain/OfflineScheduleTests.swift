import Testing

@testable import Bitrix24REST
@testable import Bridge

/// Whose turn it is, without portals.
@Suite struct OfflineScheduleTests {
    private static let now: Int64 = 2_000_000_000_000
    private static let rich: @Sendable (String) -> CallBudget = { _ in CallBudget(calls: 50, wait: .zero) }

    private static func pace(_ adjust: (inout OfflinePace) -> Void = { _ in }) throws -> OfflinePace {
        var pace = OfflinePace(try SubscriptionSettingsTests.settings("subscriptions: {offline: [ONCRMDEALADD]}"))
        pace.jitter = 0
        pace.width = 1
        pace.pollEvery = 600_000
        adjust(&pace)
        return pace
    }

    private static func portal(_ memberID: String, sealed: String = "1.k.AAAA") -> RegisteredPortal {
        var portal = RegisteredPortal(memberID: memberID)
        portal.installation = .init(
            state: .installed,
            domain: "p.bitrix24.com",
            clientEndpoint: "https://p.bitrix24.com/rest/",
            authorizationServer: "oauth.bitrix.info",
            status: "L",
            scope: ["crm"],
            installedAt: now - 3_600_000
        )
        portal.authorization = .init(sealed: SealedText(text: sealed), accessExpiresAt: 0, refreshedAt: 0)
        return portal
    }

    /// One that has looked at each of these portals, and has to look again in ten minutes.
    private static func rested(_ portals: [String], _ pace: OfflinePace) -> OfflineSchedule {
        var schedule = OfflineSchedule(pace)
        for memberID in portals { schedule.notice(portal(memberID), now) }
        while let turn = schedule.next(now, budget: rich) { end(turn, &schedule, now) }
        return schedule
    }

    private static func end(
        _ turn: OfflineSchedule.Turn,
        _ schedule: inout OfflineSchedule,
        _ now: Int64,
        _ ending: OfflineEnding = .empty,
        _ portal: RegisteredPortal? = nil
    ) {
        var work = turn.work
        work.recoverAt = now + 600_000
        schedule.finished(turn, work, ending, portal ?? self.portal(turn.memberID), now)
    }

    private static func turns(_ count: Int, _ schedule: inout OfflineSchedule, _ now: Int64) -> [String] {
        var order: [String] = []
        while order.count < count, let turn = schedule.next(now, budget: rich) {
            order.append(turn.memberID)
            end(turn, &schedule, now)
        }
        return order
    }

    @Test func `a signalled portal comes before those that have been due for less`() throws {
        var schedule = Self.rested(["a", "b", "c"], try Self.pace())
        let due = Self.now + 600_000
        schedule.signalled("c", due + 20_000)
        #expect(Self.turns(9, &schedule, due + 20_000) == ["c", "a", "b"])
        schedule = Self.rested(["a", "b", "c"], try Self.pace())
        schedule.signalled("c", due + 40_000)
        #expect(Self.turns(9, &schedule, due + 40_000) == ["a", "b", "c"], "not for ever")
        schedule = Self.rested(["a", "b", "c"], try Self.pace())
        schedule.signalled("b", due + 40_000)
        schedule.ordered("c", due + 40_000)
        #expect(Self.turns(9, &schedule, due + 40_000) == ["c", "a", "b"], "a person waits")
    }

    @Test func `a signal during a turn makes another follow, and many make one`() throws {
        var schedule = Self.rested(["a"], try Self.pace())
        for _ in 0..<5 { schedule.signalled("a", Self.now) }
        let next = schedule.next(Self.now, budget: Self.rich)
        let turn = try #require(next)
        #expect(turn.trigger == .signal && schedule.next(Self.now, budget: Self.rich) == nil, "one at a time")
        for _ in 0..<5 { schedule.signalled("a", Self.now) }
        Self.end(turn, &schedule, Self.now)
        #expect(Self.turns(9, &schedule, Self.now) == ["a"])
    }

    @Test func `a portal with more rows lets the others pass`() throws {
        var schedule = Self.rested(["big"], try Self.pace())
        schedule.signalled("big", Self.now)
        for index in 0..<50 { schedule.notice(Self.portal("p\(index)"), Self.now + 1) }
        var order: [String] = []
        for _ in 0..<60 {
            guard let turn = schedule.next(Self.now + 2, budget: Self.rich) else { break }
            order.append(turn.memberID)
            Self.end(turn, &schedule, Self.now + 2, turn.memberID == "big" ? .more : .empty)
        }
        #expect(order.prefix(51).count { $0 == "big" } == 1)
        #expect(order.suffix(9).allSatisfy { $0 == "big" })
    }

    @Test func `a portal without calls left is put off until it has enough`() throws {
        let pace = try Self.pace {
            $0.burst = 5
            $0.callsPerSecond = 2
        }
        var schedule = Self.rested(["a", "b"], pace)
        schedule.signalled("a", Self.now)
        schedule.signalled("b", Self.now)
        let poor: (String) -> CallBudget = {
            $0 == "a" ? CallBudget(calls: 1, wait: .zero) : CallBudget(calls: 5, wait: .zero)
        }
        // Two for the turn and one for others are needed, so two more: one within half a second, one after as much again.
        #expect(schedule.next(Self.now, budget: poor)?.memberID == "b")
        #expect(schedule.nextAt(of: "a") == Self.now + 1000)
        #expect(schedule.waiting(Self.now).forRate == 1)
    }

    /// With the bucket that the client has, whose time passes by the millisecond.
    @Test(arguments: [(2.0, 50), (2, 5), (0.7, 6), (20, 1)])
    func `no turn begins before the portal's rate has enough for it`(perSecond: Double, burst: Int) throws {
        let pace = try Self.pace {
            $0.burst = burst
            $0.callsPerSecond = perSecond
        }
        var schedule = Self.rested(["a"], pace)
        schedule.signalled("a", Self.now)
        var bucket = LeakyBucket(perSecond: perSecond, burst: burst, now: .zero)
        var (worked, idle, asked) = (0, 0, 0)
        for passed in 0..<60_000 {
            let (now, steady) = (Self.now + Int64(passed), Duration.milliseconds(passed))
            let turn = schedule.next(now) { _ in
                asked += 1
                return bucket.budget(at: steady)
            }
            guard let turn else { continue }
            let before = worked
            for _ in 0..<5 where bucket.budget(at: steady).calls >= pace.neededForTurn {
                for _ in 0..<2 { _ = bucket.reserve(at: steady) }
                worked += 1
            }
            if worked == before { idle += 1 }
            Self.end(turn, &schedule, now, .more)
        }
        #expect(idle == 0)
        // Each begins a turn or puts it off.
        #expect(worked > 0 && asked <= 2 * worked + 2, "\(asked) looks for \(worked) reservations")
    }

    @Test func `what is reserved under an unknown name is looked for at once`() throws {
        var schedule = Self.rested(["a"], try Self.pace())
        schedule.signalled("a", Self.now)
        let next = schedule.next(Self.now, budget: Self.rich)
        let turn = try #require(next)
        var work = turn.work
        work.recoverAt = .min
        schedule.finished(turn, work, .empty, Self.portal("a"), Self.now)
        #expect(schedule.nextAt(of: "a") == Self.now)
    }

    @Test func `failures put a portal off for longer and longer, and a new authorisation ends that`() throws {
        var schedule = Self.rested(["a"], try Self.pace())
        for failures in 1...3 {
            let at = Self.now + Int64(failures) * 100_000
            schedule.signalled("a", at)
            let next = schedule.next(at, budget: Self.rich)
            let turn = try #require(next)
            Self.end(turn, &schedule, at, .failed(code: "unreachable", words: "", isDenied: false))
            #expect(schedule.nextAt(of: "a") == at + 5000 << Int64(failures - 1))
            #expect(schedule.failures(at: "a") == failures)
        }
        schedule.notice(Self.portal("a", sealed: "1.k.BBBB"), Self.now + 300_000)
        #expect(schedule.failures(at: "a") == 0)
    }

    @Test func `a portal that says how long it cannot be called is left alone so long`() throws {
        var schedule = Self.rested(["a"], try Self.pace())
        schedule.signalled("a", Self.now)
        var turn = schedule.next(Self.now, budget: Self.rich)
        let blocked = OfflineEnding.failed(
            code: "operation_time_limit",
            words: "",
            isDenied: false,
            retryAfter: .milliseconds(300_000.5)
        )
        Self.end(try #require(turn), &schedule, Self.now, blocked)
        let at = Self.now + 300_001
        #expect(schedule.nextAt(of: "a") == at)
        turn = schedule.next(at, budget: Self.rich)
        let brief = OfflineEnding.failed(code: "x", words: "", isDenied: false, retryAfter: .milliseconds(1))
        Self.end(try #require(turn), &schedule, at, brief)
        #expect(schedule.nextAt(of: "a") == at + 10_000, "no sooner than after any other failure")
    }

    @Test func `what a lost answer holds is looked for soon, once`() throws {
        let pace = try Self.pace()
        var schedule = Self.rested(["a"], pace)
        schedule.signalled("a", Self.now)
        var at = Self.now
        for wait in [pace.retryOfLost, pace.firstRetry * 2, pace.firstRetry * 4] {
            let next = schedule.next(at, budget: Self.rich)
            let turn = try #require(next)
            var work = turn.work
            work.recoverAt = .min
            let ending = OfflineEnding.failed(code: "unreachable", words: "", isDenied: false)
            schedule.finished(turn, work, ending, Self.portal("a"), at)
            #expect(schedule.nextAt(of: "a") == at + wait)
            at += wait
        }
    }

    @Test func `what Bitrix24 refuses is tried again daily, after an order or a new authorisation`() throws {
        let pace = try Self.pace()
        var schedule = Self.rested(["a"], pace)
        schedule.signalled("a", Self.now)
        let next = schedule.next(Self.now, budget: Self.rich)
        let turn = try #require(next)
        Self.end(turn, &schedule, Self.now, .failed(code: "wrong_license", words: "", isDenied: true))
        schedule.signalled("a", Self.now)
        #expect(schedule.nextAt(of: "a") == Self.now + pace.deniedRetry)
        var ordered = schedule
        ordered.ordered("a", Self.now)
        #expect(ordered.next(Self.now, budget: Self.rich)?.trigger == .order)
        schedule.notice(Self.portal("a", sealed: "1.k.BBBB"), Self.now)
        #expect(Self.turns(1, &schedule, Self.now) == ["a"])
        // What else goes wrong on that day is tried again like anything else.
        var failing = Self.rested(["a"], pace)
        failing.signalled("a", Self.now)
        let refused = failing.next(Self.now, budget: Self.rich)
        Self.end(try #require(refused), &failing, Self.now, .failed(code: "wrong_license", words: "", isDenied: true))
        let nextDay = Self.now + pace.deniedRetry
        for (ending, wait) in [(OfflineEnding.unsent, 5000), (.failed(code: "x", words: "", isDenied: false), 10_000)] {
            let at = try #require(failing.nextAt(of: "a"))
            #expect(at >= nextDay)
            let retried = failing.next(at, budget: Self.rich)
            Self.end(try #require(retried), &failing, at, ending)
            #expect(failing.next(at, budget: Self.rich) == nil)
            #expect(failing.nextAt(of: "a") == at + Int64(wait))
        }
        // Another owner keeps to the day.
        var denied = Self.portal("a")
        denied.offline = .init(deniedSince: Self.now - 100_000, code: "wrong_license", words: "")
        var other = OfflineSchedule(pace)
        other.notice(denied, Self.now)
        #expect(other.nextAt(of: "a") == Self.now - 100_000 + pace.deniedRetry)
        // Unless somebody has authorised since.
        denied.authorization?.grantedAt = Self.now - 50_000
        other = OfflineSchedule(pace)
        other.notice(denied, Self.now)
        #expect(other.nextAt(of: "a") == Self.now)
    }

    @Test(arguments: [true, false])
    func `what is given during a turn counts when it ends, however it ends`(isNoticed: Bool) throws {
        var before = Self.portal("a")
        before.authorization?.grantedAt = Self.now - 1
        var authorised = before
        authorised.authorization?.grantedAt = Self.now
        var installed = before
        installed.installation?.installedAt = Self.now
        var renewed = before
        renewed.authorization?.sealed = SealedText(text: "1.k.CCCC")
        for (after, counts) in [(authorised, true), (installed, true), (renewed, false)] {
            let pace = try Self.pace()
            var schedule = OfflineSchedule(pace)
            schedule.notice(before, Self.now)
            let next = schedule.next(Self.now, budget: Self.rich)
            let turn = try #require(next)
            var work = turn.work
            work.limit = 7
            work.recoverAt = Self.now + 600_000
            if isNoticed { schedule.notice(after, Self.now) }
            let denial = OfflineEnding.failed(code: "access_denied", words: "", isDenied: true)
            schedule.finished(turn, work, denial, after, Self.now)
            #expect(schedule.nextAt(of: "a") == (counts ? Self.now : Self.now + pace.deniedRetry))
            guard counts else { continue }
            let follower = schedule.next(Self.now, budget: Self.rich)
            // What is reserved goes with an installation only.
            #expect(follower?.work.limit == (after == installed ? pace.batchRows : 7))
            Self.end(try #require(follower), &schedule, Self.now, .empty, after)
            #expect(schedule.next(Self.now, budget: Self.rich) == nil, "once")
        }
    }

    @Test func `without a timer a portal is looked at for what was forgotten only`() throws {
        let pace = try Self.pace { $0.pollEvery = nil }
        var schedule = OfflineSchedule(pace)
        schedule.notice(Self.portal("a"), Self.now)
        let next = schedule.next(Self.now, budget: Self.rich)
        let turn = try #require(next)
        #expect(turn.trigger == .start)
        var work = turn.work
        work.recoverAt = pace.nextRecovery(of: "a", after: Self.now)
        schedule.finished(turn, work, .empty, Self.portal("a"), Self.now)
        #expect(schedule.nextAt(of: "a") == Self.now + 3_600_000)
        #expect(schedule.next(Self.now + 3_600_000, budget: Self.rich)?.trigger == .recovery)
    }

    @Test func `the gate closes at a quarter and opens at a fifth`() {
        var gate = OfflineGate()
        #expect(gate.observe(trouble: nil, fill: 0.24, at: 0) == nil)
        #expect(gate.observe(trouble: nil, fill: 0.25, at: 0) == .closed("the journal is 25 % full"))
        #expect(gate.observe(trouble: nil, fill: 0.21, at: 9000) == nil && gate.reason != nil)
        #expect(gate.observe(trouble: "away", fill: 0.1, at: 10_000) == nil)
        #expect(gate.observe(trouble: nil, fill: 0.19, at: 11_000) == nil)
        #expect(gate.observe(trouble: nil, fill: 0.19, at: 12_999) == nil)
        #expect(gate.observe(trouble: nil, fill: 0.19, at: 13_000) == .opened && gate.reason == nil)
        #expect(gate.observe(trouble: "away", fill: 0, at: 13_000) == .closed("away"))
        // One calm moment is none.
        #expect(gate.observe(trouble: nil, fill: 0, at: 14_000) == nil)
        #expect(gate.observe(trouble: "away", fill: 0, at: 15_000) == nil)
        #expect(gate.observe(trouble: nil, fill: 0, at: 16_500) == nil && gate.reason == "away")
    }
}
