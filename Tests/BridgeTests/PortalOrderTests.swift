import Bitrix24REST
import Simulation
import Testing

@testable import Bridge

/// What a person orders, and the owner does.
@Suite struct PortalOrderTests {
    @Test func `a plan changes nothing`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning { try await stage.waitForConnection() }
            try stage.declare("{online: [ONCRMDEALADD, ONCRMDEALUPDATE, ONSOMETHINGNEW], reconcileEvery: 0s}")
            let work = stage.makeWork()
            let order = RegisteredPortal.Order(id: "o", kind: .plan, at: stage.now)
            let portal = try stage.portal("1")
            try await work.carryOut(order, portal)
            let report = try PortalReport(json: try #require(try stage.portal("1").report).json)
            let plan = try #require(report.plan)
            #expect(plan.bind.map(\.event) == ["ONCRMDEALUPDATE", "ONSOMETHINGNEW"])
            #expect(plan.unbind.map(\.event) == ["ONCRMLEADADD", "ONCRMLEADDELETE", "ONCRMLEADUPDATE"])
            #expect(plan.unchanged == 3 && plan.unknown == ["ONSOMETHINGNEW"])
            #expect(try stage.bound("1").count == 6)
        }
    }

    @Test func `apply does it and tells what is left`() async throws {
        try await OwnerStage.with(subscriptions: "{online: [ONCRMDEALADD, ONSOMETHINGNEW]}") { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                let report = try await stage.order(.apply)
                #expect(report.plan?.bind.map(\.event) == ["ONSOMETHINGNEW"])
                #expect(report.rest?.missing.map(\.event) == ["ONSOMETHINGNEW"])
                #expect(report.rest?.failures.map(\.code) == ["error_event_not_found"])
            }
        }
    }

    @Test func `the events that can be bound are listed, and a test event is sent with the order's id`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                let events = try #require(try await stage.order(.events).events)
                #expect(events.contains("ONCRMDEALADD") && events == events.sorted())
                let report = try await stage.order(.test)
                #expect(report.testedAt != nil && report.error == nil)
                try await stage.waitFor("the event") { _ in
                    stage.standIn.deliveries.contains { $0.event == "ONAPPTEST" }
                }
            }
        }
    }

    @Test func `an order for a portal that cannot be called is answered with words`() async throws {
        try await OwnerStage.with { stage in
            try await stage.registry.change("unknown") { $0.webhooks = .init(digests: ["00"]) }
            try await stage.registry.change("unknown") { $0.order = .init(id: "o", kind: .plan, at: 1) }
            try await stage.owning {
                try await wait(for: "a report") { stage.registry.portal("unknown")?.report?.orderID == "o" }
            }
            let report = try PortalReport(json: try #require(stage.registry.portal("unknown")?.report).json)
            #expect(report.error?.code == "no_tokens" && report.error?.message.contains("not installed") == true)
        }
    }

    @Test func `a portal that is taken out meanwhile is not brought back by what was ordered`() async throws {
        try await OwnerStage.with { stage in
            let member = try stage.member("1")
            let orders = PortalOrders(stage.registry, patience: .seconds(60))
            async let answer = orders.carryOut(.plan, at: member)
            try await stage.waitFor("the order") { $0.order != nil }
            let portal = try stage.portal("1")
            try await stage.registry.remove(member)
            guard case .nothing(let words) = await answer else { throw WaitingEnded() }
            #expect(words.contains("not in the registry"))
            // The owner had begun when it was there.
            try await stage.makeWork().carryOut(.init(id: "o", kind: .plan, at: 1), portal)
            #expect(stage.registry.portal(member) == nil && stage.registry.memberIDs.isEmpty)
        }
    }

    @Test func `of several orders at one portal each waits until the one before it is answered`() async throws {
        try await OwnerStage.with { stage in
            let member = try stage.member("1")
            let orders = PortalOrders(stage.registry, patience: .milliseconds(500))
            let version = stage.registry.version
            // Nobody answers.
            async let first = orders.carryOut(.plan, at: member)
            async let second = orders.carryOut(.plan, at: member)
            for answer in await [first, second] {
                guard case .nothing = answer else { throw WaitingEnded() }
            }
            #expect(stage.registry.version - version <= 4, "given twice, withdrawn twice")
            let patient = PortalOrders(stage.registry, patience: .seconds(30))
            try await stage.owning {
                try await stage.waitForConnection()
                let answers = await withTaskGroup(of: PortalOrders.Answer.self) { group in
                    for _ in 0..<5 { group.addTask { await patient.carryOut(.plan, at: member) } }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                for answer in answers {
                    guard case .report(let report) = answer else { throw WaitingEnded() }
                    #expect(report.plan != nil)
                }
            }
            // One that nobody waits for any more stands in nobody's way.
            try await stage.registry.change(member) { $0.order = .init(id: "old", kind: .plan, at: 1) }
            async let late = orders.carryOut(.plan, at: member)
            try await stage.waitFor("its place") { $0.order?.id != "old" }
            guard case .nothing = await late else { throw WaitingEnded() }
        }
    }

    @Test func `an answer that nobody fetches is forgotten`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                _ = try await stage.order(.plan)
                stage.putForward(days: 1)
                try await stage.waitFor("forgotten") { $0.report == nil && $0.order == nil }
            }
        }
    }
}
