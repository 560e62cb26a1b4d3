import Testing

@testable import Simulation

@Suite struct ScheduleTests {
    @Test func atARateEveryEventIsDueInItsTurn() {
        let numbers = NumberSource(rate: 100, count: 10, duration: nil, lanes: 3)
        var due: [Int: Duration] = [:]
        for lane in 0..<3 {
            var turn = 0
            // However late the lane is.
            while let next = numbers.next(lane: lane, turn: turn, elapsed: .seconds(1000)) {
                #expect(next.number % 3 == lane)
                due[next.number] = next.due
                turn += 1
            }
        }
        #expect(due.count == 10)
        for (number, moment) in due {
            #expect(abs(moment / .milliseconds(1) - Double(number) * 10) < 0.001, "event \(number)")
        }
        #expect(numbers.due(by: .milliseconds(45)) == 4)
        #expect(numbers.due(by: .seconds(1000)) == 10)
    }

    @Test func aDurationEndsIt() {
        let atRate = NumberSource(rate: 10, count: nil, duration: .seconds(1), lanes: 1)
        #expect(atRate.next(lane: 0, turn: 9, elapsed: .zero)?.due == .milliseconds(900))
        #expect(atRate.next(lane: 0, turn: 10, elapsed: .zero) == nil, "due after the end")
        #expect(atRate.next(lane: 0, turn: 3, elapsed: .seconds(1)) == nil, "owed, but it is over")
        #expect(atRate.due(by: .seconds(5)) == 10)
        let free = NumberSource(rate: nil, count: nil, duration: .seconds(1), lanes: 2)
        #expect(free.next(lane: 0, turn: 0, elapsed: .milliseconds(999))?.number == 0)
        #expect(free.next(lane: 1, turn: 0, elapsed: .seconds(1)) == nil)
    }

    @Test func withoutARateALaneTakesTheNextNumber() {
        let numbers = NumberSource(rate: nil, count: 3, duration: nil, lanes: 2)
        #expect(numbers.next(lane: 1, turn: 0, elapsed: .zero)?.number == 0)
        #expect(numbers.next(lane: 1, turn: 1, elapsed: .zero)?.number == 1)
        #expect(numbers.next(lane: 0, turn: 0, elapsed: .zero)?.number == 2)
        #expect(numbers.next(lane: 0, turn: 1, elapsed: .zero) == nil)
        #expect(numbers.due(by: .seconds(1)) == nil)
    }
}

@Suite struct LatencyHistogramTests {
    @Test func percentilesAreNearTheExactOnes() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for number in (1...100_000).shuffled() { histogram.add(.microseconds(number)) }
        #expect(histogram.count == 100_000)
        #expect(histogram.max == .microseconds(100_000))
        for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
            let found = try #require(histogram.percentile(share)) / .microseconds(1)
            let exact = share * 100_000
            #expect(found >= exact && found <= exact * 1.017, "\(share): \(found)")
        }
        #expect(histogram.percentile(1) == .microseconds(100_000))
    }

    @Test func smallAndHugeDurationsHaveAPlace() {
        var histogram = LatencyHistogram()
        for duration in [Duration.zero, .microseconds(1), .microseconds(63), .microseconds(64), .seconds(100_000)] {
            histogram.add(duration)
        }
        #expect(histogram.percentile(0.2) == .zero)
        #expect(histogram.percentile(0.4) == .microseconds(1))
        #expect(histogram.percentile(0.6) == .microseconds(63))
        #expect(histogram.percentile(0.8) == .microseconds(64))
        #expect(histogram.percentile(1) == .seconds(100_000))
    }

    @Test func oneSlowAnswerInAHundredShows() throws {
        var histogram = LatencyHistogram()
        for _ in 0..<989 { histogram.add(.milliseconds(1)) }
        for _ in 0..<11 { histogram.add(.seconds(2)) }
        #expect(try #require(histogram.percentile(0.5)) < .milliseconds(2))
        #expect(try #require(histogram.percentile(0.99)) >= .seconds(2))
    }
}
