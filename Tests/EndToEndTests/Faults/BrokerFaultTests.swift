import Foundation
import KafkaClient
import Testing

/// Three brokers, and always something wrong with one of them.
@Suite struct BrokerFaultTests {
    private static let codes = ["ONCRMDEALUPDATE", "ONCRMLEADADD", "ONCRMCONTACTUPDATE"]
    private static let entities = ["crm.deal", "crm.lead", "crm.contact"]
    private static let partitions = 4

    /// Runs a bridge and the oracle's load against three brokers while `trouble` goes on, then heals and judges.
    private func campaign(
        _ scenario: String,
        seconds: Int,
        _ trouble: (_ cluster: MockCluster, _ topics: [String], _ round: Int) throws -> Void,
        heal: (_ cluster: MockCluster, _ topics: [String]) throws -> Void
    ) async throws {
        let cluster = try MockCluster(brokers: 3)
        defer { cluster.close() }
        var setup = try Setup(servers: cluster.bootstrapServers)
        // A broker refuses what follows a batch that failed; this cluster checks no sequence numbers and takes it, and
        // librdkafka then takes the failed batch for written. So there is one request at a time here.
        // Taking a broker off here can leave a connection open and unanswered; librdkafka gives it up after this time.
        setup.settings["kafka"] = ["properties": ["max.in.flight": "1", "socket.timeout.ms": "5000"]]
        let topics = Self.entities.map { setup.prefix + $0 }
        for topic in topics { try cluster.createTopic(topic, partitions: Self.partitions, replicationFactor: 3) }
        let bridge = try setup.start()
        let port = try await bridge.port()
        let oracle = try Oracle.start(
            setup,
            port: port,
            ["--rate", "400", "--connections", "16", "--hold", "--events", Self.codes.joined(separator: ",")]
        )
        try await eventually("events to arrive") { try await bridge.metric("records_delivered_total") > 100 }
        let end = ContinuousClock.now + .seconds(seconds)
        var rounds = 0
        while ContinuousClock.now < end {
            try trouble(cluster, topics, rounds)
            rounds += 1
            try await Task.sleep(for: .milliseconds(.random(in: 100...400)))
        }
        try heal(cluster, topics)
        oracle.stopSending()
        let report = try await oracle.verdict(scenario)
        #expect(report.refused == 0 && report.unanswered == 0)
        #expect(report.acknowledged > seconds * 100)
        #expect(try await bridge.metric("producer_rebuilds_total") == 0)
        try await bridge.stop()
        Campaign.report(scenario, "\(rounds) times in \(seconds) s; \(report.figures)")
    }

    @Test func `one of three brokers is away and comes back`() async throws {
        try await campaign("one of three brokers away", seconds: Campaign.pick(short: 4, full: 40)) {
            cluster,
            _,
            round in
            let broker = Int32(round / 2 % 3 + 1)
            try cluster.setBroker(broker, up: round % 2 == 1)
        } heal: { cluster, _ in
            try cluster.setBroker(up: true)
        }
    }

    @Test func `leaders move all the time`() async throws {
        try await campaign("leaders moving", seconds: Campaign.pick(short: 4, full: 40)) { cluster, topics, round in
            for topic in topics {
                let partition = Int32.random(in: 0..<Int32(Self.partitions))
                // Now and then nobody leads.
                let leader = round % 4 == 3 ? nil : Int32.random(in: 1...3)
                try cluster.setPartitionLeader(topic: topic, partition: partition, broker: leader)
            }
        } heal: { cluster, topics in
            for topic in topics {
                for partition in 0..<Int32(Self.partitions) {
                    try cluster.setPartitionLeader(topic: topic, partition: partition, broker: 1 + partition % 3)
                }
            }
        }
    }

    @Test func `brokers answer slowly`() async throws {
        try await campaign("slow brokers", seconds: Campaign.pick(short: 4, full: 30)) { cluster, _, round in
            let broker = Int32(round % 3 + 1)
            try cluster.setRoundTrip(.milliseconds(.random(in: 0...800)), broker: broker)
        } heal: { cluster, _ in
            try cluster.setRoundTrip(.zero)
        }
    }

    @Test func `produce requests fail in every passing way`() async throws {
        let passing: [KafkaErrorCode] = [
            .leaderNotAvailable, .notLeaderForPartition, .requestTimedOut, .brokerNotAvailable, .replicaNotAvailable,
            .notEnoughReplicas, .notEnoughReplicasAfterAppend, .unknownTopicOrPartition, .storageError, .transport,
        ]
        try await campaign("produce errors that pass", seconds: Campaign.pick(short: 4, full: 30)) { cluster, _, _ in
            cluster.pushRequestErrors(.produce, (0..<3).compactMap { _ in passing.randomElement() })
        } heal: { cluster, _ in
            cluster.clearRequestErrors(.produce)
        }
    }

    /// Each such error ends the producer.
    @Test func `the producer fails for good again and again`() async throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        var setup = try Setup(servers: cluster.bootstrapServers)
        setup.settings["kafka"] = ["properties": ["max.in.flight": "1"]]
        let bridge = try setup.start()
        let port = try await bridge.port()
        let oracle = try Oracle.start(
            setup,
            port: port,
            ["--rate", "300", "--connections", "16", "--hold", "--events", Self.codes.joined(separator: ",")]
        )
        try await eventually("events to arrive") { try await bridge.metric("records_delivered_total") > 100 }
        let failures = Campaign.pick(short: 3, full: 20)
        for failure in 1...failures {
            cluster.pushRequestErrors(.produce, [.outOfOrderSequenceNumber])
            try await eventually("producer \(failure) to be made anew") {
                try await bridge.metric("producer_rebuilds_total") >= Double(failure)
            }
        }
        oracle.stopSending()
        let report = try await oracle.verdict("fatal producer errors")
        #expect(report.refused == 0 && report.unanswered == 0)
        try await bridge.stop()
        Campaign.report("fatal producer errors", "\(failures) producers; \(report.figures)")
    }
}
