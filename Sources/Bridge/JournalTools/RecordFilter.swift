package import Bitrix24
internal import Journal

/// A place in a journal as people name it.
package enum JournalBound: Sendable, Equatable {
    case position(UInt64)
    /// The moment of the append, which in the main journal is that of the receipt.
    case time(Timestamp)

    /// A number is a position; anything else must be a time, see `Timestamp(rfc3339:)`.
    package init?(_ text: String) {
        if let position = UInt64(text) {
            self = .position(position)
            return
        }
        guard let time = Timestamp(rfc3339: text) else { return nil }
        self = .time(time)
    }
}

extension JournalBound {
    /// Whether nothing can lie from `self` to `other`. Only places of one kind can be compared.
    package func isAbove(_ other: JournalBound) -> Bool {
        switch (self, other) {
        case (.position(let from), .position(let to)): from > to
        case (.time(let from), .time(let to)): from > to
        default: false
        }
    }
}

/// Which records a tool is about. Where nothing is said, all are.
package struct RecordFilter: Sendable {
    /// Any of these.
    package var topics: [String] = []
    /// member_ids, any of these.
    package var portals: [String] = []
    /// Both ends belong to the range.
    package var from: JournalBound?
    package var to: JournalBound?

    package init() {}

    /// Segments below it hold nothing wanted.
    var lowestPosition: JournalPosition {
        if case .position(let position) = from { JournalPosition(position) } else { .first }
    }

    func admits(_ record: JournalRecord) -> Bool {
        isAtOrAbove(from, record) && isAtOrBelow(to, record)
    }

    func admits(_ stored: StoredRecord) -> Bool {
        guard topics.isEmpty || topics.contains(where: { stored.topic.elementsEqual($0.utf8) }) else { return false }
        return portals.isEmpty
            || stored.withPortal { portal in portals.contains { portal.elementsEqual($0.utf8) } }
    }

    private func isAtOrAbove(_ bound: JournalBound?, _ record: JournalRecord) -> Bool {
        switch bound {
        case .none: true
        case .position(let position): record.position.rawValue >= position
        case .time(let time): record.receivedAt >= time
        }
    }

    private func isAtOrBelow(_ bound: JournalBound?, _ record: JournalRecord) -> Bool {
        switch bound {
        case .none: true
        case .position(let position): record.position.rawValue <= position
        case .time(let time): record.receivedAt <= time
        }
    }
}

extension JournalRecord {
    var receivedAt: Timestamp { Timestamp(milliseconds: Int64(clamping: appendedAt)) }
}
