/// The place of a record in the journal's order.
///
/// Positions grow with the order of arrival and are never given twice. They may have gaps: after a crash, and where an
/// append failed. The lowest one given is 1.
package struct JournalPosition: RawRepresentable, Comparable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The number of ASCII digits of ``description``, enough for any position.
    package static let digits = 20

    /// The first position a new journal gives.
    package static let first = JournalPosition(1)

    package static func < (lhs: Self, rhs: Self) -> Bool {
        lhs.rawValue < rhs.rawValue
    }

    /// 20 digits, padded with zeros, so that text sorts as numbers do.
    package var description: String {
        Self.padded(rawValue)
    }

    static func padded(_ value: UInt64) -> String {
        let text = String(value)
        return String(repeating: "0", count: Self.digits - text.utf8.count) + text
    }

    /// Writes the 20 digits at `target`, which must have room for them.
    static func writeDigits(of value: UInt64, to target: UnsafeMutableRawPointer) {
        var rest = value
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
            target.storeBytes(
                of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: remainder),
                toByteOffset: index,
                as: UInt8.self
            )
            rest = quotient
        }
    }
}
