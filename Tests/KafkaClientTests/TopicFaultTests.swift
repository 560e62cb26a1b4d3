import Testing

@testable import KafkaClient

/// Holds what the classification table says of topics that cannot be written to.
@Suite struct TopicFaultTests {
    @Test func `records for a missing topic come back after the propagation time while others flow`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        cluster.setTopicError("missing", .unknownTopicOrPartition)
        let sender = try Sender(cluster, ["topic.metadata.propagation.max.ms": "1500"])
        let began = ContinuousClock.now
        for opaque in 0..<3 as Range<UInt> { #expect(sender.send("missing", key: "k", opaque: opaque) == .queued) }
        #expect(sender.send("good", key: "k", opaque: 10) == .queued)
        sender.wait(for: "the good topic's report") { $0.report(of: 10) != nil }
        #expect(sender.report(of: 10)?.code == .noError)
        #expect(sender.reports.count == 1)

        sender.wait(for: "the missing topic's reports") { $0.reports.count == 4 }
        #expect(ContinuousClock.now - began > .milliseconds(1400))
        for opaque in 0..<3 as Range<UInt> {
            let report = try #require(sender.report(of: opaque))
            #expect(report.code == .unknownTopicOrPartition)
            #expect(report.disposition == .topic)
            #expect(report.persistence == .no)
        }
        // From now on it is refused at once, with librdkafka's own code and no report.
        guard case .rejected(let refusal) = sender.send("missing", key: "k", headers: [("h", [1])], opaque: 20) else {
            Issue.record("a topic known to be missing must be refused at once")
            return
        }
        #expect(refusal.code == .unknownTopicLocally)
        #expect(refusal.disposition == .topic)
        #expect(!refusal.isFatal && !refusal.isRetriable)
        #expect(sender.producer.fatalError == nil)

        // The topic appears: it is noticed without anybody asking.
        cluster.setTopicError("missing", .noError)
        sender.wait(for: "the topic to be accepted again") { $0.send("missing", key: "k", opaque: 21) == .queued }
        sender.wait(for: "its delivery") { $0.report(of: 21)?.code == .noError }
        sender.send("good", key: "k", opaque: 22)
        sender.wait(for: "the good topic's delivery") { $0.report(of: 22)?.code == .noError }
    }

    @Test func `records for a topic without rights come back at once while others flow`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        // Brokers tell no partitions of such a topic; the mock only does so if there are none.
        try cluster.createTopic("closed", partitions: 0)
        cluster.setTopicError("closed", .topicAuthorizationFailed)
        let sender = try Sender(cluster)
        let began = ContinuousClock.now
        #expect(sender.send("closed", key: "k", headers: [("h", [1])], opaque: 0) == .queued)
        sender.send("good", key: "k", opaque: 10)
        sender.wait(for: "both reports") { $0.reports.count == 2 }
        #expect(ContinuousClock.now - began < .seconds(5), "far sooner than the propagation time of 10 s")
        #expect(sender.report(of: 10)?.code == .noError)
        #expect(sender.report(of: 0)?.code == .topicAuthorizationFailed)
        #expect(sender.report(of: 0)?.disposition == .topic)

        guard case .rejected(let refusal) = sender.send("closed", key: "k", headers: [("h", [1])], opaque: 1) else {
            Issue.record("a topic known to be closed must be refused at once")
            return
        }
        #expect(refusal.code == .topicAuthorizationFailed)
        #expect(refusal.disposition == .topic)
        #expect(sender.producer.fatalError == nil)
    }

    @Test func `a topic that goes away gives its records back without the propagation time`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        let sender = try Sender(cluster)
        sender.send("t", key: "k", opaque: 0)
        sender.wait(for: "the first report") { $0.report(of: 0)?.code == .noError }
        cluster.setTopicError("t", .unknownTopicOrPartition)
        cluster.pushRequestErrors(.produce, Array(repeating: .unknownTopicOrPartition, count: 1000))
        let began = ContinuousClock.now
        for opaque in 1...5 as ClosedRange<UInt> { sender.send("t", key: "k", opaque: opaque) }
        sender.send("u", key: "k", opaque: 6)
        sender.wait(for: "the reports") { $0.reports.filter { $0.topic == "t" }.count == 6 }
        #expect(ContinuousClock.now - began < .seconds(5))
        for report in sender.reports where (1...5).contains(report.opaque) {
            #expect(report.code == .unknownPartitionLocally)
            #expect(report.disposition == .topic)
        }
        cluster.clearRequestErrors(.produce)
        cluster.setTopicError("t", .noError)
        sender.wait(for: "the other topic's report") { $0.report(of: 6)?.code == .noError }
        sender.wait(for: "the topic to be accepted again") { $0.send("t", key: "k", opaque: 7) == .queued }
        sender.wait(for: "its delivery") { $0.report(of: 7)?.code == .noError }
        #expect(sender.producer.fatalError == nil)
    }

    @Test func `a missing topic in a produce response is retried, not reported`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        cluster.pushRequestErrors(.produce, [.unknownTopicOrPartition, .unknownTopicOrPartition])
        let sender = try Sender(cluster)
        sender.send("t", key: "k", opaque: 0)
        sender.wait(for: "the report") { $0.reports.count == 1 }
        #expect(sender.report(of: 0)?.code == .noError)
    }

    @Test func `losing the rights while producing fails those records only`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        let sender = try Sender(cluster)
        sender.send("t", key: "k", opaque: 0)
        sender.wait(for: "the first report") { $0.report(of: 0)?.code == .noError }
        cluster.pushRequestErrors(.produce, [.topicAuthorizationFailed])
        sender.send("t", key: "k", opaque: 1)
        sender.wait(for: "the second report") { $0.report(of: 1) != nil }
        #expect(sender.report(of: 1)?.code == .topicAuthorizationFailed)
        #expect(sender.producer.fatalError == nil)
        sender.wait(for: "the topic to be accepted again") { $0.send("t", key: "k", opaque: 2) == .queued }
        sender.wait(for: "its delivery") { $0.report(of: 2)?.code == .noError }
    }

    @Test(arguments: ["", ".", "..", "a b", "ä", "a\0b", String(repeating: "x", count: 250)])
    func `an illegal name is refused without asking anybody`(name: String) throws {
        let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1"))
        guard case .rejected(let refusal) = sender.send(name, opaque: 0) else {
            Issue.record("\(name.debugDescription) must be refused")
            return
        }
        #expect(refusal.code == .invalidTopic)
        #expect(refusal.disposition == .topic)
    }
}
