import Bitrix24
import Testing

@testable import Simulation

@Suite struct EventPlanTests {
    @Test func everyKeyHasOneLaneAndEverySubjectIsReached() throws {
        var settings = try SimulationSettings.sample(portals: 3)
        settings.entities = 4
        settings.connections = 7
        let plan = try EventPlan(settings, run: "ab")
        #expect(plan.lanes.count == 7)
        #expect(plan.subjects.count == 3 * 4 * EventMix.usual.kinds.count)
        var owner: [Int32: Int] = [:]
        var reached: Set<Int32> = []
        for (number, lane) in plan.lanes.enumerated() {
            for subject in lane.subjects {
                let key = plan.subjects[Int(subject)].key
                #expect(owner[key] ?? number == number, "key \(key) has two lanes")
                owner[key] = number
                reached.insert(subject)
            }
        }
        #expect(owner.count == plan.keys.count)
        #expect(reached.count == plan.subjects.count)
    }

    /// Codes of one entity share its key, and so do all events where the key is the portal.
    @Test func keysAreThoseOfTheTemplate() throws {
        var settings = try SimulationSettings.sample()
        settings.mix = try EventMix(codes: ["ONCRMDEALADD", "oncrmdealupdate", "ONCRMLEADADD"])
        settings.entities = 2
        let byObject = try EventPlan(settings, run: "ab")
        #expect(byObject.topics.sorted() == ["bitrix24.crm.deal", "bitrix24.crm.lead"])
        #expect(
            Set(byObject.keys.map { String(decoding: $0.bytes, as: UTF8.self) })
                == Set(
                    ["deal", "lead"].flatMap { entity in
                        [1, 2].map { "a223c6b3710f85df22e9377d6c4f7551/crm.\(entity)/\($0)" }
                    }
                )
        )
        settings.key = try KeyTemplate("{portal}")
        settings.topic = try TopicTemplate("all.{domain}")
        let byPortal = try EventPlan(settings, run: "ab")
        #expect(byPortal.topics == ["all.portal-1.example"])
        #expect(byPortal.keys.count == 1)
        #expect(byPortal.lanes.count == 1, "more connections would not know the order")
    }

    @Test func weightsDecideHowOftenAKindIsChosen() throws {
        var settings = try SimulationSettings.sample()
        settings.connections = 1
        let plan = try EventPlan(settings, run: "ab")
        var random = FastRandom()
        var deals = 0
        for _ in 0..<10_000 where plan.subjects[plan.lanes[0].subject(&random)].body == 0 { deals += 1 }
        // 30 of 100 are ONCRMDEALUPDATE; ten standard deviations are 458.
        #expect((2542...3458).contains(deals), "\(deals)")
    }

    @Test func aWebhookSendsNothingAboutTheApplication() throws {
        var settings = try SimulationSettings.sample(webhook: true)
        settings.mix = try EventMix(codes: ["ONAPPTEST", "ONCRMDEALADD"])
        settings.entities = 1
        #expect(try EventPlan(settings, run: "ab").topics == ["bitrix24.crm.deal"])
        settings.mix = try EventMix(codes: ["ONAPPTEST"])
        #expect(throws: SimulationError.self) { try EventPlan(settings, run: "ab") }
    }

    @Test func codesAreLookedAt() throws {
        #expect(throws: SimulationError.self) { try EventMix(codes: []) }
        #expect(throws: SimulationError.self) { try EventMix(codes: ["ON CRM"]) }
        #expect(throws: SimulationError.self) { try EventMix(codes: ["ONIMCONNECTORLINEDELETE"]) }
        #expect(try EventMix(codes: ["ONFUTURETHINGADD", "ONCRMDEALADD"]).unknownCodes == ["ONFUTURETHINGADD"])
    }

    @Test func madeUpPortalsDiffer() {
        let text = SimulatedPortal.file(count: 50)
        #expect(Set(text.matches(of: /memberId: ([0-9a-f]{32})\n/).map { $0.1 }).count == 50)
        #expect(Set(text.matches(of: /applicationTokens: \[([0-9a-f]{32})\]\n/).map { $0.1 }).count == 50)
    }
}
