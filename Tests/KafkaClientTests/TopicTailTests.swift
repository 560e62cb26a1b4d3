import Foundation
import Testing

@testable import KafkaClient

@Suite struct TopicTailTests {
    private static func tail(_ topics: Set<String>, at servers: String) throws -> TopicTail {
        try TopicTail(
            ConsumerConfiguration(bootstrapServers: servers, groupID: "tail-\(UUID().uuidString)"),
            topics: topics,
            timeout: .seconds(10)
        )
    }

    /// The values that come, until there are `count`, and what is there besides.
    private static func values(
        _ tail: TopicTail,
        _ count: Int,
        within limit: Duration = .seconds(20),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> [UInt8] {
        let deadline = ContinuousClock.now + limit
        var values: [UInt8] = []
        while values.count < count || !tail.isAtEnd {
            guard ContinuousClock.now < deadline else {
                Issue.record(
                    "\(values.count) of \(count), \(String(describing: tail.complaint))",
                    sourceLocation: sourceLocation
                )
                break
            }
            if let record = tail.poll(upTo: .milliseconds(50)) { values.append(record.value?.first ?? 0) }
        }
        return values
    }

    @Test func `what was there before is not read, all that comes is`() throws {
        let target = try Target(partitions: 3)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        for number in 0..<30 { sender.send(target.topic, key: "\(number)", value: [1], opaque: UInt(number)) }
        sender.wait(for: "the reports") { $0.reports.count == 30 }
        let tail = try Self.tail([target.topic], at: target.servers)
        defer { tail.close() }
        // At once, before the reader has asked for anything.
        for number in 0..<30 { sender.send(target.topic, key: "\(number)", value: [2], opaque: UInt(100 + number)) }
        sender.wait(for: "the reports") { $0.reports.count == 60 }
        #expect(Self.values(tail, 30) == Array(repeating: 2, count: 30))
        #expect(tail.skippedOffsets == 0)
    }

    @Test func `a topic that comes later is read from its beginning, beside one that was there`() throws {
        let target = try Target(partitions: 1)
        let late = "late-\(UUID().uuidString.lowercased())"
        let tail = try Self.tail([target.topic, late], at: target.servers)
        defer { tail.close() }
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        sender.send(target.topic, value: [1], opaque: 1)
        #expect(Self.values(tail, 1) == [1])
        // The broker creates it on first use.
        for number in 0..<20 { sender.send(late, key: "\(number)", value: [2], opaque: UInt(10 + number)) }
        sender.wait(for: "the reports") { $0.reports.count == 21 }
        sender.send(target.topic, value: [3], opaque: 2)
        sender.wait(for: "the reports") { $0.reports.count == 22 }
        #expect(Self.values(tail, 21).sorted() == Array(repeating: 2, count: 20) + [3])
        #expect(tail.skippedOffsets == 0)
    }

    @Test func `it goes on after an outage`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t", partitions: 2)
        let tail = try Self.tail(["t"], at: cluster.bootstrapServers)
        defer { tail.close() }
        let sender = try Sender(cluster)
        sender.send("t", key: "a", value: [1], opaque: 1)
        #expect(Self.values(tail, 1) == [1])
        try cluster.setBroker(up: false)
        let down = ContinuousClock.now + .milliseconds(300)
        while ContinuousClock.now < down { #expect(tail.poll(upTo: .milliseconds(50)) == nil) }
        try cluster.setBroker(up: true)
        sender.send("t", key: "a", value: [2], opaque: 2)
        sender.wait(for: "the report") { $0.reports.count == 2 }
        #expect(Self.values(tail, 1) == [2])
    }

    @Test func `it follows a partition to its new leader`() throws {
        let cluster = try MockCluster(brokers: 2)
        defer { cluster.close() }
        try cluster.createTopic("t", partitions: 1, replicationFactor: 2)
        try cluster.setPartitionLeader(topic: "t", partition: 0, broker: 1)
        let tail = try Self.tail(["t"], at: cluster.bootstrapServers)
        defer { tail.close() }
        let sender = try Sender(cluster)
        var values: [UInt8] = []
        for (number, leader) in [1, 2, nil, 1].enumerated() as EnumeratedSequence<[Int32?]> {
            try cluster.setPartitionLeader(topic: "t", partition: 0, broker: leader)
            guard leader != nil else { continue }
            sender.send("t", value: [UInt8(number)], opaque: UInt(number))
            sender.wait(for: "the report") { $0.report(of: UInt(number)) != nil }
            values += Self.values(tail, 1)
        }
        #expect(values == [0, 1, 3])
        #expect(tail.skippedOffsets == 0)
    }

    @Test func `what the cluster deleted before it was read is counted`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t", partitions: 1)
        let tail = try Self.tail(["t"], at: cluster.bootstrapServers)
        defer { tail.close() }
        let sender = try Sender(cluster)
        // The in-process cluster keeps 5 MiB of a partition.
        let block = [UInt8](repeating: 7, count: 500_000)
        for number in 0..<30 { sender.send("t", value: block, opaque: UInt(number)) }
        sender.wait(for: "the reports") { $0.reports.count == 30 }
        let found = Self.values(tail, 1)
        #expect(found.count < 30)
        #expect(found.count + Int(tail.skippedOffsets) == 30)
    }

    @Test func `without a cluster it says why`() {
        #expect(throws: KafkaError.self) {
            _ = try TopicTail(
                ConsumerConfiguration(bootstrapServers: "127.0.0.1:1", groupID: "g"),
                topics: ["t"],
                timeout: .milliseconds(300)
            )
        }
        let error = #expect(throws: KafkaError.self) {
            _ = try TopicTail(
                ConsumerConfiguration(
                    bootstrapServers: "127.0.0.1:1",
                    groupID: "g",
                    properties: ["no.such.thing": "1"]
                ),
                topics: ["t"],
                timeout: .milliseconds(300)
            )
        }
        #expect(error?.code == .invalidArgument)
    }
}
