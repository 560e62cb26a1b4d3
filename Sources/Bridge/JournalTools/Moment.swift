internal import Bitrix24

/// A time of the journal, in JSON as RFC 3339 with milliseconds.
package struct Moment: Sendable, Comparable, Encodable, CustomStringConvertible {
    /// Since 1970.
    package let milliseconds: UInt64

    package init(_ milliseconds: UInt64) { self.milliseconds = milliseconds }

    package static func < (left: Moment, right: Moment) -> Bool { left.milliseconds < right.milliseconds }

    package var description: String {
        Timestamp(milliseconds: Int64(clamping: milliseconds)).rfc3339
    }

    /// How long ago it was, for people; not below zero when the clock was set back.
    package var age: String {
        Words.duration(Int(max(0, WallClock.now().milliseconds - Int64(clamping: milliseconds)) / 1000))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
