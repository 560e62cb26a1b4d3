import Bitrix24
import Bitrix24REST
import Foundation
import KafkaClient
import Locks
import Simulation
import Synchronization
import Testing

@testable import Bridge

extension OfflineStage {
    /// How many the portal had before the others had the last of theirs cleared.
    fileprivate func reservations(of memberID: String) -> Int {
        let calls = standIn.calls
        let last = calls.last { $0.method == "event.offline.clear" && $0.portal != memberID }?.number ?? 0
        return calls.count { $0.method == "event.offline.get" && $0.portal == memberID && $0.number < last }
    }
}

/// Who comes when, and what keeps all from coming.
@Suite struct OfflineFairnessTests {
    @Test func `a portal with very many rows does not delay the others`() async throws {
        try await OfflineStage.with(portals: 51) { stage in
            try stage.add(20_000, "1")
            for number in 2...51 { try stage.add(10, "\(number)") }
            let big = try stage.owner.member("1")
            try await stage.draining(stage.makeDrain { $0.width = 4 }) { _ in
                for number in 2...51 { try await stage.waitUntilCleared("\(number)") }
                // Of the big one, no more than a few turns of five reservations each.
                let before = stage.reservations(of: big)
                #expect(before <= 15, "\(before) reservations of the big portal came before the last of the others")
                try await stage.waitUntilCleared("1")
                try await wait(for: "a line") { stage.logs.contains("info offline queue emptied", "rows=20000") }
            }
            #expect(try stage.summary("1").cleared == 20_000)
        }
    }

    @Test func `nobody waits for a portal's rate, and the portal never has to refuse`() async throws {
        try await OfflineStage.with(
            rows: 500,
            adjust: { $0.intensity = .init(perSecond: 10, threshold: 20) }
        ) { stage in
            let sleeps = Guarded(0)
            let drain = stage.makeDrain {
                $0.batchRows = 25
            } rest: { rest in
                rest.perSecond = 10
                rest.burst = 5
                rest.clock.sleep = { duration throws(CancellationError) in
                    sleeps.withLock { $0 += 1 }
                    try await RESTClock.system.sleep(duration)
                }
            }
            try await stage.draining(drain) { drain in
                try await wait(for: "put off") { drain.waiting.portals[.budget] == 1 }
                try await stage.waitUntilCleared()
            }
            #expect(sleeps.withLock { $0 } == 0)
            #expect(!stage.standIn.calls.contains { $0.error == "QUERY_LIMIT_EXCEEDED" })
            try await stage.expectAllInKafka(rows: 500)
        }
    }

    @Test func `portals that are slow or dead keep nobody waiting`() async throws {
        try await OfflineStage.with(portals: 4, rows: 5) { stage in
            let faults: [Fault] = [.error("OPERATION_TIME_LIMIT", status: 429), .queryLimit, .badGateway]
            for (number, fault) in zip(1..., faults) {
                stage.standIn.inject(fault, portal: "\(number)", method: "event.offline.list", times: 10_000)
            }
            let drain = stage.makeDrain {
                $0.width = 1
            } rest: { rest in
                rest.retry.passing.first = .seconds(60)
                rest.retry.throttled.first = .seconds(60)
            }
            try await stage.draining(drain) { _ in
                try await wait(for: "all asked") {
                    Set(stage.standIn.calls(of: "event.offline.list").compactMap(\.portal)).count == 4
                }
                try await stage.waitUntilCleared("4")
            }
        }
    }

    @Test func `however few calls a portal takes at once, what was forgotten is taken over in the end`() async throws {
        try await OfflineStage.with(rows: 130) { stage in
            let member = try stage.owner.member("1")
            let client = stage.makeDrain().client
            for _ in 0..<3 {
                _ = try await client.reserveOfflineRows(.init(limit: 40), connector: "", of: member)
            }
            let drain = stage.makeDrain(rest: { rest in
                rest.perSecond = 20
                rest.burst = 1
            })
            try await stage.draining(drain) { _ in try await stage.waitUntilCleared() }
            try await stage.expectAllInKafka(rows: 130)
        }
    }

    @Test func `a full journal closes the gate, and it is said once`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            stage.fill.withLock { $0 = 0.3 }
            try await stage.draining { drain in
                try await wait(for: "closed") { drain.waiting.portals[.gate] == 1 }
                stage.fill.withLock { $0 = 0.22 }
                let looks = stage.looks.withLock { $0 }
                try await wait(for: "looked at again") { stage.looks.withLock { $0 } >= looks + 5 }
                #expect(stage.standIn.calls(of: "event.offline.get").isEmpty)
                let member = try stage.owner.member("1")
                let (start, patience) = (ContinuousClock.now, Duration.seconds(60))
                let result = await drain.drain(member, since: nil, patience: patience)
                #expect(result.error?.code == "paused" && !result.isEmpty)
                #expect(ContinuousClock.now - start < patience, "told at once")
                stage.fill.withLock { $0 = 0.1 }
                try await stage.waitUntilCleared()
            }
            #expect(stage.logs.lines.count { $0.contains("notice offline events wait in the portals") } == 1)
            #expect(stage.logs.lines.count { $0.contains("notice offline events are drained again") } == 1)
        }
    }

    @Test func `who waits for a drain is told at once when nothing may be drained any more`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            let member = try stage.owner.member("1")
            // Nothing comes of it, as the portal's rate is used up for long.
            let drain = stage.makeDrain(rest: { rest in
                rest.perSecond = 0.001
                rest.burst = 2
            })
            try await stage.draining(drain) { drain in
                try await wait(for: "put off") { drain.waiting.portals[.budget] == 1 }
                let (start, patience) = (ContinuousClock.now, Duration.seconds(60))
                async let result = drain.drain(member, since: nil, patience: patience)
                try await wait(for: "the order") { drain.state.withLock { $0.orders[member] != nil } }
                stage.fill.withLock { $0 = 0.3 }
                #expect(await result.error?.code == "paused")
                #expect(ContinuousClock.now - start < patience)
            }
        }
    }

    @Test func `what is signalled waits for no clock`() async throws {
        try await OfflineStage.with { stage in
            let member = try stage.owner.member("1")
            try await stage.draining(stage.makeDrain { $0.tick = .seconds(60) }) { drain in
                try await wait(for: "looked at") { drain.standing(of: member)?.emptyAt != nil }
                try stage.add(3)
                for _ in 0..<100 { stage.signals.signal(member) }
                try await stage.waitUntilCleared()
                try await wait(for: "at rest") { drain.standing(of: member)?.drained == 3 }
            }
            // A burst is a turn or a few, each of which looks until the queue is empty.
            #expect(stage.standIn.calls(of: "event.offline.get").count < 12)
            #expect((1..<10).contains(stage.owner.counted("offline_drains", "trigger", "signal")))
        }
    }

    @Test func `an order waits until the queue was seen empty`() async throws {
        try await OfflineStage.with { stage in
            let member = try stage.owner.member("1")
            try await stage.draining(stage.makeDrain { $0.rounds = 1 }) { drain in
                try await wait(for: "looked at") { drain.standing(of: member)?.emptyAt != nil }
                try stage.add(500)
                let result = await drain.drain(member, since: nil, patience: .seconds(20))
                #expect(result.rows == 500 && result.isEmpty && result.error == nil)
                #expect(await drain.drain("nobody", since: nil, patience: .seconds(1)).error?.code == "not_connected")
                try stage.add(5)
                stage.signals.signalAll(because: "a test")
                try await stage.waitUntilCleared()
            }
            #expect(await stage.makeDrain().drain(member, since: nil, patience: .seconds(1)).error?.code == "not_owner")
        }
    }

    @Test func `a portal that is uninstalled is drained no more, and one that comes is`() async throws {
        try await OfflineStage.with(portals: 2, rows: 5) { stage in
            let first = try stage.owner.member("1")
            let second = try stage.owner.portal("2")
            try await stage.owner.registry.remove(second.memberID)
            try await stage.draining { drain in
                try await stage.waitUntilCleared("1")
                #expect(drain.standing(of: second.memberID) == nil)
                try await stage.owner.registry.change(second.memberID) { $0 = second }
                try await stage.waitUntilCleared("2")
                try await stage.owner.registry.change(first) { $0.installation?.state = .gone }
                try await wait(for: "forgotten") { drain.standing(of: first) == nil }
            }
        }
    }
}
