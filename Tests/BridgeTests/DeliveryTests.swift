import Foundation
import Journal
import KafkaClient
import Synchronization
import Testing

@testable import Bridge

/// What was answered with 200 reaches Kafka, in order, whatever the brokers or this process do.
@Suite struct DeliveryTests {
    /// Events of one entity, so of one key and one partition, numbered.
    static func numbered(_ range: ClosedRange<Int>, _ code: String = "ONCRMDEALUPDATE", pad: Int = 0) -> [String] {
        range.map {
            event(
                code,
                id: "1",
                more: "&data[N]=\($0)" + (pad > 0 ? "&data[P]=" + String(repeating: "x", count: pad) : "")
            )
        }
    }

    static func numbers(_ records: [Delivered]) -> [Int] {
        records.compactMap { record in
            let value = try? JSONSerialization.jsonObject(with: Data(record.value.utf8)) as? [String: Any]
            return ((value?["data"] as? [String: Any])?["N"] as? String).flatMap { Int($0) }
        }
    }

    static func numbers(_ records: [ConsumedRecord]) -> [Int] {
        records.compactMap { record in
            let text = String(decoding: record.value ?? [], as: UTF8.self)
            return text.firstMatch(of: /"N":"(\d+)"/).flatMap { Int($0.output.1) }
        }
    }

    @Test func `an outage of all brokers delays events and loses, repeats and reorders none`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                try await bridge.take(Self.numbered(1...5))
                try await bridge.waitForDelivery(of: 5, to: "crm.deal")
                try await blocking { try cluster.setBroker(up: false) }
                try await bridge.take(Self.numbered(6...200))
                #expect(bridge.delivered.count == 5)
                try await wait(for: "the status to say so") { try await bridge.status().kafka.unreachable != nil }
                let status = try await bridge.status()
                #expect(status.ready, "Kafka being away makes nobody unready")
                #expect(status.kafka.waitingRecords == 195)
                #expect((status.kafka.oldestUndeliveredSeconds ?? -1) >= 0)
                try await bridge.expectSums()
                try await blocking { try cluster.setBroker(up: true) }
                try await bridge.waitForDelivery(of: 200, to: "crm.deal")
                let topic = "\(bridge.topicPrefix).crm.deal"
                let read = try await Kafka.read(200, from: [topic], at: cluster.bootstrapServers)
                #expect(Self.numbers(read) == Array(1...200))
                try await bridge.expectSums()
                try await wait(for: "the status to be at rest") {
                    let kafka = try await bridge.status().kafka
                    return kafka.unreachable == nil && kafka.oldestUndeliveredSeconds == nil
                        && kafka.waitingRecords == 0
                }
            }
        }
    }

    @Test func `the next process delivers what the last one could not, in order`() async throws {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let prefix = "restart"
            let servers = cluster.bootstrapServers
            try await blocking { try cluster.setBroker(up: false) }
            let first = try await RunningBridge.start(servers: servers, directory: directory, prefix: prefix)
            try await first.take(Self.numbered(1...50))
            try await first.abandon()
            #expect(first.delivered.isEmpty)
            try await blocking { try cluster.setBroker(up: true) }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: prefix) { bridge in
                try await bridge.take(Self.numbered(51...60))
                try await bridge.waitForDelivery(of: 60, to: "crm.deal")
                #expect(Self.numbers(bridge.delivered) == Array(1...60))
                #expect(bridge.metric("records_recovered_total") == 50)
                try await bridge.expectSums()
                let positions = bridge.delivered.compactMap(\.position)
                #expect(positions.count == 60 && positions == positions.sorted() && Set(positions).count == 60)
            }
            // Nothing is left: a third run sends nothing.
            try await RunningBridge.with(servers: servers, directory: directory, prefix: prefix) { bridge in
                try await bridge.take(Self.numbered(61...61))
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                #expect(bridge.delivered.count == 1 && bridge.metric("records_recovered_total") == 0)
            }
        }
    }

    @Test func `a record that was written but not confirmed is sent again with the same id`() async throws {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            try await blocking { try cluster.createTopic("again.crm.deal") }
            let first = try await RunningBridge.start(servers: servers, directory: directory, prefix: "again")
            try await first.take(Self.numbered(1...1))
            try await first.waitForDelivery(of: 1, to: "crm.deal")
            // Requests are carried out at once and answered late.
            try await blocking { try cluster.setRoundTrip(.seconds(3)) }
            try await first.take(Self.numbered(2...6))
            try await wait(for: "the records to be handed over") { try await first.status().kafka.queuedRecords == 5 }
            try await Task.sleep(for: .milliseconds(300))
            try await first.abandon()
            try await blocking { try cluster.setRoundTrip(.zero) }
            let before = try await Kafka.read(2, from: ["again.crm.deal"], at: servers)
            try #require(before.count > 1)
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "again") { bridge in
                try await bridge.waitForDelivery(of: 5, to: "crm.deal")
                let all = try await Kafka.read(before.count + 5, from: ["again.crm.deal"], at: servers)
                #expect(Self.numbers(all) == Self.numbers(before) + Array(2...6), "a contiguous run again")
                let ids = all.map { String(decoding: $0.header("ce_id") ?? [], as: UTF8.self) }
                #expect(Set(ids).count == 6)
                #expect(Array(ids[1..<before.count]) == Array(ids[before.count...].prefix(before.count - 1)))
            }
        }
    }

    @Test func `after a fatal error a new producer goes on from the checkpoint`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                try await bridge.take(Self.numbered(1...5))
                try await bridge.waitForDelivery(of: 5, to: "crm.deal")
                try await blocking { try cluster.setBroker(up: false) }
                try await bridge.take(Self.numbered(6...40))
                bridge.bridge.shipper.inbox.order {
                    $0.simulateFatalError(code: .outOfOrderSequenceNumber, reason: "test")
                }
                try await wait(for: "a new producer") { bridge.metric("producer_rebuilds_total") == 1 }
                try await blocking { try cluster.setBroker(up: true) }
                try await bridge.waitForDelivery(of: 40, to: "crm.deal")
                #expect(Self.numbers(bridge.delivered) == Array(1...40))
                bridge.bridge.shipper.inbox.order { $0.simulateFatalError(code: .fencedLocally, reason: "test") }
                try await wait(for: "another one") { bridge.metric("producer_rebuilds_total") == 2 }
                try await bridge.take(Self.numbered(41...45))
                try await bridge.waitForDelivery(of: 45, to: "crm.deal")
                try await bridge.expectSums()
                #expect(bridge.logs.contains("error", "a new one goes on from the checkpoint"))
            }
        }
    }

    @Test func `the checkpoint is never ahead of the delivery reports`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                let isDone = Atomic(false)
                async let watching: Int = blocking {
                    var looks = 0
                    var seen: UInt64 = 0
                    while !isDone.load(ordering: .acquiring) {
                        let confirmed = bridge.bridge.journal.statistics.confirmedBelow.rawValue
                        guard confirmed > seen else { continue }
                        seen = confirmed
                        looks += 1
                        let positions = Set(bridge.delivered.compactMap(\.position))
                        for position in 1..<confirmed where !positions.contains(position) {
                            Issue.record("\(position) is below the checkpoint \(confirmed) and not delivered")
                            return looks
                        }
                    }
                    return looks
                }
                for round in 0..<6 {
                    if round == 2 { try await blocking { try cluster.setBroker(up: false) } }
                    if round == 4 { try await blocking { try cluster.setBroker(up: true) } }
                    try await bridge.take(deals(round * 50..<(round + 1) * 50))
                }
                try await bridge.waitForDelivery(of: 300, to: "crm.deal")
                try await wait(for: "the checkpoint to reach the end") {
                    bridge.bridge.journal.statistics.confirmedBelow.rawValue == 301
                }
                isDone.store(true, ordering: .releasing)
                #expect(try await watching > 0)
            }
        }
    }
}
