import Bitrix24
import Bitrix24REST
import Foundation
import KafkaClient
import Locks
import Simulation
import Synchronization
import Telemetry
import Testing

@testable import Bridge

/// The queues of portals that answer as Bitrix24 does, drained into a real cluster.
@Suite struct OfflineDrainTests {
    @Test func `every row arrives once, and is cleared`() async throws {
        try await OfflineStage.with(rows: 450) { stage in
            try stage.add(50, code: "ONCRMLEADADD")
            try await stage.draining { drain in
                try await stage.waitUntilCleared()
                let member = try stage.owner.member("1")
                try await wait(for: "seen empty") { drain.standing(of: member)?.emptyAt != nil }
                let standing = try #require(drain.standing(of: member))
                #expect(standing.drained == 500 && standing.held == 0 && standing.oldestChangeAt == nil)
            }
            try await stage.expectAllInKafka(rows: 500)
            #expect(try await stage.ids(500).count == 500)
            #expect(stage.owner.counted("offline_rows", "outcome", "delivered") == 500)
            #expect(stage.owner.counted("offline_drains", "trigger", "start") == 1)
            // 200 rows at a time, and once more to see that there are none.
            #expect(stage.standIn.calls(of: "event.offline.get").count == 4)
            #expect(stage.standIn.calls(of: "event.offline.clear").count == 3)
        }
    }

    @Test func `a queue with a source key is drained, and those that were declared before`() async throws {
        let offline = "offline: [ONCRMDEALADD], authConnector:"
        try await OfflineStage.with(rows: 10, subscriptions: "{\(offline) erp}") { stage in
            try stage.owner.declare("{\(offline) shop}")
            try await stage.owner.owning {
                try await stage.owner.waitFor("both keys") { $0.bindings?.connectors == ["erp", "shop"] }
            }
            try stage.add(5, first: 1000)
            try stage.owner.declare("{\(offline) web}")
            try await stage.owner.owning {
                try await stage.owner.waitFor("all keys") { $0.bindings?.connectors == ["erp", "shop", "web"] }
            }
            try await stage.draining { _ in try await stage.waitUntilCleared() }
            try await stage.expectAllInKafka(rows: 15)
            #expect(Set(stage.standIn.offlineRows(of: "1").map(\.connector)) == ["erp", "shop"])
        }
    }

    @Test func `while Kafka is away nothing is cleared, and what changes meanwhile arrives as well`() async throws {
        try await OfflineStage.with(rows: 20) { stage in
            try stage.cluster.setBroker(up: false)
            try await stage.draining { drain in
                try await wait(for: "reserved") { try stage.summary().reserved == 20 }
                try await wait(for: "told") { drain.waiting.heldRows == 20 && drain.waiting.lag > 0 }
                // The same objects once more: rows of their own, as the first are reserved.
                try stage.add(20, first: 1)
                try await wait(for: "noticed") { drain.sender.trouble != nil }
                #expect(try stage.summary().cleared == 0)
                try stage.cluster.setBroker(up: true)
                stage.signals.signal(try stage.owner.member("1"))
                try await stage.waitUntilCleared()
            }
            #expect(try stage.summary().cleared == 40)
            try await stage.expectAllInKafka(rows: 40)
        }
    }

    @Test func `an outage while there is nothing to send is forgotten`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            let member = try stage.owner.member("1")
            try await stage.draining { drain in
                try await stage.waitUntilCleared()
                try stage.cluster.setBroker(up: false)
                try await wait(for: "noticed") { drain.sender.inbox.unreachableSince != nil }
                try stage.cluster.setBroker(up: true)
                #expect(drain.sender.trouble == nil)
                try stage.add(5)
                stage.signals.signal(member)
                try await stage.waitUntilCleared()
            }
            try await stage.expectAllInKafka(rows: 10)
        }
    }

    /// Where an owner may end: while it looks for what was forgotten, while it reserves, and while it clears.
    static let faults: [(method: String, fault: Fault)] = [
        "event.offline.list", "event.offline.get", "event.offline.clear",
    ].flatMap {
        method in
        [Fault.answerLost, .dropped, .internalError].map { (method, $0) }
    }

    @Test(arguments: faults)
    func `an owner that ends anywhere loses nothing`(method: String, fault: Fault) async throws {
        try await OfflineStage.with(rows: 30) { stage in
            stage.standIn.inject(fault, method: method, times: 10_000)
            try await stage.draining { _ in
                try await wait(for: "tried") { stage.standIn.calls(of: method).count >= 2 }
            }
            stage.standIn.clearFaults()
            try await stage.draining { _ in try await stage.waitUntilCleared() }
            #expect(try stage.summary().cleared == 30)
            try await stage.expectAllInKafka(rows: 30)
        }
    }

    @Test func `an owner that ends while it sends loses nothing`() async throws {
        try await OfflineStage.with(rows: 30) { stage in
            try stage.cluster.setBroker(up: false)
            try await stage.draining { _ in
                try await wait(for: "reserved") { try stage.summary().reserved == 30 }
            }
            #expect(try stage.summary().reserved == 30)
            try stage.cluster.setBroker(up: true)
            try await stage.draining { _ in try await stage.waitUntilCleared() }
            try await stage.expectAllInKafka(rows: 30)
            #expect(stage.owner.metrics.value("b24bridge_offline_recovered_rows_total") == 30)
        }
    }

    @Test func `what others reserved and left is taken over, page by page`() async throws {
        try await OfflineStage.with(rows: 130) { stage in
            let member = try stage.owner.member("1")
            let client = stage.makeDrain().client
            for _ in 0..<3 {
                let taken = try await client.reserveOfflineRows(.init(limit: 40), connector: "", of: member)
                #expect(taken.rows.count == 40)
            }
            try await stage.draining { drain in
                try await stage.waitUntilCleared()
                try await wait(for: "nothing held") { drain.standing(of: member)?.held == 0 }
            }
            try await stage.expectAllInKafka(rows: 130)
            #expect(stage.owner.metrics.value("b24bridge_offline_recovered_rows_total") == 120)
        }
    }

    @Test func `a topic that refuses keeps its own rows only, and gets them when it takes them again`() async throws {
        try await OfflineStage.with(rows: 300) { stage in
            try stage.add(300, code: "ONCRMLEADADD")
            stage.cluster.setTopicError(stage.topic("crm.lead"), .topicAuthorizationFailed)
            let member = try stage.owner.member("1")
            try await stage.draining { drain in
                try await wait(for: "the deals; \(stage.logs.lines.suffix(5))") { try stage.summary().cleared == 300 }
                try await wait(for: "tried again") {
                    let reserved = try stage.summary()
                    return reserved.reserved == 300 && reserved.waiting == 0
                }
                try await wait(for: "held") { drain.standing(of: member)?.held == 300 }
                #expect(try stage.summary().cleared == 300)
                stage.cluster.setTopicError(stage.topic("crm.lead"), .noError)
                try await stage.waitUntilCleared()
            }
            try await stage.expectAllInKafka(rows: 600)
            #expect(stage.logs.lines.count { $0.contains("a topic refuses offline events") } == 1)
        }
    }

    @Test func `what cannot be published is a dead letter, marked, and taken again by a person's order`() async throws {
        try await OfflineStage.with(rows: 3) { stage in
            var deep: PHPValue = "x"
            for _ in 0..<200 { deep = ["a": deep] }
            await stage.standIn.emit("ONCRMDEALADD", data: ["FIELDS": ["ID": "9", "X": deep]], portal: "1")
            let text = PHPValue.text(String(repeating: "x", count: 5000))
            await stage.standIn.emit("ONCRMDEALADD", data: ["FIELDS": ["ID": "10", "X": text]], portal: "1")
            stage.owner.settings.withLock { $0.kafka.maxRecordBytes = 4000 }
            let member = try stage.owner.member("1")
            try await stage.draining { drain in
                try await wait(for: "marked; \(stage.logs.lines.suffix(5))") { try stage.summary().marked == 2 }
                try await stage.waitUntil(cleared: 3)
                #expect(drain.standing(of: member)?.deadLettered == 2)
            }
            let letters = try await Kafka.read(
                2,
                from: [stage.deadLetterTopic],
                at: stage.cluster.bootstrapServers
            ).map(DeadLetter.init)
            #expect(Set(letters.map(\.reason)) == ["unusable-row", "too-large"])
            #expect(letters.allSatisfy { $0.portal == member && $0.value == Array("[]".utf8) })

            stage.owner.settings.withLock { $0.kafka.maxRecordBytes = 1 << 20 }
            try await stage.draining { drain in
                try await wait(for: "running") { drain.standing(of: member)?.emptyAt != nil }
                let result = await drain.drain(member, since: 0, patience: .seconds(10))
                #expect(result == .init(rows: 1, deadLettered: 1, recovered: 1, isEmpty: true))
            }
            #expect(try stage.summary().marked == 1)
        }
    }

    @Test func `a portal whose plan has no queue is told of once, and works when it has`() async throws {
        try await OfflineStage.with(portals: 2, rows: 5) { stage in
            stage.standIn.inject(.wrongLicense, portal: "1", method: "event.offline.get", times: 10_000)
            try await stage.draining { drain in
                try await stage.owner.waitFor("denied") { $0.state == .offlineDenied }
                let member = try stage.owner.member("1")
                #expect(try stage.owner.portal("1").offline?.code == "wrong_license")
                #expect(try #require(stage.owner.portal("1").offline).words.contains("Professional"))
                let asked = { stage.standIn.calls(of: "event.offline.get").count { $0.portal == member } }
                let calls = asked()
                stage.signals.signal(member)
                // Another that is heard of later has its turn.
                try await stage.waitUntilCleared("2")
                try stage.add(5, "2")
                stage.signals.signal(try stage.owner.member("2"))
                try await stage.waitUntilCleared("2")
                #expect(asked() == calls, "not asked again")
                let result = await drain.drain(member, since: nil, patience: .seconds(5))
                #expect(result.error?.code == "wrong_license")
                stage.standIn.clearFaults()
                stage.owner.putForward(days: 1)
                try await stage.waitUntilCleared()
                try await stage.owner.waitFor("permitted") { $0.offline == nil }
            }
            #expect(stage.logs.lines.count { $0.contains("warning offline events cannot be fetched") } == 1)
            #expect(stage.logs.contains("notice offline events can be fetched again"))
            #expect(!stage.logs.contains("could not be drained"))
        }
    }

    @Test func `a user who is no administrator is told of, until another authorises`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            let (staff, admin) = (try stage.owner.authorize("1", user: 2), try stage.owner.authorize("1"))
            let member = try stage.owner.member("1")
            try await stage.owner.registry.change(member) { $0.authorization = staff }
            try await stage.draining { drain in
                try await stage.owner.waitFor("denied") { $0.offline?.code == "access_denied" }
                // The giving of these tokens is not written down: during the turn they could be renewed ones.
                try await wait(for: "its turn's end") { drain.standing(of: member)?.nextAt ?? 0 > stage.owner.now }
                try await stage.owner.registry.change(member) { $0.authorization = admin }
                try await stage.waitUntilCleared()
                try await stage.owner.waitFor("permitted") { $0.offline == nil }
            }
            #expect(stage.logs.lines.count { $0.contains("warning offline events cannot be fetched") } == 1)
        }
    }

    @Test func `who authorises while the portal is being refused is heard`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            var (staff, admin) = (try stage.owner.authorize("1", user: 2), try stage.owner.authorize("1"))
            (staff.grantedAt, admin.grantedAt) = (stage.owner.now - 1, stage.owner.now)
            let (member, others) = (try stage.owner.member("1"), (staff: staff, admin: admin))
            try await stage.owner.registry.change(member) { $0.authorization = others.staff }
            stage.standIn.inject(.slow(.milliseconds(500)), method: "event.offline.list")
            try await stage.draining { drain in
                try await wait(for: "refused") { !stage.standIn.calls(of: "event.offline.list").isEmpty }
                try await stage.owner.registry.change(member) { $0.authorization = others.admin }
                try await stage.waitUntilCleared()
                #expect(try stage.owner.portal("1").offline == nil)
            }
            #expect(stage.standIn.calls.contains { $0.error == "ACCESS_DENIED" })
            #expect(!stage.logs.contains("offline events cannot be fetched"))
        }
    }

    @Test func `a user who loses his rights is mended by the administrator who opens the application`() async throws {
        try await OfflineStage.with(rows: 5) { stage in
            var staff = try stage.owner.authorize("1", user: 2)
            staff.grantedAt = stage.owner.now - 1
            let (member, lost) = (try stage.owner.member("1"), staff)
            try await stage.owner.registry.change(member) { $0.authorization = lost }
            try await stage.draining { _ in
                try await stage.owner.waitFor("denied") { $0.offline?.code == "access_denied" }
                #expect(try stage.owner.portal("1").bindings?.errorCode == nil)
                try await stage.owner.openPage("1")
                try await stage.waitUntilCleared()
                try await stage.owner.waitFor("permitted") { $0.offline == nil }
            }
        }
    }

    @Test func `answers that are too large are asked for in smaller parts`() async throws {
        try await OfflineStage.with(rows: 200) { stage in
            try await stage.draining(stage.makeDrain(rest: { $0.maxAnswerBytes = 18_000 })) { _ in
                try await stage.waitUntilCleared()
            }
            try await stage.expectAllInKafka(rows: 200)
        }
    }
}

extension OfflineStage {
    /// With rows that stay, marked.
    func waitUntil(cleared: Int) async throws {
        try await wait(for: "\(cleared) cleared") {
            let summary = try self.summary()
            return summary.cleared == cleared && summary.reserved == 0
        }
    }
}
