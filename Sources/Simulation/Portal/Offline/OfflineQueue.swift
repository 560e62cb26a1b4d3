/// What a portal has noted for the application: one row for each change of an object whose event is bound offline. Rows are
/// small, since a test may hold a million of them; what is cleared stays as well, for whoever checks what came of it.
///
/// The rules are those of Bitrix24 On-Premise, module `rest` 26, lib/eventoffline.php (EventOfflineTable): a row is unique by
/// its message, its connector and its reservation.
struct OfflineQueue: Sendable {
    /// Changes with the same key have the same MESSAGE_ID and connector.
    struct Key: Hashable, Sendable {
        /// The changed object's number; below zero: -1 - an index into the world's free data.
        var object: Int64
        var kind: UInt16
        var connector: UInt16
    }

    enum State: UInt8, Sendable {
        case waiting
        case reserved
        case cleared
        /// Without the application's doing: it was uninstalled, or a like row was marked.
        case removed
    }

    struct Row: Sendable {
        var key: Key
        /// TIMESTAMP_X, Unix seconds.
        var changedAt: UInt32
        /// What TIMESTAMP_X was when the row was handed out last; 0: never.
        var handedOutAt: UInt32 = 0
        /// Who changed it; 0: nobody.
        var user: Int32
        var reservation: UInt32 = 0
        var state = State.waiting
        var isErroneous = false

        var isLive: Bool { state == .waiting || state == .reserved }
    }

    private struct Reservation: Sendable {
        var number: UInt32
        /// May have rows that have left it.
        var slots: [Int]
        var left: Int
    }

    /// Waiting rows, the one changed first at the front. An entry counts only as long as its row waits since `changedAt`.
    private struct Line: Sendable {
        var entries: [(slot: UInt32, changedAt: UInt32)] = []
        var head = 0
    }

    /// Every row ever made; a row's ID is its place, from 1.
    private(set) var rows: [Row] = []
    private(set) var summary = StandIn.OfflineSummary()
    /// All before it is cleared or removed.
    private var firstLive = 0
    /// Erroneous rows included.
    private var unreserved: [Key: Int] = [:]
    private var lines: [UInt16: Line] = [:]
    private var reservations: [String: Reservation] = [:]
    private var processIDs: [UInt32: String] = [:]
    private var reservationCount: UInt32 = 0

    static func id(_ slot: Int) -> Int { slot + 1 }

    /// Empty: it is not reserved.
    func processID(of row: Row) -> String { row.state == .reserved ? processIDs[row.reservation] ?? "" : "" }

    // MARK: Changes

    /// - Returns: whether there is a new row; otherwise one that waits stands for this change as well.
    mutating func add(_ key: Key, user: Int32, now: UInt32) -> Bool {
        if let slot = unreserved[key] {
            let isMoved = rows[slot].changedAt != now && !rows[slot].isErroneous
            rows[slot].changedAt = now
            rows[slot].user = user
            if isMoved { line(up: slot) }
            return false
        }
        let slot = rows.count
        rows.append(Row(key: key, changedAt: now, user: user))
        summary.made += 1
        summary.count(rows[slot], 1)
        unreserved[key] = slot
        line(up: slot)
        return true
    }

    private mutating func line(up slot: Int) {
        let (time, connector) = (rows[slot].changedAt, rows[slot].key.connector)
        let entry = (UInt32(slot), time)
        // Against a clock that is set back.
        var place = lines[connector]?.entries.count ?? 0
        while let line = lines[connector], place > line.head, line.entries[place - 1].changedAt > time { place -= 1 }
        lines[connector, default: Line()].entries.insert(entry, at: place)
    }

    // MARK: Taking

    /// Reserves the first rows of those that wait and are not marked.
    mutating func reserveFirst(_ limit: Int, connector: UInt16, as processID: String) -> [Int] {
        guard var line = lines.removeValue(forKey: connector) else { return [] }
        var found: [Int] = []
        while found.count < limit, line.head < line.entries.count {
            let entry = line.entries[line.head]
            line.head += 1
            let row = rows[Int(entry.slot)]
            if row.state == .waiting, !row.isErroneous, row.changedAt == entry.changedAt {
                reserve([Int(entry.slot)], as: processID)
                found.append(Int(entry.slot))
            }
        }
        if line.head > 1024, line.head > line.entries.count / 2 {
            line.entries.removeFirst(line.head)
            line.head = 0
        }
        lines[connector] = line
        return found
    }

    mutating func reserve(_ slots: [Int], as processID: String) {
        guard !slots.isEmpty else { return }
        if reservations[processID] == nil {
            reservationCount += 1
            reservations[processID] = Reservation(number: reservationCount, slots: [], left: 0)
            processIDs[reservationCount] = processID
        }
        guard let number = reservations[processID]?.number else { return }
        for slot in slots {
            unreserved[rows[slot].key] = nil
            set(slot) { row in
                row.state = .reserved
                row.reservation = number
            }
        }
        reservations[processID]?.slots += slots
        reservations[processID]?.left += slots.count
    }

    /// What has this PROCESS_ID, in no order; for an empty one, what nobody has reserved.
    func slots(reservedAs processID: String, connector: UInt16) -> [Int] {
        guard !processID.isEmpty else { return live(connector).filter { rows[$0].state == .waiting } }
        guard let reservation = reservations[processID] else { return [] }
        return reservation.slots.filter { slot in
            let row = rows[slot]
            return row.state == .reserved && row.reservation == reservation.number && row.key.connector == connector
        }
    }

    /// In the order of their IDs.
    func reserved(_ connector: UInt16) -> [Int] {
        reservations.keys.flatMap { slots(reservedAs: $0, connector: connector) }.sorted()
    }

    /// In the order of their IDs.
    mutating func liveRows(_ connector: UInt16) -> [Int] {
        while firstLive < rows.count, !rows[firstLive].isLive { firstLive += 1 }
        return live(connector)
    }

    private func live(_ connector: UInt16) -> [Int] {
        (firstLive..<rows.count).filter { rows[$0].isLive && rows[$0].key.connector == connector }
    }

    mutating func handOut(_ slots: [Int]) {
        for slot in slots { rows[slot].handedOutAt = rows[slot].changedAt }
    }

    // MARK: Leaving

    mutating func clear(_ slots: some Sequence<Int>) { for slot in slots { leave(slot, .cleared) } }

    /// Row numbers that the portal does not know are none.
    func slot(ofID id: Int) -> Int? { rows.indices.contains(id - 1) ? id - 1 : nil }

    /// Marks what is reserved so, and takes away like rows that are not marked, whoever has them.
    ///
    /// - Parameter again: What is marked already is released as well. Nobody documents whether it is.
    mutating func mark(_ slots: [Int], reservedAs processID: String, again: Bool) {
        let isOurs = { (queue: OfflineQueue, slot: Int) in queue.processID(of: queue.rows[slot]) == processID }
        let wanted = slots.filter { rows[$0].isLive && (!rows[$0].isErroneous || again && isOurs(self, $0)) }
        for slot in wanted where !isOurs(self, slot) { leave(slot, .removed) }
        for slot in wanted where isOurs(self, slot) {
            release(slot)
            set(slot) { row in
                row.isErroneous = true
                row.state = .waiting
            }
            unreserved[rows[slot].key] = slot
        }
    }

    /// As an uninstallation does.
    mutating func removeAll() {
        for slot in firstLive..<rows.count where rows[slot].isLive { leave(slot, .removed) }
    }

    private mutating func leave(_ slot: Int, _ end: State) {
        guard rows[slot].isLive else { return }
        if rows[slot].state == .waiting { unreserved[rows[slot].key] = nil }
        release(slot)
        set(slot) { $0.state = end }
    }

    private mutating func release(_ slot: Int) {
        guard rows[slot].state == .reserved, let processID = processIDs[rows[slot].reservation] else { return }
        reservations[processID]?.left -= 1
        guard reservations[processID]?.left == 0 else { return }
        reservations[processID] = nil
        processIDs[rows[slot].reservation] = nil
    }

    private mutating func set(_ slot: Int, _ change: (inout Row) -> Void) {
        summary.count(rows[slot], -1)
        change(&rows[slot])
        summary.count(rows[slot], 1)
    }
}

extension StandIn.OfflineSummary {
    fileprivate mutating func count(_ row: OfflineQueue.Row, _ step: Int) {
        switch row.state {
        case .waiting where !row.isErroneous: waiting += step
        case .waiting: break
        case .reserved: reserved += step
        case .cleared: cleared += step
        case .removed: removed += step
        }
        if row.isErroneous, row.isLive { marked += step }
    }
}
