import Testing

@testable import KafkaClient

@Suite struct PartitionTests {
    /// `Utils.murmur2` of the Java client for these keys, from Kafka's own `UtilsTest.java`.
    static let golden: [(String, Int32)] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ]

    private func partition(_ key: String, of count: Int32) -> Int32 {
        var key = key
        return key.withUTF8 { Librdkafka.partition(forKey: UnsafeRawBufferPointer($0), of: count) }
    }

    @Test(arguments: golden)
    func `a key hashes as in the Java client`(key: String, hash: Int32) {
        let positive = hash & 0x7fff_ffff
        #expect(partition(key, of: .max) == positive % .max)
        for count in [1, 2, 3, 7, 12, 1000] as [Int32] { #expect(partition(key, of: count) == positive % count) }
    }

    @Test func `keyed records land where the Java client would put them`() throws {
        let target = try Target(partitions: 7)
        let sender = try Sender(ProducerConfiguration(bootstrapServers: target.servers))
        let keys = PartitionTests.golden.map(\.0) + (0..<50).map { "a223c6b3/crm.deal/\($0)" }
        for (index, key) in keys.enumerated() { sender.send(target.topic, key: key, opaque: UInt(index)) }
        sender.wait(for: "all reports") { $0.reports.count == keys.count }
        let records = try read(keys.count, from: [target.topic], at: target.servers)
        #expect(records.count == keys.count)
        for record in records {
            let key = String(decoding: record.key ?? [], as: UTF8.self)
            #expect(record.partition == partition(key, of: 7), "\(key)")
        }
        for (key, hash) in PartitionTests.golden {
            let record = try #require(records.first { $0.key == Array(key.utf8) })
            #expect(record.partition == (hash & 0x7fff_ffff) % 7, "\(key)")
        }
    }
}
