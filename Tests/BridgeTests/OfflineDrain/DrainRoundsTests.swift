import Locks
import Synchronization
import Testing

@testable import Bridge

@Suite struct DrainRoundsTests {
    private static func with(
        portals: Int = 1,
        _ drain: FakeDrain,
        _ body: (OwnerStage, DrainRounds) async throws -> Void
    ) async throws {
        try await OwnerStage.with(portals: portals, subscriptions: "{offline: [crm.lead], online: [ONTASKADD]}") {
            stage in
            try await stage.owning(drain: drain) {
                for number in 1...portals { try await stage.waitForConnection("\(number)") }
                try await body(stage, DrainRounds(PortalOrders(stage.registry, patience: .seconds(30))))
            }
        }
    }

    /// Answers each portal's drains one after the other with these.
    private static func drain(_ results: [OfflineDrain.Result]) -> FakeDrain {
        let counts = Guarded<[String: Int]>([:])
        return FakeDrain { call in
            let number = counts.withLock { counts in
                counts[call.memberID, default: -1] += 1
                return counts[call.memberID] ?? 0
            }
            return number < results.count
                ? results[number] : .init(error: .init(code: "test", message: "once too often"))
        }
    }

    @Test func `what one order does not empty is ordered again, as an owner who takes over knows nothing of the first`()
        async throws
    {
        let drain = Self.drain([
            .init(rows: 200, recovered: 30), .init(rows: 200, deadLettered: 2), .init(rows: 7, isEmpty: true),
        ])
        try await Self.with(portals: 2, drain) { stage, rounds in
            var seen: [Int] = []
            let outcomes = await rounds.run(
                at: stage.registry.memberIDs,
                since: 5,
                progress: { outcomes in seen.append(outcomes.reduce(0) { $0 + $1.rows }) }
            )
            #expect(outcomes.map(\.memberID) == stage.registry.memberIDs)
            for outcome in outcomes {
                #expect(outcome.rows == 407 && outcome.recovered == 30 && outcome.deadLettered == 2)
                #expect(outcome.isEmpty && outcome.error == nil && outcome.onlineOnly == ["ONTASKADD"])
            }
            #expect(seen == seen.sorted() && seen.count == 6 && seen.last == 814)
        }
        #expect(drain.calls.map(\.since) == Array(repeating: 5, count: 6))
    }

    @Test func `a portal that fails or does not move is given up, and the others are not`() async throws {
        let stuck = Guarded("")
        let failing = Guarded("")
        let drain = FakeDrain { call in
            if call.memberID == stuck.withLock({ $0 }) { return .init() }
            if call.memberID == failing.withLock({ $0 }) {
                return .init(rows: 1, error: .init(code: "wrong_license", message: "words"))
            }
            return .init(rows: 1, isEmpty: true)
        }
        try await Self.with(portals: 3, drain) { stage, rounds in
            let members = try (1...3).map { try stage.member("\($0)") }
            stuck.withLock { $0 = members[0] }
            failing.withLock { $0 = members[1] }
            let outcomes = await rounds.run(at: members)
            #expect(outcomes.map(\.isStuck) == [true, false, false])
            #expect(outcomes.map { $0.error?.code } == [nil, "wrong_license", nil])
            #expect(outcomes.map(\.isEmpty) == [false, false, true] && outcomes.map(\.rows) == [0, 1, 1])
        }
        #expect(drain.calls.count == 3)
    }

    @Test func `once is one order`() async throws {
        let drain = Self.drain([.init(rows: 200)])
        try await Self.with(drain) { stage, rounds in
            let outcome = try #require(await rounds.run(at: stage.registry.memberIDs, isOnce: true).first)
            #expect(outcome.rows == 200 && !outcome.isEmpty && !outcome.isStuck && outcome.error == nil)
        }
    }

    @Test func `who stops it has what there is by then, and no fault of the portal`() async throws {
        let drain = FakeDrain { _ in .init(rows: 1) }
        try await Self.with(drain) { stage, rounds in
            let stop = Guarded(false)
            let outcomes = await rounds.run(
                at: stage.registry.memberIDs,
                isStopped: { stop.withLock { $0 } }
            ) { outcomes in
                if outcomes[0].rows >= 3 { stop.withLock { $0 = true } }
            }
            #expect(outcomes.first?.rows == 3 && outcomes.first?.error == nil && outcomes.first?.isEmpty == false)
        }
    }
}
