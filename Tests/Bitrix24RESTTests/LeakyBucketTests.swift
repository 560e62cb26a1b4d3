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
