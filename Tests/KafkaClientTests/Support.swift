import Foundation
import Synchronization
import Testing

@testable import KafkaClient

/// A report, copied out of the view that `poll` hands out.
struct Report: Equatable {
    let opaque: UInt
    let code: KafkaErrorCode
    let disposition: DeliveryDisposition
    let persistence: DeliveryReport.Persistence
    let topic: String
    let partition: Int32
    let offset: Int64

    init(_ report: borrowing DeliveryReport) {
        opaque = report.opaque
        code = report.code
        disposition = report.disposition
        persistence = report.persistence
        topic = report.topicName
        partition = report.partition
        offset = report.offset
    }
}

/// Values at fixed addresses, freed together. Must outlive the producer that refers to them.
final class Payloads {
    private var blocks: [UnsafeMutableRawBufferPointer] = []

    func make(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
        block.copyBytes(from: bytes)
        blocks.append(block)
        return UnsafeRawBufferPointer(rebasing: block[..<bytes.count])
    }

    deinit { for block in blocks { block.deallocate() } }
}

/// A producer with the memory of its records and everything that it reported.
final class Sender {
    let producer: KafkaProducer
    let payloads = Payloads()
    private(set) var reports: [Report] = []
    private(set) var events: [ProducerEvent] = []
    private let eventBox: EventBox

    private final class EventBox { var events: [ProducerEvent] = [] }

    init(_ configuration: ProducerConfiguration) throws {
        let box = EventBox()
        eventBox = box
        producer = try KafkaProducer(configuration) { box.events.append($0) }
    }

    convenience init(_ cluster: MockCluster, _ properties: [String: String] = [:]) throws {
        try self.init(
            ProducerConfiguration(bootstrapServers: cluster.bootstrapServers, clientID: "test", properties: properties)
        )
    }

    deinit { producer.close() }

    func topic(_ name: String) -> KafkaTopic {
        var name = name
        return name.withUTF8 { producer.topic(named: UnsafeRawBufferPointer($0)) }
    }

    @discardableResult
    func send(
        _ topicName: String,
        key: String? = nil,
        value: [UInt8]? = Array("value".utf8),
        headers: [(name: String, value: [UInt8]?)] = [],
        opaque: UInt
    ) -> SendOutcome {
        let scratch = Payloads()
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let list = headers.map {
            RecordHeader(name: scratch.make($0.name.utf8), value: $0.value.map { scratch.make($0) } ?? none)
        }
        let keyBytes = key.map { scratch.make($0.utf8) } ?? none
        let outcome = list.withUnsafeBufferPointer {
            producer.send(
                to: topic(topicName),
                key: keyBytes,
                value: value.map { payloads.make($0) } ?? none,
                headers: $0,
                opaque: opaque
            )
        }
        // Key and headers were copied, so that their memory may go now.
        withExtendedLifetime(scratch) {}
        return outcome
    }

    func poll(_ limit: Duration = .milliseconds(50), maxReports: Int = 1000) -> Int {
        var fresh: [Report] = []
        let count = producer.poll(upTo: limit, maxReports: maxReports) { fresh.append(Report($0)) }
        reports += fresh
        events += eventBox.events
        eventBox.events = []
        return count
    }

    /// Polls until the condition holds; fails with words when it does not in time.
    func wait(
        for what: String,
        within limit: Duration = .seconds(10),
        sourceLocation: SourceLocation = #_sourceLocation,
        until condition: (Sender) -> Bool
    ) {
        let deadline = ContinuousClock.now + limit
        while !condition(self) {
            guard ContinuousClock.now < deadline else {
                Issue.record(
                    "not within \(limit): \(what); reports: \(reports.suffix(5))",
                    sourceLocation: sourceLocation
                )
                return
            }
            _ = poll()
        }
    }

    func report(of opaque: UInt) -> Report? { reports.first { $0.opaque == opaque } }
}

/// Reads until `count` records have come; fails with words when they do not in time.
func read(
    _ count: Int,
    from topics: [String],
    at servers: String,
    within limit: Duration = .seconds(10),
    sourceLocation: SourceLocation = #_sourceLocation
) throws -> [ConsumedRecord] {
    let consumer = try KafkaConsumer(
        ConsumerConfiguration(bootstrapServers: servers, groupID: "g-\(UUID().uuidString)")
    )
    defer { consumer.close() }
    try consumer.assign(topics: topics, timeout: limit)
    let deadline = ContinuousClock.now + limit
    var records: [ConsumedRecord] = []
    while records.count < count || !consumer.isAtEnd {
        guard ContinuousClock.now < deadline else {
            Issue.record("\(records.count) of \(count) records within \(limit)", sourceLocation: sourceLocation)
            break
        }
        if let record = try consumer.poll(upTo: .milliseconds(100)) { records.append(record) }
    }
    return records
}

/// A topic of a name used by nobody else, on the in-process cluster or on the real one that the environment names.
struct Target {
    let servers: String
    let topic: String

    static let realServers = ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"]

    /// Shared by the tests that order no faults, and left to the end of the process: closing one takes a second.
    private static let shared = Result { try MockCluster() }

    init(partitions: Int) throws {
        topic = "kafka-client-test-\(UUID().uuidString.lowercased())"
        if let servers = Target.realServers {
            self.servers = servers
            try createTopic(
                topic,
                partitions: partitions,
                on: ProducerConfiguration(bootstrapServers: servers),
                timeout: .seconds(30)
            )
        } else {
            let cluster = try Target.shared.get()
            try cluster.createTopic(topic, partitions: partitions)
            servers = cluster.bootstrapServers
        }
    }
}
