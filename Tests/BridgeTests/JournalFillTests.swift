import Testing

@testable import Bridge

@Suite struct JournalFillTests {
    private static func changes(_ percents: [Double]) -> [FillAlarm.Change?] {
        var alarm = FillAlarm()
        return percents.map { alarm.observe($0 / 100) }
    }

    @Test func `each level is told once on the way up`() {
        #expect(
            Self.changes([0, 49.9, 50, 60, 79, 80, 81, 94, 95, 100]) == [
                nil, nil, .passed(50), nil, nil, .passed(80), nil, nil, .passed(95), nil,
            ]
        )
    }

    @Test func `a fill that swings around a level says nothing new`() {
        #expect(
            Self.changes([81, 79, 81, 70, 80, 96, 94, 96, 85.1, 95]) == [.passed(80)] + Array(repeating: nil, count: 4)
                + [.passed(95)] + Array(repeating: nil, count: 4)
        )
    }

    @Test func `it is told that a level was left, and the level is armed again`() {
        #expect(
            Self.changes([96, 84, 84, 95, 69, 60, 39, 39, 50]) == [
                .passed(95), .fellBelow(95), nil, .passed(95), .fellBelow(80), nil, .fellBelow(50), nil, .passed(50),
            ]
        )
    }

    @Test func `of several levels at once the highest is told going up, the lowest going down`() {
        #expect(Self.changes([99, 0, 83]) == [.passed(95), .fellBelow(50), .passed(80)])
    }

    @Test func `the mend goes by the cause`() {
        var status = ShipperStatus()
        func mend(_ parked: Int = 0) -> String {
            FillWatch.mend(status, JournalFill(heldBytes: parked, limitBytes: 100))
        }
        #expect(mend().contains("more slowly"))
        status.refusingTopics = [.init(topic: "t", isParked: true, error: "", seconds: 1)]
        #expect(mend().contains("mend the topics") && mend().contains("journal.maxBytes"))
        #expect(mend(96).contains("journal.parkedMaxBytes") && !mend(96).contains("journal.maxBytes"))
        status.brokersUnreachable = "gone"
        #expect(mend().contains("bring Kafka back"))
    }

    private let start = ContinuousClock.now

    private func trend(_ samples: [(seconds: Double, bytes: Int)]) -> Double {
        var trend = FillTrend()
        for sample in samples { trend.add(sample.bytes, at: start + .seconds(sample.seconds)) }
        return trend.growth
    }

    @Test func `the growth is the net growth of the last minute`() {
        #expect(trend([]) == 0 && trend([(0, 100)]) == 0)
        #expect(trend([(0, 100), (2, 300)]) == 100)
        #expect(trend([(0, 300), (2, 100)]) == -100)
        // A peak between does not count.
        #expect(trend([(0, 0), (30, 90_000), (60, 600)]) == 10)
        // What is older than a minute does not count.
        let minutes: [(seconds: Double, bytes: Int)] = (0...180).map { second in
            let bytes = second <= 120 ? 1000 * second : 120_000 + 10 * (second - 120)
            return (seconds: Double(second), bytes: bytes)
        }
        #expect(trend(minutes) == 10)
        // Samples may come late.
        #expect(trend([(0, 0), (1, 10), (200, 2000)]) == 10)
    }

    @Test func `the time left is what the growth takes for the rest`() {
        func left(_ held: Int, _ growth: Double) -> Double? {
            JournalFill(heldBytes: held, limitBytes: 1000, growth: growth).secondsUntilFull
        }
        #expect(left(200, 10) == 80)
        #expect(left(1000, 10) == 0 && left(1100, 10) == 0)
        #expect(left(200, 0) == nil && left(200, -5) == nil)
        #expect(left(200, 0.000_000_1) == nil, "centuries are no news")
        #expect(JournalFill(heldBytes: 250, limitBytes: 1000).ratio == 0.25)
    }
}
