import Testing

@testable import Bridge

@Suite struct WordRelayTests {
    private static let start = ContinuousClock.now

    private static func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    /// Confirmed as soon as it was sent.
    private static func send(_ relay: inout WordRelay, _ milliseconds: Int) -> [OfflineWord] {
        let words = relay.take(at: at(milliseconds))
        for word in words { relay.settled(word) }
        return words
    }

    @Test func `word goes at once, and what comes within a second of it goes together when that is over`() {
        var relay = WordRelay()
        #expect(relay.next == nil && Self.send(&relay, 0).isEmpty)
        relay.add(.portal("p"), at: Self.at(0))
        #expect(relay.next == Self.at(0) && Self.send(&relay, 0) == [.portal("p")])
        #expect(relay.next == nil)
        for milliseconds in [1, 400, 999] {
            relay.add(.portal("p"), at: Self.at(milliseconds))
            #expect(Self.send(&relay, milliseconds).isEmpty && relay.next == Self.at(1000))
        }
        #expect(Self.send(&relay, 1000) == [.portal("p")] && relay.next == nil)
        relay.add(.portal("p"), at: Self.at(5000))
        #expect(Self.send(&relay, 5000) == [.portal("p")])
    }

    @Test func `portals do not wait for each other, and the newest reason counts`() {
        var relay = WordRelay()
        relay.add(.portal("p"), at: Self.at(0))
        relay.add(.everyPortal(because: "1"), at: Self.at(1))
        relay.add(.portal("q"), at: Self.at(2))
        relay.add(.everyPortal(because: "2"), at: Self.at(3))
        #expect(Self.send(&relay, 3) == [.portal("p"), .everyPortal(because: "2"), .portal("q")])
    }

    @Test func `while one is on its way the next of its portal waits, also for long, and is not lost`() {
        var relay = WordRelay()
        relay.add(.portal("p"), at: Self.at(0))
        #expect(relay.take(at: Self.at(0)) == [.portal("p")])
        relay.add(.portal("p"), at: Self.at(10))
        #expect(relay.take(at: Self.at(60_000)).isEmpty && relay.next == nil)
        relay.settled(.portal("p"))
        #expect(relay.take(at: Self.at(60_001)) == [.portal("p")])
        relay.add(.portal("p"), at: Self.at(60_002))
        relay.lost()
        #expect(relay.take(at: Self.at(61_001)) == [.portal("p")])
    }

    @Test func `of very many portals so many go in a second, the longest waiting first`() {
        var relay = WordRelay()
        let count = WordRelay.most * 2 + 50
        for number in 0..<count { relay.add(.portal("p\(number)"), at: Self.at(number)) }
        var sent: [OfflineWord] = []
        var milliseconds = count
        for expected in [WordRelay.most, WordRelay.most, 50] {
            let words = Self.send(&relay, milliseconds)
            #expect(words.count == expected)
            #expect(Self.send(&relay, milliseconds + 999).isEmpty)
            sent += words
            milliseconds += 1000
            if sent.count < count { #expect(relay.next == Self.at(milliseconds)) }
        }
        #expect(sent == (0..<count).map { .portal("p\($0)") })
    }
}
