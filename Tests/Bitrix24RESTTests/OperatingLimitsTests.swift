import Testing

@testable import Bitrix24REST

@Suite struct OperatingLimitsTests {
    private let key = OperatingLimits.Key(portal: portal, method: "event.offline.get")

    @Test func `a method waits for the reset that its last good answer named`() {
        var limits = OperatingLimits()
        limits.passed(key, reset: .seconds(300), at: .zero)
        #expect(limits.turn(of: key, at: .seconds(10)) == .go)
        limits.exceeded(key, reset: nil, at: .seconds(10))
        #expect(limits.turn(of: key, at: .seconds(20)) == .wait(.seconds(280)))
        #expect(limits.turn(of: .init(portal: portal, method: "profile"), at: .seconds(20)) == .go)
        #expect(limits.turn(of: .init(portal: "another", method: key.method), at: .seconds(20)) == .go)
    }

    @Test func `the refusal's own reset goes before`() {
        var limits = OperatingLimits()
        limits.passed(key, reset: .seconds(300), at: .zero)
        limits.exceeded(key, reset: .seconds(40), at: .seconds(10))
        #expect(limits.turn(of: key, at: .seconds(10)) == .wait(.seconds(40)))
    }

    @Test func `without any reset it is tried again after a minute`() {
        var limits = OperatingLimits()
        limits.exceeded(key, reset: nil, at: .zero)
        #expect(limits.turn(of: key, at: .zero) == .wait(.seconds(60)))
    }

    @Test func `after the reset one call tries and the others wait for what becomes of it`() {
        var limits = OperatingLimits()
        limits.exceeded(key, reset: .seconds(60), at: .zero)
        #expect(limits.turn(of: key, at: .seconds(60)) == .go)
        #expect(limits.turn(of: key, at: .seconds(60)) == .wait(.seconds(1)))
        limits.passed(key, reset: .seconds(60), at: .seconds(61))
        #expect(limits.turn(of: key, at: .seconds(61)) == .go)
        #expect(limits.turn(of: key, at: .seconds(61)) == .go)
    }

    @Test func `the next one tries when the first got no answer`() {
        var limits = OperatingLimits()
        limits.exceeded(key, reset: .seconds(60), at: .zero)
        #expect(limits.turn(of: key, at: .seconds(60)) == .go)
        limits.unanswered(key)
        #expect(limits.turn(of: key, at: .seconds(61)) == .go)
        // Nor does it wait for ever for one who never tells.
        #expect(limits.turn(of: key, at: .seconds(61) + OperatingLimits.probe) == .go)
    }

    @Test func `no answer makes a method wait for ever`() {
        var limits = OperatingLimits()
        limits.exceeded(key, reset: .seconds(1_000_000), at: .zero)
        #expect(limits.turn(of: key, at: .zero) == .wait(OperatingLimits.longestReset))
    }

    @Test func `what is over is forgotten`() {
        var limits = OperatingLimits()
        for number in 0..<100_000 {
            let key = OperatingLimits.Key(portal: "\(number)", method: "profile")
            limits.passed(key, reset: .seconds(10), at: .seconds(number))
        }
        #expect(limits.count <= 256)
    }
}
