import Testing

@testable import Simulation

/// Each thing that must not happen is seen when it happens.
@Suite struct VerdictTests {
    private let plan: EventPlan
    private var ledger = Ledger()

    init() throws {
        var settings = try SimulationSettings.sample()
        settings.mix = try EventMix(codes: ["ONCRMDEALUPDATE"])
        settings.entities = 2
        plan = try EventPlan(settings, run: "ab")
    }

    private mutating func acknowledge(_ number: Int, key: Int32 = 0) {
        ledger.post(number, subject: key)
        ledger.answer(number, status: 200)
    }

    private mutating func arrive(
        _ number: Int,
        id: UInt64? = nil,
        key: Int = 0,
        topic: String = "bitrix24.crm.deal",
        mode: Bool = true
    ) {
        ledger.arrive(
            Ledger.Arrival(
                number: number,
                idHash: id ?? UInt64(1000 + number),
                key: plan.keys[key].bytes,
                topic: topic,
                isOfExpectedMode: mode
            ),
            plan: plan
        )
    }

    /// What is broken, and how often.
    private var broken: [Verdict.Must: Int] { Verdict(ledger, plan: plan).counts.filter { $0.value != 0 } }

    @Test mutating func whatArrivesInOrderIsGood() {
        for number in 0..<100 {
            acknowledge(number, key: Int32(number % 2))
            arrive(number, key: number % 2)
        }
        #expect(broken == [:])
        #expect(Verdict(ledger, plan: plan).isGood)
        #expect(ledger.delivered == 100)
        #expect(ledger.isComplete)
    }

    @Test mutating func missingIsMissing() {
        for number in 0..<20 { acknowledge(number) }
        for number in 0..<20 where number != 7 { arrive(number) }
        #expect(!ledger.isComplete)
        #expect(broken == [.acknowledgedMissing: 1])
        let example = Verdict(ledger, plan: plan).examples[.acknowledgedMissing]?.first
        #expect(example?.number == 7)
        #expect(example?.portal == "a223c6b3710f85df22e9377d6c4f7551")
        #expect(example?.key == "a223c6b3710f85df22e9377d6c4f7551/crm.deal/1")
    }

    @Test mutating func onlyTheFirstExamplesAreKept() {
        for number in 0..<50 { acknowledge(number) }
        let verdict = Verdict(ledger, plan: plan)
        #expect(verdict.counts[.acknowledgedMissing] == 50)
        #expect(verdict.examples[.acknowledgedMissing]?.map(\.number) == Array(0..<10))
    }

    @Test mutating func nobodyPromisedWhatWasNotAcknowledged() {
        ledger.post(0, subject: 0)
        ledger.answer(0, status: 503)
        ledger.post(1, subject: 0)
        ledger.giveUp(1, isConnected: false)
        ledger.post(2, subject: 0)
        ledger.giveUp(2, isConnected: true)
        #expect(broken == [:])
        #expect(ledger.refusedByStatus == [503: 1])
        #expect((ledger.unanswered, ledger.notConnected) == (2, 1))
        arrive(2)
        #expect(broken == [:])
        #expect(Verdict(ledger, plan: plan).deliveredUnacknowledged == 1)
    }

    @Test mutating func whatWasNeverSentIsStrange() {
        acknowledge(0)
        acknowledge(5)
        arrive(0)
        arrive(5)
        arrive(3)
        arrive(6)
        #expect(broken == [.neverSent: 2])
        #expect(Verdict(ledger, plan: plan).examples[.neverSent]?.map(\.number) == [3, 6])
    }

    @Test mutating func aRecordMayComeTwiceUnderOneID() {
        acknowledge(0)
        arrive(0)
        arrive(0)
        #expect(broken == [:])
        #expect(ledger.duplicates == 1)
        #expect(ledger.delivered == 1)
        arrive(0, id: 5)
        arrive(0, id: 6)
        #expect(broken == [.severalIDs: 1], "one event")
    }

    @Test mutating func anIDStandsForOneEvent() {
        for number in 0..<3 { acknowledge(number) }
        arrive(0, id: 9)
        arrive(1, id: 8)
        arrive(2, id: 9)
        #expect(broken == [.sharedIDs: 1])
    }

    @Test mutating func keyTopicAndModeAreThoseOfTheEvent() {
        for number in 0..<3 { acknowledge(number) }
        arrive(0, key: 1)
        arrive(1, topic: "bitrix24.crm.lead")
        arrive(2, mode: false)
        #expect(broken == [.wrongKey: 1, .wrongTopic: 1, .wrongMode: 1])
    }

    @Test mutating func orderIsThatOfPosting() {
        for number in 0..<4 { acknowledge(number) }
        for number in [0, 2, 1, 3] { arrive(number) }
        #expect(broken == [.orderViolations: 1])
        #expect(Verdict(ledger, plan: plan).examples[.orderViolations]?.map(\.number) == [2])
    }

    @Test mutating func eachKeyHasItsOwnOrder() {
        acknowledge(0, key: 0)
        acknowledge(1, key: 1)
        arrive(1, key: 1)
        arrive(0, key: 0)
        #expect(broken == [:])
    }

    @Test mutating func aRepetitionIsNoDisorder() {
        for number in 0..<3 { acknowledge(number) }
        for number in [0, 1, 0, 1, 2] { arrive(number) }
        #expect(broken == [:])
        #expect(ledger.duplicates == 2)
    }

    /// It may have been received any time later.
    @Test mutating func whatWasNotAnsweredHasNoPlace() {
        acknowledge(0)
        ledger.post(1, subject: 0)
        ledger.giveUp(1, isConnected: true)
        acknowledge(2)
        for number in [0, 2, 1] { arrive(number) }
        #expect(broken == [:])
    }

    /// A record may be read before the answer is.
    @Test mutating func anAnswerMayComeAfterItsRecord() {
        ledger.post(0, subject: 0)
        arrive(0)
        #expect(ledger.isComplete)
        ledger.answer(0, status: 200)
        #expect(ledger.isComplete)
        #expect(ledger.acknowledgedDelivered == 1)
        #expect(broken == [:])
    }
}
