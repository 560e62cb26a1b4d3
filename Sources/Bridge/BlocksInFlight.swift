internal import Journal
internal import KafkaClient

/// Blocks of the journal from whose memory librdkafka sends, each kept until the last of its records is reported.
struct BlocksInFlight<Owner> {
    private var entries: [UInt32: (block: RecordBlock, owner: Owner, records: Int)] = [:]
    /// Memory that the blocks keep. One record in flight keeps its whole block; shared memory counts more than once.
    private(set) var pinnedBytes = 0
    private var lastID: UInt32 = 0

    /// Never 0, so that no opaque is a null pointer.
    mutating func nextID() -> UInt32 {
        lastID = lastID == UInt32(Int32.max) ? 1 : lastID + 1
        return lastID
    }

    /// What a record's report brings back.
    static func opaque(_ id: UInt32, _ index: Int) -> UInt { UInt(id) << 32 | UInt(index) }

    private static func id(_ opaque: UInt) -> UInt32 { UInt32(truncatingIfNeeded: opaque >> 32) }

    /// One more record of the block is in flight.
    mutating func pin(_ id: UInt32, _ block: RecordBlock, _ owner: Owner) {
        if entries[id] == nil { pinnedBytes += block.memoryBytes }
        entries[id, default: (block, owner, 0)].records += 1
    }

    /// The record that was sent with this opaque, and to whom it belongs.
    func sent(_ opaque: UInt) -> (block: RecordBlock, index: Int, owner: Owner)? {
        guard let entry = entries[Self.id(opaque)] else { return nil }
        return (entry.block, Int(opaque & 0xFFFF_FFFF), entry.owner)
    }

    /// One less. A block that is still being sent comes back with its next record.
    mutating func unpin(_ opaque: UInt) {
        let id = Self.id(opaque)
        guard let entry = entries[id] else { return }
        if entry.records > 1 {
            entries[id]?.records -= 1
        } else {
            entries[id] = nil
            pinnedBytes -= entry.block.memoryBytes
        }
    }

    /// The producer has given up everything.
    mutating func unpinAll() {
        entries.removeAll()
        pinnedBytes = 0
    }
}

extension KafkaProducer {
    /// Sends a record from the memory it lies in, which must live until its report.
    ///
    /// - Parameter headers: memory that is used again for each record.
    func send(_ stored: StoredRecord, headers: inout [RecordHeader], opaque: UInt) -> SendOutcome {
        headers.removeAll(keepingCapacity: true)
        stored.forEachHeader { headers.append(RecordHeader(name: $0, value: $1)) }
        return headers.withUnsafeBufferPointer { headers in
            send(
                to: topic(named: stored.topic),
                key: stored.key,
                value: stored.value,
                headers: headers,
                opaque: opaque
            )
        }
    }
}
