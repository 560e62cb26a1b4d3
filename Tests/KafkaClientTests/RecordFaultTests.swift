import Testing

@testable import KafkaClient

/// Holds what the classification table says of records that a broker refuses.
@Suite struct RecordFaultTests {
    @Test(arguments: [KafkaErrorCode.messageSizeTooLarge, .invalidRecord])
    func `a refused batch raises no fatal error and the others arrive in order`(code: KafkaErrorCode) throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        try cluster.createTopic("u")
        let sender = try Sender(cluster, ["linger.ms": "0", "batch.num.messages": "10"])
        // One record first, so that the batches below are full ones.
        sender.send("t", key: "k", opaque: 0)
        sender.send("u", key: "k", opaque: 1)
        sender.wait(for: "the first reports") { $0.reports.count == 2 }
        try cluster.setRoundTrip(.milliseconds(50))
        cluster.pushRequestErrors(.produce, [.noError, code])
        for opaque in 100..<200 as Range<UInt> {
            sender.send("t", key: "k", value: Array("\(opaque)".utf8), opaque: opaque)
        }
        sender.send("u", key: "k", opaque: 2)
        sender.wait(for: "all reports", within: .seconds(15)) { $0.reports.count == 103 }

        let refused = sender.reports.filter { $0.code != .noError }.map(\.opaque)
        #expect(!refused.isEmpty && refused.count <= 10, "one batch: \(refused)")
        #expect(sender.reports.filter { $0.code != .noError }.allSatisfy { $0.code == code && $0.persistence == .no })
        #expect(sender.producer.fatalError == nil)
        // The mock checks no sequence numbers, so this shows the order of sending, which is what librdkafka decides.
        let read = try read(100 + 1 - refused.filter { $0 >= 100 }.count, from: ["t"], at: cluster.bootstrapServers)
        let arrived = read.dropFirst().map { String(decoding: $0.value ?? [], as: UTF8.self) }
        let expected = (100..<200 as Range<UInt>).filter { !refused.contains($0) }.map { "\($0)" }
        #expect(Array(arrived) == expected)
    }

    @Test func `a record over the client's limit is refused at once`() throws {
        var configuration = ProducerConfiguration(bootstrapServers: "127.0.0.1:1")
        configuration.maxMessageBytes = 2000
        let sender = try Sender(configuration)
        #expect(
            sender.send("t", value: [UInt8](repeating: 1, count: 1000), headers: [("h", [1])], opaque: 0) == .queued
        )
        guard
            case .rejected(let refusal) = sender.send(
                "t",
                value: [UInt8](repeating: 1, count: 2000),
                headers: [("h", [1])],
                opaque: 1
            )
        else {
            Issue.record("a record over the limit must be refused")
            return
        }
        #expect(refusal.code == .messageSizeTooLarge)
        #expect(refusal.disposition == .record)
        sender.wait(for: "only the first to be queued") { $0.producer.queued == 1 }
    }

    @Test func `a passing error is retried without being seen`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        let sender = try Sender(cluster)
        sender.send("t", key: "k", opaque: 0)
        sender.wait(for: "the first report") { $0.reports.count == 1 }
        var next: UInt = 1
        for code in [
            KafkaErrorCode.notEnoughReplicas, .notLeaderForPartition, .requestTimedOut, .transport,
        ] {
            cluster.pushRequestErrors(.produce, [code, code])
            for opaque in next..<(next + 50) { sender.send("t", key: "k", opaque: opaque) }
            next += 50
            sender.wait(for: "all reports after \(code)") { $0.reports.count == Int(next) }
        }
        #expect(sender.reports.allSatisfy { $0.code == .noError })
        #expect(sender.reports.map(\.opaque) == Array(0..<next))
        #expect(sender.producer.fatalError == nil)
    }
}
