import Foundation
import Testing

@testable import KafkaClient

@Suite struct RoundTripTests {
    @Test func `a record arrives with its key, value, headers and place`() throws {
        let target = try Target(partitions: 3)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        let headers: [(name: String, value: [UInt8]?)] = [
            ("content-type", Array("application/json".utf8)), ("empty", []), ("null", nil), ("content-type", [0, 255]),
        ]
        #expect(sender.send(target.topic, key: "k", value: [1, 0, 2], headers: headers, opaque: .max) == .queued)
        sender.wait(for: "the report") { $0.reports.count == 1 }

        let report = try #require(sender.report(of: .max))
        #expect(report.code == .noError)
        #expect(report.disposition == .delivered)
        #expect(report.persistence == .yes)
        #expect(report.topic == target.topic)
        #expect(report.offset == 0)

        let record = try #require(try read(1, from: [target.topic], at: target.servers).first)
        #expect(record.topic == target.topic)
        #expect(record.partition == report.partition)
        #expect(record.offset == 0)
        #expect(record.key == Array("k".utf8))
        #expect(record.value == [1, 0, 2])
        #expect(record.headers.map(\.name) == ["content-type", "empty", "null", "content-type"])
        #expect(record.headers.map(\.value) == [Array("application/json".utf8), [], nil, [0, 255]])
        #expect(record.header("content-type") == [0, 255])
        let timestamp = try #require(record.timestampMilliseconds)
        #expect(abs(Double(timestamp) / 1000 - Date().timeIntervalSince1970) < 3600)
    }

    @Test func `a report shows the record it is about`() throws {
        let target = try Target(partitions: 1)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        sender.send(target.topic, key: "key", value: [7, 8], headers: [("h", [9])], opaque: 5)
        var seen = 0
        let deadline = ContinuousClock.now + .seconds(10)
        while seen == 0, ContinuousClock.now < deadline {
            _ = sender.producer.poll(upTo: .milliseconds(50), maxReports: 10) { report in
                seen += 1
                // Taken out first: #expect cannot hold a value that cannot be copied.
                let (opaque, error, isDelivered) = (report.opaque, report.error, report.isDelivered)
                let (isPurged, latency) = (report.isNotDeliveredByPurge, report.latencyMicroseconds)
                let (key, value) = (Array(report.key), Array(report.value))
                #expect(opaque == 5)
                #expect(error == nil)
                #expect(isDelivered && !isPurged)
                #expect(key == Array("key".utf8))
                #expect(value == [7, 8])
                #expect(latency > 0)
                var headers: [String: [UInt8]] = [:]
                report.forEachHeader { headers[String(decoding: $0.name, as: UTF8.self)] = Array($0.value) }
                #expect(headers == ["h": [9]])
            }
        }
        #expect(seen == 1)
    }

    @Test func `null and empty are kept apart`() throws {
        let target = try Target(partitions: 1)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        sender.send(target.topic, key: nil, value: nil, opaque: 0)
        sender.send(target.topic, key: "", value: [], opaque: 1)
        sender.wait(for: "two reports") { $0.reports.count == 2 }
        let records = try read(2, from: [target.topic], at: target.servers)
        try #require(records.count == 2)
        #expect(records.map(\.key) == [nil, []])
        #expect(records.map(\.value) == [nil, []])
    }

    @Test func `the value is not copied and may be large`() throws {
        let target = try Target(partitions: 1)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        let value = sender.payloads.make((0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let outcome = sender.producer.send(
            to: sender.topic(target.topic),
            key: none,
            value: value,
            headers: UnsafeBufferPointer(start: nil, count: 0),
            opaque: 1
        )
        #expect(outcome == .queued)
        var address: UnsafeRawPointer?
        let deadline = ContinuousClock.now + .seconds(10)
        while address == nil, ContinuousClock.now < deadline {
            _ = sender.producer.poll(upTo: .milliseconds(50), maxReports: 1) { address = $0.value.baseAddress }
        }
        #expect(address == value.baseAddress)
        let record = try #require(try read(1, from: [target.topic], at: target.servers).first)
        #expect(record.value == Array(value))
    }

    @Test func `reports beyond the limit wait for the next poll, which does not block`() throws {
        let target = try Target(partitions: 1)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        for opaque in 0..<100 as Range<UInt> { sender.send(target.topic, key: "k", opaque: opaque) }
        sender.wait(for: "all reports") { sender in
            // The first poll waits for the whole batch; each further one takes seven from it.
            _ = sender.poll(.seconds(5), maxReports: 7)
            return sender.reports.count >= 7
        }
        let began = ContinuousClock.now
        var polls = 0
        while sender.reports.count < 100, polls < 100 {
            #expect(sender.poll(.seconds(5), maxReports: 7) <= 7)
            polls += 1
        }
        #expect(sender.reports.map(\.opaque) == Array(0..<100))
        #expect(ContinuousClock.now - began < .seconds(4))
        sender.wait(for: "an empty queue") { $0.producer.queued == 0 }
    }

    @Test func `the offsets of a topic tell what it holds`() throws {
        let target = try Target(partitions: 2)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: target.servers, groupID: target.topic))
        defer { consumer.close() }
        #expect(try consumer.offsets(of: target.topic, timeout: .seconds(10)) == [0: 0..<0, 1: 0..<0])
        for opaque in 0..<20 as Range<UInt> { sender.send(target.topic, key: "k\(opaque)", opaque: opaque) }
        sender.wait(for: "all reports") { $0.reports.count == 20 }
        let counts = Dictionary(grouping: sender.reports, by: \.partition).mapValues { 0..<Int64($0.count) }
        #expect(try consumer.offsets(of: target.topic, timeout: .seconds(10)) == counts)
        #expect(counts.count == 2)
    }

    @Test func `reading starts over after a seek to the beginning`() throws {
        let target = try Target(partitions: 2)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        for opaque in 0..<20 as Range<UInt> { sender.send(target.topic, key: "k\(opaque)", opaque: opaque) }
        sender.wait(for: "all reports") { $0.reports.count == 20 }

        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: target.servers, groupID: target.topic))
        defer { consumer.close() }
        try consumer.subscribe(to: [target.topic])
        func readAll() throws -> Set<String> {
            var keys: Set<String> = []
            let deadline = ContinuousClock.now + .seconds(15)
            while !(consumer.isAtEnd && keys.count == 20), ContinuousClock.now < deadline {
                guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
                keys.insert(String(decoding: record.key ?? [], as: UTF8.self))
            }
            return keys
        }
        let first = try readAll()
        #expect(first.count == 20)
        try consumer.seekToBeginning()
        #expect(try readAll() == first)
    }
}
