import Bitrix24REST
import Foundation
import KafkaClient
import Locks
import Simulation
import Synchronization
import Telemetry
import Testing

@testable import Bridge

extension OfflineStage {
    /// Rows whose records are too large as long as `maxRecordBytes` says so.
    fileprivate func addLarge(_ count: Int) async {
        for number in 1...count {
            let text = PHPValue.text(String(repeating: "x", count: 5000))
            await standIn.emit("ONCRMDEALADD", data: ["FIELDS": ["ID": .text("\(number)"), "X": text]], portal: "1")
        }
    }

    fileprivate func allow(recordBytes: Int) {
        owner.settings.withLock { $0.kafka.maxRecordBytes = recordBytes }
    }

    /// Owns the queues, and has looked at the first portal's.
    fileprivate func recovering(_ drain: OfflineDrain, _ body: (OfflineDrain) async throws -> Void) async throws {
        let member = try owner.member("1")
        try await draining(drain) { drain in
            try await wait(for: "looked at") { drain.standing(of: member)?.emptyAt != nil }
            try await body(drain)
        }
    }

    /// So many rows that are marked.
    fileprivate func mark(_ count: Int) async throws {
        await addLarge(count)
        allow(recordBytes: 4000)
        try await draining { _ in
            try await wait(for: "marked; \(logs.lines.suffix(5))") {
                let summary = try self.summary()
                return summary.marked == count && summary.reserved == 0
            }
        }
    }
}

/// What can be got back, whatever became of the one who tried it before.
@Suite struct OfflineRecoveryTests {
    @Test(arguments: [true, false])
    func `marked rows are got back all, though that was tried in vain before`(isReleased: Bool) async throws {
        try await OfflineStage.with(adjust: { $0.releasesMarkedRows = isReleased }) { stage in
            try await stage.mark(10)
            let member = try stage.owner.member("1")
            try await stage.recovering(stage.makeDrain { $0.batchRows = 4 }) { drain in
                for _ in 0..<2 {
                    let result = await drain.drain(member, since: 0, patience: .seconds(20))
                    #expect(result == .init(deadLettered: 10, isEmpty: true), "each row once")
                }
            }
            #expect(try stage.summary().marked == 10)
            stage.allow(recordBytes: 1 << 20)
            try await stage.recovering(stage.makeDrain { $0.batchRows = 4 }) { drain in
                let result = await drain.drain(member, since: 0, patience: .seconds(20))
                #expect(result == .init(rows: 10, recovered: 10, isEmpty: true))
            }
            #expect(try stage.summary().cleared == 10)
        }
    }

    @Test func `marked rows that an owner reserved and left are taken by the next order, and by no look`() async throws
    {
        try await OfflineStage.with { stage in
            try await stage.mark(6)
            let member = try stage.owner.member("1")
            let taken = try await stage.makeDrain().client.reserveOfflineRows(
                .init(limit: 10, erroneous: true),
                connector: "",
                of: member
            )
            #expect(taken.rows.count == 6)
            stage.allow(recordBytes: 1 << 20)
            try await stage.recovering(stage.makeDrain()) { drain in
                let left = try stage.summary()
                #expect(left.reserved == 6)
                let result = await drain.drain(member, since: 0, patience: .seconds(20))
                #expect(result == .init(rows: 6, recovered: 6, isEmpty: true))
            }
            #expect(try stage.summary().cleared == 6)
        }
    }

    @Test func `marked rows that their topic refuses are read again until it takes them`() async throws {
        try await OfflineStage.with { stage in
            try await stage.mark(6)
            let member = try stage.owner.member("1")
            stage.allow(recordBytes: 1 << 20)
            stage.cluster.setTopicError(stage.topic("crm.deal"), .topicAuthorizationFailed)
            try await stage.recovering(stage.makeDrain()) { drain in
                let result = await drain.drain(member, since: 0, patience: .seconds(20))
                // While nothing else is sent, a topic that takes nothing is not to be told from a Kafka that does.
                #expect(["topic_refused", "paused"].contains(result.error?.code) && !result.isEmpty)
                try await wait(for: "the refusal", within: .seconds(30)) {
                    stage.owner.logs.lines.contains { $0.contains("a topic refuses offline events") }
                }
                #expect(try stage.summary().reserved == 6)
                stage.cluster.setTopicError(stage.topic("crm.deal"), .noError)
                try await stage.waitUntil(cleared: 6)
            }
            #expect(stage.owner.metrics.value("b24bridge_offline_recovered_rows_total") == 6)
        }
    }

    @Test func `of two orders at once the one that goes back farther is carried out as well`() async throws {
        try await OfflineStage.with { stage in
            let member = try stage.owner.member("1")
            let client = stage.makeDrain().client
            try await stage.recovering(stage.makeDrain()) { drain in
                try stage.add(5)
                let taken = try await client.reserveOfflineRows(.init(limit: 10), connector: "", of: member)
                #expect(taken.rows.count == 5)
                // A turn without orders, during which both come.
                stage.standIn.inject(.slow(.seconds(1)), method: "event.offline.get")
                let started = stage.owner.counted("offline_drains", "trigger", "signal")
                stage.signals.signal(member)
                try await wait(for: "the turn") {
                    stage.owner.counted("offline_drains", "trigger", "signal") > started
                }
                async let nothing = drain.drain(
                    member,
                    since: stage.owner.now + 3_600_000,
                    patience: .seconds(20)
                )
                try await wait(for: "the first order") { drain.state.withLock { $0.orders[member]?.count == 1 } }
                let result = await drain.drain(member, since: 0, patience: .seconds(20))
                #expect(result == .init(rows: 5, recovered: 5, isEmpty: true))
                #expect(await nothing.isEmpty)
            }
            #expect(try stage.summary().cleared == 5)
        }
    }

    @Test func `what was done for an order that goes back less far is not done for another`() {
        let late = OfflineOrder.Recovery(since: 100, isListed: true, isRead: true, readUpTo: ["": "7"])
        var early = OfflineOrder.Recovery(since: 5)
        early.take(late)
        #expect(!early.isListed && !early.isRead && early.readUpTo.isEmpty)
        #expect(OfflineOrder.Recovery.next(of: [late, early, .init(since: 50)])?.since == 5)
        var other = OfflineOrder.Recovery(since: 101)
        other.take(late)
        #expect(other.isDone && other.since == 101)
        #expect(OfflineOrder.Recovery.next(of: [late, other]) == nil)
        let all = OfflineSearch(connectors: [""], since: nil, isOrdered: false)
        #expect(all.covers(since: 5, isOrdered: false) && !all.covers(since: 5, isOrdered: true))
        let some = OfflineSearch(connectors: [""], since: 50, isOrdered: true)
        #expect(some.covers(since: 60, isOrdered: true) && !some.covers(since: 5, isOrdered: true))
        #expect(!some.covers(since: nil, isOrdered: false))
    }

    @Test func `where a portal marks nothing, though it says so, there is one dead letter of a row`() async throws {
        try await OfflineStage.with { stage in
            await stage.addLarge(3)
            stage.allow(recordBytes: 4000)
            let member = try stage.owner.member("1")
            let drain = stage.makeDrain()
            _ = try await drain.client.reserveOfflineRows(.init(limit: 10), connector: "", of: member)
            stage.standIn.inject(.ignored, method: "event.offline.error", times: 10_000)
            try await stage.draining(drain) { drain in
                try await wait(for: "seen empty") { drain.standing(of: member)?.emptyAt != nil }
                #expect(drain.standing(of: member)?.deadLettered == 3)
            }
        }
    }

    @Test func `a row that cannot be marked is cleared when Kafka has its dead letter`() {
        var held = OfflineHeld(process: .init(connector: "", id: "p"))
        held.settleLetter(of: OfflineRowTests.row())
        held.settleLetter(of: OfflineRowTests.row(["MESSAGE_ID": ""]))
        held.settleLetter(of: OfflineRowTests.row(["MESSAGE_ID": "", "ID": "x"]))
        #expect(held.letters == ["0b3bb1c8c07f0f54d3e17ee2a7b1a8f0"] && held.confirmed == ["12"])
    }

    @Test(arguments: ["event.offline.error", "event.offline.list"])
    func `a portal that refuses for good to settle some rows is drained all the same`(method: String) async throws {
        try await OfflineStage.with { stage in
            await stage.addLarge(2)
            try stage.add(100)
            stage.allow(recordBytes: 4000)
            let member = try stage.owner.member("1")
            stage.standIn.inject(.error("ERROR_TEST", "no", status: 400), method: method, times: 10_000)
            try await stage.draining(stage.makeDrain { $0.batchRows = 40 }) { drain in
                try await wait(for: "the others; \(stage.logs.lines.suffix(5))") { try stage.summary().cleared == 100 }
                try await wait(for: "seen empty") { drain.standing(of: member)?.emptyAt != nil }
                #expect(drain.standing(of: member)?.errorCode == "error_test")
                try stage.add(5)
                stage.signals.signal(member)
                try await wait(for: "later ones") { try stage.summary().cleared == 105 }
                let refused = await drain.drain(member, since: 0, patience: .seconds(20))
                #expect(refused.error?.code == "error_test" && !refused.isEmpty)
                stage.standIn.clearFaults()
                let result = await drain.drain(member, since: 0, patience: .seconds(20))
                #expect(result.error == nil && result.isEmpty)
                #expect(drain.standing(of: member)?.errorCode == nil)
                #expect(drain.standing(of: member)?.held == 0)
            }
            #expect(try stage.summary().marked == 2)
            #expect(stage.logs.lines.count { $0.contains("a portal refuses what would settle") } == 1)
        }
    }
}
