import Foundation
import Journal
import KafkaClient
import Testing

@testable import Bridge

/// Parked topics and damaged records do not stand in each other's way.
@Suite struct ParkedLaneTests {
    private static func numbered(_ range: ClosedRange<Int>, _ event: String = "ONCRMDEALUPDATE", pad: Int = 0)
        -> [String]
    {
        DeliveryTests.numbered(range, event, pad: pad)
    }

    @Test func `a parked topic whose partition has no leader leaves the room to the other parked topics`()
        async throws
    {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            let adjust: (inout BridgeSettings) -> Void = {
                $0.kafka.parkAfter = .milliseconds(200)
                $0.journal.parkedMaxBytes = 256 << 20
            }
            for topic in ["block.crm.deal", "block.crm.contact"] {
                cluster.setTopicError(topic, .unknownTopicOrPartition)
            }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "block", adjust: adjust) {
                bridge in
                // More than parked records may have in flight.
                try await bridge.take(Self.numbered(1...20, pad: 500_000))
                try await bridge.take(Self.numbered(1...10, "ONCRMCONTACTADD"))
                try await wait(for: "30 parked records; \(bridge.metric("records_parked"))") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("records_parked") == 30
                }
            }
            for topic in ["block.crm.deal", "block.crm.contact"] { cluster.setTopicError(topic, .noError) }
            try await blocking {
                for partition in 0..<4 {
                    try cluster.setPartitionLeader(topic: "block.crm.deal", partition: Int32(partition), broker: nil)
                }
            }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "block", adjust: adjust) {
                bridge in
                try await bridge.waitForDelivery(of: 10, to: "crm.contact")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.contact")) == Array(1...10))
                #expect(bridge.logs.contains("neither arrive nor are refused", "block.crm.deal", "parked"))
                try await bridge.expectSums()
                try await blocking {
                    for partition in 0..<4 {
                        try cluster.setPartitionLeader(topic: "block.crm.deal", partition: Int32(partition), broker: 1)
                    }
                }
                // By the reports: the cluster keeps 5 MiB of a partition.
                var last = ""
                try await wait(for: "all to be delivered; \(last); \(bridge.logs.lines.suffix(3))") {
                    last = try await bridge.get("/status").body
                    return bridge.metric("records_delivered_total") == 30
                }
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a record that cannot be read a second time holds up nothing`() async throws {
        try await Kafka.withCluster { cluster in
            let directory = try TemporaryDirectory()
            let servers = cluster.bootstrapServers
            cluster.setTopicError("twice.crm.deal", .unknownTopicOrPartition)
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "twice") { bridge in
                try await bridge.take(Self.numbered(1...20))
            }
            try await RunningBridge.with(servers: servers, directory: directory, prefix: "twice") { bridge in
                // From the disk, not from memory.
                try await wait(for: "all to be read and held") {
                    bridge.metric("records_recovered_total") == 20
                        && bridge.logs.contains("a topic refuses its records")
                }
                try damage(["\"N\":\"7\""], in: directory.path + "/journal")
                cluster.setTopicError("twice.crm.deal", .noError)
                try await bridge.waitForDelivery(of: 19, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered) == Array(1...6) + Array(8...20))
                let journal = bridge.bridge.journal
                try await wait(for: "the checkpoint to pass it") {
                    journal.statistics.confirmedBelow == journal.statistics.next
                }
                #expect(bridge.metric("records_unreadable_total") == 1)
                #expect(bridge.logs.contains("error", "can no longer be read"))
                try await bridge.expectSums()
            }
        }
    }

    @Test func `when the parked quota is used up, a refusing topic costs its own events and nobody else's`()
        async throws
    {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("quota.crm.deal", .unknownTopicOrPartition)
            try cluster.setBroker(up: false)
            let adjust: (inout BridgeSettings) -> Void = {
                // So long that all are taken before.
                $0.kafka.parkAfter = .seconds(3)
                $0.kafka.maxRecordBytes = 10_000
                $0.journal.maxBytes = 512 << 10
                $0.journal.parkedMaxBytes = 96 << 10
            }
            let servers = cluster.bootstrapServers
            try await RunningBridge.with(servers: servers, prefix: "quota", adjust: adjust) { bridge in
                let journal = bridge.bridge.journal
                // More than the quota, taken before the topic is known to refuse: they move over all the same.
                try await bridge.take(Self.numbered(1...60, pad: 2000))
                try cluster.setBroker(up: true)
                try await wait(for: "the quota to be used up; \(bridge.logs.lines.suffix(3))") {
                    bridge.logs.contains("error", "the quota of parked records is used up", "topics=quota.crm.deal")
                }
                try await wait(for: "the checkpoint to pass them") {
                    journal.statistics.confirmedBelow == journal.statistics.next
                }
                #expect(try await bridge.post(Self.numbered(61...61, pad: 2000)[0]).status == 503)
                let large = event("ONCRMLEADADD", id: "7", more: "&data[N]=" + String(repeating: "x", count: 20_000))
                #expect(try await bridge.post(large).status == 503, "it would be parked as well")
                #expect(bridge.metric("events_lost_total", [("reason", "parked-full")]) == 2)
                #expect(
                    bridge.logs.contains("error", "an event is lost", "reason=parked-full", "event=ONCRMDEALUPDATE")
                )

                // Several times the journal's size of others' events.
                for round in 0..<10 {
                    try await bridge.take(Self.numbered(round * 40 + 1...(round + 1) * 40, "ONCRMLEADADD", pad: 2000))
                    try await bridge.waitForDelivery(of: (round + 1) * 40, to: "crm.lead")
                    #expect(journal.statistics.heldBytes < 300 << 10)
                }
                try await bridge.expectSums()

                cluster.setTopicError("quota.crm.deal", .noError)
                try await bridge.waitForDelivery(of: 60, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...60))
                try await wait(for: "events to be taken again") {
                    bridge.logs.contains("notice", "events of all topics are taken")
                }
                try await bridge.take(Self.numbered(61...70))
                try await bridge.waitForDelivery(of: 70, to: "crm.deal")
                try await bridge.expectSums()
            }
        }
    }

    @Test func `while Kafka is away a parked topic's events wait in the journal and not in the smaller quota`()
        async throws
    {
        try await Kafka.withCluster { cluster in
            cluster.setTopicError("away.crm.deal", .unknownTopicOrPartition)
            let adjust: (inout BridgeSettings) -> Void = {
                $0.kafka.parkAfter = .milliseconds(200)
                $0.journal.parkedMaxBytes = 96 << 10
            }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "away", adjust: adjust) { bridge in
                try await bridge.take(Self.numbered(1...5))
                try await wait(for: "the topic to be parked") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("records_parked") == 5
                }
                try await blocking { try cluster.setBroker(up: false) }
                try await wait(for: "the outage to be known") { try await bridge.status().kafka.unreachable != nil }
                // Twice the quota.
                try await bridge.take(Self.numbered(6...105, pad: 2000))
                try await wait(for: "all to be read") { try await bridge.status().kafka.waitingRecords == 100 }
                #expect(bridge.metric("records_moved_to_parked_total") == 5)
                #expect(!bridge.logs.contains("the quota of parked records is used up"))
                try await bridge.expectSums()
                cluster.setTopicError("away.crm.deal", .noError)
                try await blocking { try cluster.setBroker(up: true) }
                try await bridge.waitForDelivery(of: 105, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...105))
                #expect(bridge.metric("events_lost_total", [("reason", "parked-full")]) == 0)
                try await bridge.expectSums()
            }
        }
    }
}
