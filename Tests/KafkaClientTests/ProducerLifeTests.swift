import Foundation
import Synchronization
import Testing

@testable import KafkaClient

@Suite struct ProducerLifeTests {
    @Test func `a full queue says so and recovers`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        try cluster.setBroker(up: false)
        var configuration = ProducerConfiguration(bootstrapServers: cluster.bootstrapServers)
        configuration.maxQueuedMessages = 10
        let sender = try Sender(configuration)
        for opaque in 0..<10 as Range<UInt> {
            #expect(sender.send("t", headers: [("h", [1])], opaque: opaque) == .queued)
        }
        #expect(sender.send("t", headers: [("h", [1])], opaque: 10) == .queueFull)
        sender.wait(for: "nothing but the ten to be queued") { $0.producer.queued == 10 }
        try cluster.setBroker(up: true)
        sender.wait(for: "the ten reports") { $0.reports.count == 10 }
        #expect(sender.send("t", opaque: 10) == .queued)
        sender.wait(for: "the last report") { $0.report(of: 10)?.code == .noError }
    }

    @Test func `a queue full of bytes says so too`() throws {
        var configuration = ProducerConfiguration(bootstrapServers: "127.0.0.1:1")
        configuration.maxMessageBytes = 1000
        configuration.maxQueuedBytes = 1025
        let sender = try Sender(configuration)
        // 1025 bytes are rounded up to 2 KiB.
        #expect(sender.send("t", value: [UInt8](repeating: 0, count: 700), opaque: 0) == .queued)
        #expect(sender.send("t", value: [UInt8](repeating: 0, count: 700), opaque: 1) == .queued)
        #expect(sender.send("t", value: [UInt8](repeating: 0, count: 700), opaque: 2) == .queueFull)
        #expect(sender.send("t", value: [UInt8](repeating: 0, count: 600), opaque: 2) == .queued)
    }

    @Test func `an outage delays everything and loses, doubles and reorders nothing`() throws {
        let cluster = try MockCluster(brokers: 3)
        defer { cluster.close() }
        try cluster.createTopic("t", partitions: 3, replicationFactor: 3)
        let sender = try Sender(cluster, ["linger.ms": "0", "batch.num.messages": "20"])
        var next: UInt = 0
        func send(_ count: Int) {
            for _ in 0..<count {
                #expect(sender.send("t", key: "k\(next % 7)", value: Array("\(next)".utf8), opaque: next) == .queued)
                next += 1
            }
        }
        send(100)
        sender.wait(for: "some deliveries") { !$0.reports.isEmpty }
        try cluster.setBroker(up: false)
        send(200)
        sender.wait(for: "the outage to be noticed", within: .seconds(10)) { sender in
            sender.events.contains { if case .brokersUnreachable = $0 { true } else { false } }
        }
        let before = sender.reports.count
        #expect(before < 300)
        try cluster.setBroker(up: true)
        send(50)
        sender.wait(for: "all reports", within: .seconds(15)) { $0.reports.count == 350 }
        #expect(sender.reports.allSatisfy { $0.code == .noError })
        #expect(Set(sender.reports.map(\.opaque)) == Set(0..<350))
        #expect(sender.events.contains { if case .brokersReachable = $0 { true } else { false } })

        // The mock checks no sequence numbers: what was written before the answer was lost is there twice. What counts
        // here is that nothing is missing and that first appearances are in order for each key.
        let records = try read(350, from: ["t"], at: cluster.bootstrapServers)
        var seen: Set<UInt> = []
        var last: [[UInt8]: UInt] = [:]
        for record in records {
            let number = try #require(UInt(String(decoding: record.value ?? [], as: UTF8.self)))
            guard seen.insert(number).inserted else { continue }
            let key = try #require(record.key)
            if let previous = last[key] { #expect(previous < number) }
            last[key] = number
        }
        #expect(seen == Set(0..<350))
    }

    @Test func `after a fatal error queued records come back undelivered and a new producer works`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        try cluster.setBroker(up: false)
        let sender = try Sender(cluster)
        for opaque in 0..<20 as Range<UInt> { sender.send("t", key: "k", opaque: opaque) }
        sender.producer.simulateFatalError(code: .outOfOrderSequenceNumber, reason: "on purpose")
        sender.wait(for: "the fatal error and all reports") { $0.reports.count == 20 && $0.producer.fatalError != nil }
        let fatal = try #require(sender.producer.fatalError)
        #expect(fatal.isFatal)
        #expect(fatal.code == .outOfOrderSequenceNumber)
        #expect(fatal.message.contains("on purpose"))
        #expect(sender.events.contains { if case .fatal(fatal) = $0 { true } else { false } })
        #expect(sender.reports.allSatisfy { $0.disposition == .notDelivered && $0.persistence == .no })
        #expect(sender.reports.map(\.opaque) == Array(0..<20))
        guard case .rejected(let refusal) = sender.send("t", key: "k", headers: [("h", [1])], opaque: 99) else {
            Issue.record("a producer with a fatal error must refuse")
            return
        }
        #expect(refusal.isFatal && refusal.disposition == .fatal)
        #expect(sender.producer.queued == 0)

        try cluster.setBroker(up: true)
        let successor = try Sender(cluster)
        for opaque in 0..<20 as Range<UInt> { successor.send("t", key: "k", opaque: opaque) }
        successor.wait(for: "the new producer's reports") { $0.reports.count == 20 }
        #expect(successor.reports.allSatisfy { $0.code == .noError })
    }

    @Test func `a refused send tells of the fatal error before the next poll`() throws {
        let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1"))
        sender.producer.simulateFatalError(code: .fatal, reason: "on purpose")
        guard case .rejected(let refusal) = sender.send("t", opaque: 0) else {
            Issue.record("must be refused")
            return
        }
        #expect(refusal.isFatal)
        #expect(sender.producer.fatalError?.isFatal == true)
    }

    @Test func `purged records come back as not delivered`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        let sender = try Sender(cluster, ["linger.ms": "0"])
        sender.send("t", key: "k", opaque: 0)
        sender.wait(for: "the first report") { $0.reports.count == 1 }
        try cluster.setRoundTrip(.seconds(5))
        // Values this large are sent from the caller's memory (message.copy.max.bytes).
        for opaque in 1...20 as ClosedRange<UInt> {
            sender.send("t", key: "k", value: [UInt8](repeating: 7, count: 200_000), opaque: opaque)
        }
        _ = sender.poll(.milliseconds(200))
        sender.producer.purge()
        sender.wait(for: "all reports", within: .seconds(3)) { $0.reports.count == 21 }
        #expect(sender.reports.dropFirst().allSatisfy { $0.disposition == .notDelivered })
        #expect(sender.reports.dropFirst().contains { $0.code == .purgedInFlight })
        #expect(sender.producer.queued == 0)
    }

    @Test func `closing with records queued does not block`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.createTopic("t")
        let sender = try Sender(cluster, ["linger.ms": "0"])
        sender.send("t", opaque: 0)
        sender.wait(for: "the first report") { $0.reports.count == 1 }
        try cluster.setRoundTrip(.seconds(20))
        for opaque in 1...1000 as ClosedRange<UInt> { sender.send("t", headers: [("h", [1])], opaque: opaque) }
        _ = sender.poll(.milliseconds(100))
        let began = ContinuousClock.now
        sender.producer.close()
        #expect(ContinuousClock.now - began < .seconds(3))
        sender.producer.close()
        #expect(sender.producer.queued == 0)
        sender.producer.wakeHandle.wake()
        withExtendedLifetime(sender) {}
    }

    @Test func `closing with nobody to reach does not block`() throws {
        let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1"))
        for opaque in 0..<100 as Range<UInt> { sender.send("t", opaque: opaque) }
        _ = sender.poll(.milliseconds(300))
        let began = ContinuousClock.now
        sender.producer.close()
        #expect(ContinuousClock.now - began < .seconds(3))
    }

    @Test func `log lines reach the observer without secrets`() throws {
        let sender = try Sender(
            ProducerConfiguration(
                bootstrapServers: "127.0.0.1:1",
                properties: [
                    "debug": "all", "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN",
                    "sasl.username": "canary-user", "sasl.password": "canary-4711-xyzzy",
                ]
            )
        )
        sender.wait(for: "connection trouble") { sender in
            sender.events.contains { if case .brokersUnreachable = $0 { true } else { false } }
        }
        let lines = sender.events.compactMap { event -> String? in
            if case .log(_, let facility, let message) = event { "\(facility) \(message)" } else { nil }
        }
        #expect(lines.contains { $0.contains("sasl.password") }, "debug=all prints the configuration")
        #expect(!"\(sender.events)".contains("canary"))
    }

    @Test func `topics that nobody holds are forgotten, held ones stay usable`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        let sender = try Sender(cluster)
        let held = sender.topic("held")
        var table = TopicTable(limit: 20)
        func insert(_ name: String) -> KafkaTopic {
            let bytes = Array(name.utf8)
            let hash = bytes.withUnsafeBytes { TopicTable.hash($0) }
            let topic = KafkaTopic(nameBytes: bytes, hash: hash, handle: nil, fault: nil, producer: sender.producer)
            table.insert(topic)
            return topic
        }
        func find(_ name: String) -> KafkaTopic? {
            Array(name.utf8).withUnsafeBytes { table.find($0, hash: TopicTable.hash($0)) }
        }
        let kept = insert("kept")
        for number in 0..<19 { _ = insert("t\(number)") }
        #expect(table.count == 20)
        #expect((0..<19).allSatisfy { find("t\($0)")?.name == "t\($0)" })
        _ = insert("one-more")
        #expect(table.count == 2)
        #expect(find("kept") === kept)
        #expect(find("t3") == nil)
        #expect(find("one-more") != nil)

        // The producer's own table: more topics than it keeps, the first still held.
        for number in 0..<1100 { _ = sender.topic("many-\(number)") }
        #expect(sender.topic("held") === held)
        sender.send("held", opaque: 1)
        sender.wait(for: "the report", within: .seconds(20)) { $0.report(of: 1)?.code == .noError }
    }
}
