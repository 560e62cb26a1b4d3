import Testing

@testable import Bitrix24REST

@Suite struct LeakyBucketTests {
    @Test func `a rested portal takes its burst at once and then the steady rate`() {
        var bucket = LeakyBucket(perSecond: 2, burst: 3, now: .seconds(100))
        let places = (0..<6).map { _ in bucket.reserve(at: .seconds(100)) }
        #expect(
            places.map { bucket.wait(for: $0, at: .seconds(100)) }
                == [.zero, .zero, .zero, .milliseconds(500), .seconds(1), .milliseconds(1500)]
        )
        #expect(!bucket.isIdle(at: .seconds(102)))
        #expect(bucket.isIdle(at: .seconds(103)))
    }

    @Test func `never more than the burst and what drained pass in any time`() {
        var bucket = LeakyBucket(perSecond: 2, burst: 5, now: .zero)
        var passed: [Duration] = []
        var random = SystemRandomNumberGenerator()
        var now = Duration.zero
        for _ in 0..<500 {
            now += .milliseconds(Int.random(in: 0...900, using: &random))
            let place = bucket.reserve(at: now)
            passed.append(now + max(.zero, bucket.wait(for: place, at: now)))
        }
        #expect(passed == passed.sorted())
        for first in passed.indices {
            for last in first..<passed.count {
                let drained = (passed[last] - passed[first]) / .milliseconds(500)
                #expect(Double(last - first + 1) <= 5 + drained + 1e-6)
            }
        }
    }

    @Test func `a pause puts off all who wait and keeps their order`() {
        var bucket = LeakyBucket(perSecond: 2, burst: 1, now: .zero)
        let gone = bucket.reserve(at: .zero)
        let first = bucket.reserve(at: .zero)
        let second = bucket.reserve(at: .zero)
        bucket.pause(until: .seconds(10), at: .zero)
        #expect(bucket.wait(for: first, at: .zero) == .milliseconds(10_500))
        #expect(bucket.wait(for: second, at: .zero) == .seconds(11))
        let later = bucket.reserve(at: .seconds(1))
        #expect(bucket.wait(for: later, at: .seconds(1)) >= .milliseconds(10_500))
        _ = gone
    }

    @Test func `two pauses at the same time count as the longer one`() {
        var bucket = LeakyBucket(perSecond: 2, burst: 1, now: .zero)
        _ = bucket.reserve(at: .zero)
        let waiting = bucket.reserve(at: .zero)
        bucket.pause(until: .seconds(10), at: .zero)
        bucket.pause(until: .seconds(8), at: .zero)
        bucket.pause(until: .seconds(12), at: .seconds(2))
        #expect(bucket.wait(for: waiting, at: .zero) == .milliseconds(12_500))
    }

    @Test func `a pause leaves the bucket full`() {
        var bucket = LeakyBucket(perSecond: 2, burst: 50, now: .zero)
        bucket.pause(until: .seconds(4), at: .zero)
        let first = bucket.reserve(at: .seconds(4))
        let second = bucket.reserve(at: .seconds(4))
        #expect(bucket.wait(for: first, at: .seconds(4)) == .milliseconds(500))
        #expect(bucket.wait(for: second, at: .seconds(4)) == .seconds(1))
    }

    @Test func `a place that is given back is another's`() {
        var bucket = LeakyBucket(perSecond: 1, burst: 1, now: .zero)
        _ = bucket.reserve(at: .zero)
        let place = bucket.reserve(at: .zero)
        bucket.giveBack(place, at: .milliseconds(500))
        let next = bucket.reserve(at: .milliseconds(500))
        #expect(bucket.wait(for: next, at: .milliseconds(500)) == .milliseconds(500))
        // One whose time has come was used.
        bucket.giveBack(next, at: .seconds(1))
        #expect(bucket.wait(for: bucket.reserve(at: .seconds(1)), at: .seconds(1)) == .seconds(1))
    }

    @Test func `places that are given back do not let anybody go before a pause is over`() {
        var bucket = LeakyBucket(perSecond: 1, burst: 2, now: .zero)
        for _ in 0..<2 { _ = bucket.reserve(at: .zero) }
        let places = (0..<3).map { _ in bucket.reserve(at: .zero) }
        // Their time has come, but they have not woken yet.
        bucket.pause(until: .seconds(60), at: .seconds(10))
        for place in places { bucket.giveBack(place, at: .seconds(11)) }
        #expect(bucket.budget(at: .seconds(11)) == CallBudget(calls: 0, wait: .seconds(50)))
        let next = bucket.reserve(at: .seconds(11))
        #expect(bucket.wait(for: next, at: .seconds(11)) == .seconds(50))
    }

    @Test(arguments: [(2.0, 50), (3.0, 7), (0.7, 1), (5.0, 250)])
    func `the budget is what calls then get`(perSecond: Double, burst: Int) {
        var bucket = LeakyBucket(perSecond: perSecond, burst: burst, now: .zero)
        #expect(bucket.budget(at: .zero) == CallBudget(calls: burst, wait: .zero))
        var random = SystemRandomNumberGenerator()
        var now = Duration.zero
        var waiting: [LeakyBucket.Place] = []
        for step in 0..<400 {
            now += .milliseconds(Int.random(in: 0...700, using: &random))
            if step % 90 == 89 { bucket.pause(until: now + .seconds(Int.random(in: 1...20, using: &random)), at: now) }
            if step % 40 == 39 { while let place = waiting.popLast() { bucket.giveBack(place, at: now) } }
            let budget = bucket.budget(at: now)
            var trial = bucket
            for _ in 0..<budget.calls {
                let place = trial.reserve(at: now)
                #expect(trial.wait(for: place, at: now) <= .zero)
            }
            let beyond = trial.reserve(at: now)
            #expect(trial.wait(for: beyond, at: now) > .zero)
            let place = bucket.reserve(at: now)
            #expect(max(.zero, bucket.wait(for: place, at: now)) == budget.wait)
            #expect((budget.calls == 0) == (budget.wait > .zero))
            if budget.calls == 0 { waiting.append(place) }
        }
    }

    @Test func `what is left of a portal's rate is told without using it`() async throws {
        let clock = TestClock()
        try await withPortal(clock) { call, earlier in
            call.method == "profile" && earlier == 0 ? .error(503, "QUERY_LIMIT_EXCEEDED") : .result(["ID": "1"])
        } change: {
            $0.perSecond = 2
            $0.burst = 10
        } _: { client, _, _ in
            #expect(client.budget(of: portal) == CallBudget(calls: 10, wait: .zero))
            for _ in 0..<10 { _ = try await client.call("app.info", of: portal) }
            #expect(client.budget(of: portal) == CallBudget(calls: 0, wait: .milliseconds(500)))
            #expect(client.budget(of: "another") == CallBudget(calls: 10, wait: .zero))
            let before = clock.now
            _ = try await client.call("app.info", of: portal)
            #expect(clock.now == before + .milliseconds(500))
            // The portal is throttled, and paused.
            _ = try await client.profile(of: portal)
            let budget = client.budget(of: portal)
            #expect(budget.calls == 0)
            let paused = clock.now
            _ = try await client.call("app.info", of: portal)
            #expect(clock.now == paused + budget.wait)
        }
    }

    @Test func `portals that rest are forgotten`() async throws {
        let clock = TestClock()
        var settings = RESTSettings(clientID: "", clientSecret: "", perSecond: 2, burst: 50)
        settings.clock = clock.clock
        let limiter = PortalLimiter(settings)
        for number in 0..<10_000 {
            try await limiter.wait(for: "portal \(number)")
            try await clock.clock.sleep(.milliseconds(100))
        }
        #expect(limiter.count <= 64)
    }

    @Test func `who is cancelled while waiting goes at once and leaves the place to the next`() async throws {
        let clock = TestClock()
        var settings = RESTSettings(clientID: "", clientSecret: "", perSecond: 1, burst: 1)
        settings.clock = clock.clock
        settings.clock.sleep = { _ throws(CancellationError) in
            do { try await Task.sleep(for: .seconds(3600)) } catch { throw CancellationError() }
        }
        let limiter = PortalLimiter(settings)
        try await limiter.wait(for: portal)
        let waiting = Task { try await limiter.wait(for: portal) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        settings.clock = clock.clock
        #expect(clock.now == .zero)
    }
}
