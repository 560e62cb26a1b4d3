/// Sums over the records of one topic or portal.
package struct Tally: Sendable, Equatable, Encodable {
    /// In the main journal, delivered or not.
    package var records = 0
    /// Of the records in the main journal and of the undelivered ones in the parked.
    package var bytes = 0
    /// Undelivered in the main journal.
    package var waiting = 0
    /// Undelivered in the parked journal.
    package var parked = 0
    /// Of the undelivered ones, those over `kafka.maxRecordBytes`.
    package var oversized = 0
    /// Of the parked ones, those that the brokers refused for a reason of their own.
    package var refused = 0
    /// Of the undelivered ones.
    package var oldestUndelivered: Moment?

    package static let zero = Tally()

    package var undelivered: Int { waiting + parked }

    package static func + (left: Tally, right: Tally) -> Tally {
        Tally(
            records: left.records + right.records,
            bytes: left.bytes + right.bytes,
            waiting: left.waiting + right.waiting,
            parked: left.parked + right.parked,
            oversized: left.oversized + right.oversized,
            refused: left.refused + right.refused,
            oldestUndelivered: [left.oldestUndelivered, right.oldestUndelivered].compactMap { $0 }.min()
        )
    }
}

/// A tally for each key, with bounded memory: what comes after the first `most` keys is summed as one.
struct TallyTable {
    static let most = 100_000

    private(set) var rows: [(key: [UInt8], tally: Tally)] = []
    /// Of the keys for which there was no room.
    private(set) var others: Tally?
    /// Numbers of rows plus one by their keys' hashes, 0 where there is none. Its size is a power of two.
    private var slots = [Int32](repeating: 0, count: 256)
    /// Keys come in runs.
    private var last = 0
    private let limit: Int
    /// Keys are chosen by whoever sends; nobody knows which of them meet in one slot.
    private let seed = UInt64.random(in: .min ... .max)

    init(limit: Int = most) { self.limit = limit }

    mutating func update(_ key: UnsafeRawBufferPointer, _ change: (inout Tally) -> Void) {
        if last < rows.count, key.elementsEqual(rows[last].key) { return change(&rows[last].tally) }
        var slot = place(of: key)
        while slots[slot] != 0 {
            let row = Int(slots[slot]) - 1
            if key.elementsEqual(rows[row].key) {
                last = row
                return change(&rows[row].tally)
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        guard rows.count < limit else {
            var tally = others ?? Tally()
            change(&tally)
            others = tally
            return
        }
        last = rows.count
        rows.append((Array(key), Tally()))
        slots[slot] = Int32(rows.count)
        change(&rows[last].tally)
        if rows.count * 2 > slots.count { grow() }
    }

    private mutating func grow() {
        slots = [Int32](repeating: 0, count: slots.count * 2)
        for index in rows.indices {
            var slot = rows[index].key.withUnsafeBytes { place(of: $0) }
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = Int32(index + 1)
        }
    }

    private func place(of key: UnsafeRawBufferPointer) -> Int {
        var hash = seed ^ UInt64(key.count)
        var place = 0
        while place + 8 <= key.count {
            hash = Self.mixed(hash ^ key.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += 8
        }
        var rest: UInt64 = 0
        while place < key.count {
            rest = rest << 8 | UInt64(key[place])
            place += 1
        }
        return Int(truncatingIfNeeded: Self.mixed(hash ^ rest) >> 20) & (slots.count - 1)
    }

    private static func mixed(_ value: UInt64) -> UInt64 {
        let (high, low) = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return high ^ low
    }
}
