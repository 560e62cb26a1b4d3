import Foundation
import Journal
import KafkaClient
import Testing

@testable import Bridge

@Suite struct DeliveryWindowTests {
    @Test func `the base follows the lowest position that is not done`() {
        var window = DeliveryWindow(base: 1)
        for position in 1...5 as ClosedRange<UInt64> { #expect(window.read(position) == .waiting) }
        window[3] = .done
        window[2] = .inFlight
        #expect(window.base == 1 && window.open == 4 && window.span == 5)
        window[1] = .done
        #expect(window.base == 2)
        window[2] = .done
        #expect(window.base == 4 && window.end == 6 && window.open == 2)
        window[4] = .done
        window[5] = .done
        #expect(window.base == 6 && window.open == 0 && window.span == 0)
        #expect(window.read(5) == .done, "what is below the base is done")
        window[5] = .waiting
        #expect(window.base == 6 && window.open == 0)
    }

    @Test func `positions that the journal skipped hold nothing up`() {
        var window = DeliveryWindow(base: 1)
        #expect(window.read(10) == .waiting)
        #expect(window.base == 10, "with nothing open the window begins anew")
        #expect(window.read(20) == .waiting)
        #expect(window.open == 2 && window[15] == .done)
        window[10] = .done
        #expect(window.base == 20)
    }

    @Test func `a long gap takes no room, and positions on both sides are kept apart`() {
        var window = DeliveryWindow(base: 1, longestSpan: 10)
        let far: UInt64 = 1 << 40
        #expect(window.read(1) == .waiting && window.read(2) == .waiting)
        #expect(window.read(far) == .waiting && window.read(far + 3) == .waiting)
        #expect(window.open == 4 && window.span == 6, "two, then one, a small gap of two, and one")
        #expect(window.end == far + 4)
        #expect(window[3] == .done && window[far - 1] == .done && window[far + 1] == .done)
        window[3] = .held
        #expect(window.held == 0, "a gap cannot be held")
        window[far] = .held
        window[1] = .done
        #expect(window.base == 2)
        window[2] = .done
        #expect(window.base == far, "the base passes over the gap")
        #expect(window[far] == .held && window[2] == .done)
        window[far] = .done
        #expect(window.base == far + 3)
        window[far + 3] = .done
        #expect(window.base == far + 4 && window.span == 0)
        #expect(window.read(far + 4) == .waiting)
    }

    @Test func `a position beyond the span is read when earlier ones are done`() {
        var window = DeliveryWindow(base: 1, longestSpan: 4)
        for position in 1...4 as ClosedRange<UInt64> { #expect(window.read(position) == .waiting) }
        #expect(window.read(5) == nil)
        #expect(window.read(1 << 30) == nil)
        window[1] = .done
        #expect(window.base == 2)
        #expect(window.read(5) == .waiting)
    }

    @Test func `what the producer held is taken back, and nothing else`() {
        var window = DeliveryWindow(base: 1)
        for position in 1...4 as ClosedRange<UInt64> { _ = window.read(position) }
        window[1] = .inFlight
        window[2] = .held
        window[3] = .parking
        window[4] = .done
        window.takeBackInFlight()
        #expect([1, 2, 3, 4].map { window[$0] } == [.waiting, .held, .parking, .done])
        #expect(window.held == 1 && window.open == 3)
    }

    @Test func `what the journal has lost is done, and what is under way is not touched`() {
        let far: UInt64 = 1 << 30
        var window = DeliveryWindow(base: 1)
        for position in Array(1...6 as ClosedRange<UInt64>) + [far, far + 1, far + 2] { _ = window.read(position) }
        window[2] = .inFlight
        window[3] = .held
        window[4] = .heldAlone
        window[5] = .parking
        window[far] = .held
        #expect(window.heldAlone == 1 && window.held == 2)
        #expect(window.giveUp(2..<far + 1) == 4, "3, 4, 6 and the one beyond the gap")
        #expect(window.held == 0 && window.heldAlone == 0 && window.open == 5 && window.base == 1)
        #expect([1, 2, 5, far + 1].map { window[$0] } == [.waiting, .inFlight, .parking, .waiting])
        #expect(window.giveUp(1..<2) == 1)
        #expect(window.base == 2, "the base follows")
        window[2] = .done
        window[5] = .done
        #expect(window.base == far + 1)
        #expect(window.giveUp(1..<UInt64.max) == 2)
        #expect(window.open == 0 && window.base == far + 3)
    }

    @Test func `the oldest record in flight is found over gaps`() {
        let far: UInt64 = 1 << 30
        var window = DeliveryWindow(base: 1)
        for position in [1, 2, 3, far, far + 1] as [UInt64] { _ = window.read(position) }
        #expect(window.firstInFlight() == nil)
        window[far + 1] = .inFlight
        window[1] = .done
        #expect(window.firstInFlight() == far + 1)
        window[3] = .inFlight
        #expect(window.firstInFlight() == 3)
        #expect(window.firstInFlight(except: [3]) == far + 1)
        #expect(window.firstInFlight(except: [3, far + 1]) == nil)
    }
}

@Suite struct TopicFaultTests {
    private static let start = ContinuousClock.now
    private static let topicError = KafkaError(code: .topicAuthorizationFailed)
    private static let recordError = KafkaError(code: .invalidRecord)

    private static func fault(_ positions: UInt64..., error: KafkaError) -> TopicFault {
        var fault = TopicFault(route: .held, now: start)
        for position in positions {
            fault.hold(position)
            fault.refused(position, error, now: start)
        }
        return fault
    }

    private static func step(_ fault: TopicFault, after seconds: Int, parksTopics: Bool = true) -> TopicFault.Step {
        fault.step(now: start + .seconds(seconds), parkAfter: .seconds(60), parksTopics: parksTopics)
    }

    @Test func `the first held record is tried, then again ever later, then the topic is parked`() {
        var fault = Self.fault(7, 5, 9, error: Self.topicError)
        #expect(Self.step(fault, after: 0) == .wait)
        #expect(Self.step(fault, after: 1) == .probe(5))
        fault.began(5)
        #expect(Self.step(fault, after: 100) == .wait, "an answer is awaited")
        fault.refused(5, Self.topicError, now: Self.start + .seconds(1))
        #expect(Self.step(fault, after: 2) == .wait)
        #expect(Self.step(fault, after: 3) == .probe(5))
        #expect(Self.step(fault, after: 60) == .parkTopic(from: 5))
        #expect(Self.step(fault, after: 60, parksTopics: false) == .probe(5), "parked records have nowhere to go")
    }

    @Test func `one bad record is parked alone after its time, suspects are tried one by one`() {
        var fault = Self.fault(5, 6, 7, error: Self.recordError)
        #expect(fault.suspectsThrough == 7)
        fault.began(5)
        fault.refused(5, Self.recordError, now: Self.start + .seconds(1))
        #expect(fault.guilty == 5)
        #expect(Self.step(fault, after: 59) == .probe(5))
        #expect(Self.step(fault, after: 60) == .parkAlone(5))
        fault.tryNext(6, now: Self.start + .seconds(60))
        #expect(Self.step(fault, after: 60) == .probe(6), "it has not been tried alone yet")
        fault.began(6)
        fault.refused(6, Self.recordError, now: Self.start + .seconds(61))
        #expect(Self.step(fault, after: 61) == .parkAlone(6), "the topic has waited long enough")
    }

    @Test func `a reason of the topic after one of a record gets its own time`() {
        var fault = Self.fault(5, error: Self.recordError)
        fault.began(5)
        fault.refused(5, Self.topicError, now: Self.start + .seconds(70))
        #expect(fault.guilty == nil)
        #expect(Self.step(fault, after: 80) == .probe(5))
        #expect(Self.step(fault, after: 130) == .parkTopic(from: 5))
    }

    @Test func `a parked topic wakes nobody`() {
        var fault = Self.fault(5, error: Self.topicError)
        #expect(fault.wakeAt(now: Self.start, parkAfter: .seconds(60)) == Self.start + .seconds(1))
        fault.route = .parked
        #expect(fault.wakeAt(now: Self.start, parkAfter: .seconds(60)) == nil)
        #expect(Self.step(fault, after: 100) == .wait)
        fault.route = .held
        fault.lostTrack()
        #expect(fault.wakeAt(now: Self.start, parkAfter: .seconds(60)) == nil)
    }
}

@Suite struct ParkingTests {
    @Test func `records leave the queue up to the position that is settled`() {
        var queue = ParkingQueue()
        for position in 1...3 as ClosedRange<UInt64> {
            let entry = ParkingQueue.Entry(
                lane: .main,
                position: position * 10,
                parked: JournalPosition(position),
                topic: position == 2 ? nil : "t",
                bytes: 100
            )
            queue.append(entry)
        }
        #expect(queue.next(through: JournalPosition(2))?.position == 10)
        #expect(queue.next(through: JournalPosition(2))?.position == 20)
        #expect(queue.next(through: JournalPosition(2)) == nil)
        #expect(!queue.isEmpty)
        #expect(queue.next(through: JournalPosition(9))?.topic == "t")
        #expect(queue.isEmpty)
    }

    @Test func `what was not taken is read again from the lowest position, once, when it is time`() {
        var queue = ParkingQueue()
        let now = ContinuousClock.now
        queue.retry(from: 50, at: now + .seconds(5))
        queue.retry(from: 40, at: now + .seconds(9))
        queue.retry(from: 60, at: now + .seconds(9))
        #expect(queue.retryDue(now: now + .seconds(4)) == nil)
        #expect(queue.retryDue(now: now + .seconds(5)) == 40)
        #expect(queue.retryDue(now: now + .seconds(20)) == nil)
    }

    @Test func `the first round waits for what an earlier run has left`() {
        let start = ContinuousClock.now
        var singles = SingleRecords(interval: .seconds(600), now: start)
        singles.expect()
        #expect(singles.next(now: start + .seconds(5)) == nil, "not read yet")
        singles.add(7)
        #expect(singles.next(now: start + .seconds(6)) == 7, "and not only after the interval")
    }

    @Test func `single records are tried one at a time, in rounds`() {
        let start = ContinuousClock.now
        var singles = SingleRecords(interval: .seconds(600), now: start)
        singles.add(3)
        singles.add(5)
        #expect(singles.next(now: start) == nil)
        let first = start + .seconds(1)
        #expect(singles.next(now: first) == 3)
        #expect(singles.next(now: first) == nil, "one at a time")
        singles.tried(again: true, now: first)
        #expect(singles.next(now: first) == 5)
        singles.tried(again: false, now: first)
        #expect(singles.next(now: first) == nil, "the round is over")
        #expect(singles.wakeAt == first + .seconds(600))
        #expect(singles.next(now: first + .seconds(600)) == 3)
        singles.forgetTry()
        #expect(singles.trying == nil && singles.wakeAt == nil, "the reader adds it again")
    }
}

@Suite struct DeadLetterBudgetTests {
    @Test func `one portal's share and the whole are bounded and come back`() {
        let budget = DeadLetterBudget(journalBytes: 100 << 20)
        #expect(budget.maxBytes == 1 << 20 && budget.maxBytesOfPortal == 1 << 16)
        var taken = 0
        while budget.take(1024, portal: "a") { taken += 1 }
        #expect(taken == 64)
        #expect(budget.take(1024, portal: "b"))
        for index in 0..<2000 { _ = budget.take(1024, portal: "p\(index)") }
        #expect(!budget.take(1024, portal: "z"), "the whole is used up")
        budget.release(1024, portal: "a")
        #expect(budget.take(1024, portal: "z"))
    }

    @Test func `what an earlier run took gives nothing back`() {
        let budget = DeadLetterBudget(journalBytes: 100 << 20)
        budget.release(1 << 20, portal: "a")
        var taken = 0
        while budget.take(1024, portal: "a") { taken += 1 }
        #expect(taken == 64)
        budget.release(1 << 30, portal: "a")
        taken = 0
        while budget.take(1024, portal: "a") { taken += 1 }
        #expect(taken == 64)
    }
}
