import Bitrix24
import Foundation
import Testing

@testable import Bridge

@Suite struct StoredRecordTests {
    private static func payload(mode: EnvelopeMode = .structured, flags: StoredRecord.Flags = []) throws
        -> (record: EventRecord, payload: [UInt8], stamp: Int?)
    {
        var form = BracketForm()
        try Array(event(id: "7").utf8).withUnsafeBytes { try form.decode($0) }
        guard case .event(let event) = InboundCall(form) else { throw WaitingEnded() }
        var normalizer = Normalizer(
            topic: try TopicTemplate(TopicTemplate.defaultText),
            key: try KeyTemplate(KeyTemplate.defaultText),
            mode: mode,
            replica: "r"
        )
        var ids = EnvelopeIDGenerator()
        var record = EventRecord()
        let now = WallClock.now()
        try normalizer.normalize(
            event,
            of: form,
            domain: nil,
            receipt: Receipt(id: ids.next(at: now), receivedAt: now, origin: .online),
            into: &record
        )
        var payload: [UInt8] = [9, 9, 9]
        let stamp = StoredRecord.encode(record, flags: flags, into: &payload)
        return (record, payload, stamp)
    }

    @Test(arguments: [EnvelopeMode.structured, .binary])
    func `what is encoded is read back`(mode: EnvelopeMode) throws {
        let (record, payload, stamp) = try Self.payload(mode: mode, flags: .oversized)
        let place = try #require(stamp)
        #expect(payload[place..<place + 20].allSatisfy { $0 == UInt8(ascii: "0") }, "the digits are stamped here")
        try payload.withUnsafeBytes { bytes in
            let stored = try #require(StoredRecord(bytes))
            #expect(stored.flags == .oversized && stored.isSingle)
            #expect(Array(stored.topic) == record.topic)
            #expect(Array(stored.key) == record.key)
            #expect(Array(stored.value) == record.value.bytes)
            #expect(stored.recordBytes == record.key.count + record.headers.bytes.count + record.value.bytes.count)
            var expected: [[UInt8]] = []
            record.headers.forEach { expected += [Array($0), Array($1)] }
            var found: [[UInt8]] = []
            stored.forEachHeader { found += [Array($0), Array($1)] }
            #expect(found == expected && stored.headerCount * 2 == expected.count)
        }
    }

    @Test func `no prefix, no extension and no other version is a record`() throws {
        let payload = try Self.payload().payload
        for count in 0..<payload.count {
            payload[..<count].withUnsafeBytes { #expect(StoredRecord($0) == nil) }
        }
        (payload + [0]).withUnsafeBytes { #expect(StoredRecord($0) == nil) }
        ([2] + payload.dropFirst()).withUnsafeBytes { #expect(StoredRecord($0) == nil) }
    }

    @Test func `damaged lengths are refused or read within bounds`() throws {
        let payload = try Self.payload().payload
        var random = SystemRandomNumberGenerator()
        var read = 0
        for _ in 0..<4000 {
            var damaged = payload
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                // The lengths in front, and those of the headers.
                damaged[Int.random(in: 1..<100, using: &random)] = .random(in: 0...255, using: &random)
            }
            damaged.withUnsafeBytes { bytes in
                guard let stored = StoredRecord(bytes) else { return }
                read += 1
                var sum = stored.topic.count + stored.key.count + stored.value.count
                stored.forEachHeader { sum += $0.count + $1.count + Int($0.first ?? 0) * 0 }
                if sum > bytes.count { Issue.record("\(sum) bytes of \(bytes.count)") }
            }
        }
        #expect(read > 0)
        for _ in 0..<1000 {
            let noise = [1] + (0..<Int.random(in: 0...80, using: &random)).map { _ in UInt8.random(in: 0...255) }
            noise.withUnsafeBytes { bytes in
                guard let stored = StoredRecord(bytes), stored.topic.count > bytes.count else { return }
                Issue.record("\(stored.topic.count) bytes of \(bytes.count)")
            }
        }
    }
}
