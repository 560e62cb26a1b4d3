/// Topics by the bytes of their names: open addressing, so that a hit needs neither a String nor an allocation.
///
/// Holds at most `limit` topics that nobody else holds. A full table drops all those; topics that somebody holds stay,
/// so every live handle is in the table when the producer closes.
struct TopicTable {
    private var slots: [KafkaTopic?]
    private(set) var count = 0
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
        slots = Array(repeating: nil, count: 16)
    }

    /// FNV-1a, 64 bits.
    static func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        name.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    func find(_ name: UnsafeRawBufferPointer, hash: UInt64) -> KafkaTopic? {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while let topic = slots[index] {
            if topic.hash == hash, topic.nameBytes.count == name.count, topic.nameBytes.elementsEqual(name) {
                return topic
            }
            index = (index + 1) & mask
        }
        return nil
    }

    mutating func insert(_ topic: KafkaTopic) {
        if count >= limit { dropUnheld() }
        if (count + 1) * 2 > slots.count { rebuild(capacity: slots.count * 2) }
        place(topic)
        count += 1
    }

    mutating func removeAll() {
        for topic in slots { topic?.invalidate() }
        slots = Array(repeating: nil, count: 16)
        count = 0
    }

    private mutating func dropUnheld() {
        for index in slots.indices where slots[index] != nil && isKnownUniquelyReferenced(&slots[index]) {
            slots[index]?.invalidate()
            slots[index] = nil
            count -= 1
        }
        rebuild(capacity: slots.count)
    }

    private mutating func rebuild(capacity: Int) {
        let topics = slots.compactMap { $0 }
        slots = Array(repeating: nil, count: capacity)
        for topic in topics { place(topic) }
    }

    private mutating func place(_ topic: KafkaTopic) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: topic.hash) & mask
        while slots[index] != nil { index = (index + 1) & mask }
        slots[index] = topic
    }
}
