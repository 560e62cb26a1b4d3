import Foundation
import Journal
import KafkaClient
import Testing

@testable import Bridge

/// One bad topic or record delays its own records only.
@Suite struct RefusingTopicTests {
    private static func numbered(_ range: ClosedRange<Int>, pad: Int = 0) -> [String] {
        DeliveryTests.numbered(range, pad: pad)
    }

    private static func waitForParked(_ count: Int, _ bridge: RunningBridge) async throws {
        try await wait(
            for: "\(count) parked records; \(bridge.metric("records_parked")); \(bridge.logs.lines.suffix(5))"
        ) {
            _ = try await bridge.get("/metrics")
            return bridge.metric("records_parked") == count
        }
    }

    @Test func `records of a topic that is mended in time arrive in order and are not parked`() async throws {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("held.crm.deal", .unknownTopicOrPartition)
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "held") { bridge in
                try await bridge.take(Self.numbered(1...30))
                try await bridge.take(leads(1...30))
                try await bridge.waitForDelivery(of: 30, to: "crm.lead")
                try await wait(for: "the status to name it") {
                    try await bridge.status().kafka.refusingTopics.map(\.topic) == ["held.crm.deal"]
                }
                #expect(bridge.delivered(to: "crm.deal").isEmpty)
                try await bridge.expectSums()
                cluster.setTopicError("held.crm.deal", .noError)
                try await bridge.take(Self.numbered(31...40))
                try await bridge.waitForDelivery(of: 40, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...40))
                #expect(bridge.metric("records_moved_to_parked_total") == 0)
                try await bridge.expectSums()
                #expect(try await bridge.status().kafka.refusingTopics.isEmpty)
            }
        }
    }

    @Test func `records of a topic that refuses for long are parked, and arrive in order when it is mended`()
        async throws
    {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("park.crm.deal", .unknownTopicOrPartition)
            let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .milliseconds(300) }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "park", adjust: adjust) { bridge in
                try await bridge.take(Self.numbered(1...20))
                try await bridge.take(leads(1...20))
                try await bridge.waitForDelivery(of: 20, to: "crm.lead")
                try await Self.waitForParked(20, bridge)
                let journal = bridge.bridge.journal
                try await wait(for: "the checkpoint to pass them") {
                    journal.statistics.confirmedBelow == journal.statistics.next
                }
                try await bridge.take(Self.numbered(21...30))
                try await Self.waitForParked(30, bridge)
                try await bridge.expectSums()
                let topics = try await bridge.status().kafka.refusingTopics
                #expect(topics.map(\.topic) == ["park.crm.deal"] && topics.allSatisfy(\.parked))
                #expect(bridge.logs.contains("error", "they are parked until it takes them", "park.crm.deal"))

                cluster.setTopicError("park.crm.deal", .noError)
                try await bridge.waitForDelivery(of: 30, to: "crm.deal")
                try await Self.waitForParked(0, bridge)
                try await bridge.take(Self.numbered(31...35))
                try await bridge.waitForDelivery(of: 35, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...35))
                #expect(bridge.metric("records_moved_to_parked_total") == 30)
                #expect(bridge.metric("parked_records_delivered_total") == 30)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a topic without rights is parked and stands in nobody's way`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.createTopic("closed.crm.deal", partitions: 0) }
            cluster.setTopicError("closed.crm.deal", .topicAuthorizationFailed)
            let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .milliseconds(200) }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "closed", adjust: adjust) {
                bridge in
                for round in 0..<5 {
                    try await bridge.take(deals(round * 10..<(round + 1) * 10) + leads(round * 10..<(round + 1) * 10))
                }
                try await bridge.waitForDelivery(of: 50, to: "crm.lead")
                try await Self.waitForParked(50, bridge)
                #expect(bridge.delivered(to: "crm.deal").isEmpty)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a topic whose partition has no leader is parked while others arrive`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking {
                try cluster.createTopic("stall.crm.deal")
                try cluster.setPartitionLeader(topic: "stall.crm.deal", partition: 0, broker: nil)
            }
            let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .milliseconds(500) }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "stall", adjust: adjust) { bridge in
                try await bridge.take(Self.numbered(1...20))
                var sent = 0
                try await wait(for: "the deals to be parked; \(bridge.logs.lines.suffix(4))") {
                    sent += 1
                    try await bridge.take(DeliveryTests.numbered(sent...sent, "ONCRMLEADADD"))
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("records_parked") == 20
                }
                try await bridge.waitForDelivery(of: sent, to: "crm.lead")
                let journal = bridge.bridge.journal
                try await wait(for: "the checkpoint to pass them") {
                    journal.statistics.confirmedBelow == journal.statistics.next
                }
                try await bridge.take(Self.numbered(21...30))
                try await Self.waitForParked(30, bridge)
                try await bridge.expectSums()
                try await blocking {
                    try cluster.setPartitionLeader(topic: "stall.crm.deal", partition: 0, broker: 1)
                }
                try await bridge.waitForDelivery(of: 30, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...30))
                var leads: [Int] = []
                for number in DeliveryTests.numbers(bridge.delivered(to: "crm.lead")) where !leads.contains(number) {
                    leads.append(number)
                }
                #expect(leads == Array(1...sent), "in order at their first appearance")
                try await Self.waitForParked(0, bridge)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `after a start nothing overtakes the parked records of its topic`() async throws {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .milliseconds(200) }
            cluster.setTopicError("over.crm.deal", .unknownTopicOrPartition)
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "over", adjust: adjust) {
                bridge in
                try await bridge.take(Self.numbered(1...20))
                try await Self.waitForParked(20, bridge)
            }
            // Still closed: what comes now follows the parked ones, without waiting for its time.
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "over", adjust: adjust) {
                bridge in
                try await bridge.take(Self.numbered(21...25))
                try await Self.waitForParked(25, bridge)
                #expect(bridge.metric("records_recovered_total") == 20)
                try await bridge.expectSums()
            }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "over", adjust: adjust) {
                bridge in
                // The parked records are tried ever more seldom; new ones would be tried at once.
                try await wait(for: "the topic to have been tried in vain") {
                    try await bridge.status().kafka.refusingTopics.first?.seconds ?? 0 >= 3
                }
                cluster.setTopicError("over.crm.deal", .noError)
                try await bridge.take(Self.numbered(26...40))
                try await bridge.waitForDelivery(of: 40, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered) == Array(1...40))
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a refused batch gives its innocent records back one by one, in order`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.createTopic("batch.crm.deal") }
            try await RunningBridge.with(
                servers: cluster.bootstrapServers,
                prefix: "batch",
                // Long enough that all twenty leave in one batch, whatever the machine is busy with.
                adjust: { $0.kafka.properties["linger.ms"] = "500" }
            ) { bridge in
                try await bridge.take(Self.numbered(1...1))
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                for code in [KafkaErrorCode.messageSizeTooLarge, .invalidRecord] {
                    let count = bridge.delivered.count
                    try await blocking { try cluster.setBroker(up: false) }
                    // A client that takes the broker for present would begin a batch with the first ones.
                    try await wait(for: "the outage to be known") { try await bridge.status().kafka.unreachable != nil }
                    try await bridge.take(Self.numbered(count + 1...count + 20))
                    try await wait(for: "one batch") { try await bridge.status().kafka.queuedRecords == 20 }
                    cluster.pushRequestErrors(.produce, [code])
                    try await blocking { try cluster.setBroker(up: true) }
                    try await wait(for: "the refusal") { bridge.metric("delivery_failures_total") > 0 }
                    try await bridge.waitForDelivery(of: count + 20, to: "crm.deal")
                    #expect(DeliveryTests.numbers(bridge.delivered) == Array(1...count + 20))
                }
                #expect(bridge.metric("records_moved_to_parked_total") == 0)
                try await bridge.take(Self.numbered(42...50))
                try await bridge.waitForDelivery(of: 50, to: "crm.deal")
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a record refused for a reason of its own is parked alone and its topic goes on`() async throws {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            // A single record is tried again after ten times as long: not in the first run, however slow that is.
            let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .seconds(3) }
            try await blocking { try cluster.createTopic("alone.crm.deal") }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "alone", adjust: adjust) {
                bridge in
                try await bridge.take(Self.numbered(1...1))
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                // Refused as it comes and when it is tried alone.
                cluster.pushRequestErrors(.produce, [.invalidRecord, .invalidRecord])
                try await bridge.take(Self.numbered(2...2))
                try await wait(for: "the first refusal") { bridge.metric("delivery_failures_total") == 1 }
                try await bridge.take(Self.numbered(3...10))
                try await Self.waitForParked(1, bridge)
                try await bridge.waitForDelivery(of: 9, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered) == [1] + Array(3...10))
                #expect(bridge.logs.contains("error", "it is parked, and the others of its topic go on"))
                try await bridge.expectSums()
            }
            // A later run tries it again.
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "alone", adjust: adjust) {
                bridge in
                try await wait(for: "it to be delivered") { bridge.metric("records_delivered_total") == 1 }
                try await Self.waitForParked(0, bridge)
                try await bridge.expectSums()
            }
            // Read anew: it may have come before this run's own reader was there.
            let all = try await Kafka.read(10, from: ["alone.crm.deal"], at: servers)
            #expect(DeliveryTests.numbers(all) == [1] + Array(3...10) + [2])
        }
    }

    @Test func `a record over the limit is taken, parked and announced, and the others flow`() async throws {
        let directory = try TemporaryDirectory()
        let prefix = "b\(UUID().uuidString.prefix(8).lowercased())"
        let limit: (inout BridgeSettings) -> Void = { $0.kafka.maxRecordBytes = 2000 }
        let secret = "body-of-the-large-record"
        try await RunningBridge.with(directory: directory, prefix: prefix, adjust: limit) { bridge in
            try await bridge.take(Self.numbered(1...3))
            try await bridge.take([event(id: "77", more: "&data[N]=\(secret)" + String(repeating: "x", count: 2000))])
            try await bridge.take(Self.numbered(4...6))
            try await bridge.waitForDelivery(of: 6, to: "crm.deal")
            try await bridge.waitForDelivery(of: 1, to: "dead-letter")
            try await Self.waitForParked(1, bridge)
            #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...6))
            let letter = bridge.delivered(to: "dead-letter")[0]
            #expect(letter.value == "[]")
            #expect(letter.headers["b24_reason"] == "too-large")
            #expect(letter.headers["b24_portal"] == memberID)
            #expect(letter.headers["b24_id"]?.count == 36)
            #expect(!bridge.delivered.contains { $0.value.contains(secret) })
            #expect(bridge.metric("dead_letters_total", [("reason", "too-large")]) == 1)
            let journal = bridge.bridge.journal
            try await wait(for: "the checkpoint to pass it") {
                journal.statistics.confirmedBelow == journal.statistics.next
            }
            try await bridge.expectSums()
        }
        // With a higher limit it goes out.
        try await RunningBridge.with(directory: directory, prefix: prefix) { bridge in
            try await wait(for: "it to be delivered") { bridge.metric("records_delivered_total") == 1 }
            try await Self.waitForParked(0, bridge)
            try await bridge.expectSums()
        }
        // Read anew: it may have come before this run's own reader was there.
        let all = try await Kafka.read(7, from: ["\(prefix).crm.deal"], at: Kafka.servers)
        #expect(all.count { String(decoding: $0.value ?? [], as: UTF8.self).contains(secret) } == 1)
    }

    @Test func `a record that stays parked for ever does not keep those delivered behind it`() async throws {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("pin.crm.deal", .unknownTopicOrPartition)
            let adjust: (inout BridgeSettings) -> Void = {
                $0.kafka.parkAfter = .milliseconds(200)
                $0.kafka.maxRecordBytes = 2000
            }
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "pin", adjust: adjust) {
                bridge in
                try await bridge.take([
                    event("ONCRMLEADADD", id: "77", more: "&data[N]=" + String(repeating: "x", count: 2000))
                ])
                try await Self.waitForParked(1, bridge)
                try await bridge.take(Self.numbered(1...20))
                try await Self.waitForParked(21, bridge)
                cluster.setTopicError("pin.crm.deal", .noError)
                try await bridge.waitForDelivery(of: 20, to: "crm.deal")
                let parked = bridge.bridge.parked
                try await wait(for: "the large one to move behind them; \(parked.statistics)") {
                    parked.statistics.next.rawValue == 23 && parked.statistics.confirmedBelow.rawValue == 22
                }
                try await Self.waitForParked(1, bridge)
                try await bridge.expectSums()
            }
            // So the next run sends nothing twice.
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "pin", adjust: adjust) {
                bridge in
                try await Self.waitForParked(1, bridge)
                try await bridge.take(Self.numbered(21...21))
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == [21])
            }
        }
    }
}
