internal import Bitrix24

/// When a part of a portal was changed, and where: of two changes to one part the one with the greater stamp counts, at
/// every replica and in whatever order they are read.
package struct RegistryStamp: Sendable, Hashable, Comparable, Codable {
    /// Milliseconds since 1970, but never less than what the replica had seen before.
    package let time: Int64
    /// Breaks ties.
    package let replica: String

    package init(time: Int64, replica: String) {
        self.time = time
        self.replica = replica
    }

    private enum CodingKeys: String, CodingKey {
        case time = "at"
        case replica = "by"
    }

    package static func < (left: Self, right: Self) -> Bool { (left.time, left.replica) < (right.time, right.replica) }

    /// As a header has it.
    package init?(text: some StringProtocol) {
        guard let separator = text.firstIndex(of: " "), let time = Int64(text[..<separator]) else { return nil }
        self.init(time: time, replica: String(text[text.index(after: separator)...]))
    }

    package var text: String { "\(time) \(replica)" }
}

/// Gives stamps. A change that is made after another was seen has the greater one, also where clocks disagree.
package struct RegistryClock: Sendable {
    private let replica: String
    private var last: Int64 = 0

    package init(replica: String) { self.replica = replica }

    /// Whatever stands in the topic or in a file, there are stamps after it.
    package mutating func observe(_ stamp: RegistryStamp) { last = max(last, min(stamp.time, .max / 2)) }

    package mutating func next() -> RegistryStamp { next(now: WallClock.now().milliseconds) }

    mutating func next(now: Int64) -> RegistryStamp {
        last = max(now, last + 1)
        return RegistryStamp(time: last, replica: replica)
    }
}
