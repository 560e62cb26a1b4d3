/// Milliseconds since 1970-01-01 UTC.
package struct Timestamp: Sendable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// The field `ts`: Unix seconds in decimal, of the years 1970 to 9999. `nil`: not usable.
    init?(unixSeconds text: some Collection<UInt8>) {
        guard (1...12).contains(text.count) else { return nil }
        var seconds: Int64 = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            seconds = seconds * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        guard seconds > 0, seconds <= 253_402_300_799 else { return nil }
        milliseconds = seconds * 1000
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// Writes RFC 3339 in UTC, for example `2016-06-20T16:21:54Z`, with `.120` for milliseconds if asked.
    package func write(into output: inout [UInt8], withMilliseconds: Bool) {
        let seconds = milliseconds.quotient(flooredBy: 1000)
        let days = seconds.quotient(flooredBy: 86_400)
        let clock = seconds - days * 86_400
        // Days to a date of the Gregorian calendar, counted in eras of 400 years that begin on 1 March.
        let shifted = days + 719_468
        let era = shifted.quotient(flooredBy: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        withUnsafeTemporaryAllocation(byteCount: 24, alignment: 8) { text in
            Self.put(year / 100, at: 0, in: text)
            Self.put(year % 100, at: 2, in: text)
            text[4] = UInt8(ascii: "-")
            Self.put(month, at: 5, in: text)
            text[7] = UInt8(ascii: "-")
            Self.put(dayOfYear - (153 * marchMonth + 2) / 5 + 1, at: 8, in: text)
            text[10] = UInt8(ascii: "T")
            Self.put(clock / 3600, at: 11, in: text)
            text[13] = UInt8(ascii: ":")
            Self.put(clock / 60 % 60, at: 14, in: text)
            text[16] = UInt8(ascii: ":")
            Self.put(clock % 60, at: 17, in: text)
            var end = 19
            if withMilliseconds {
                let fraction = milliseconds - seconds * 1000
                text[19] = UInt8(ascii: ".")
                Self.put(fraction / 10, at: 20, in: text)
                text[22] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: fraction % 10)
                end = 23
            }
            text[end] = UInt8(ascii: "Z")
            output.append(contentsOf: text[...end])
        }
    }

    /// Two digits.
    @inline(__always)
    private static func put(_ value: Int64, at place: Int, in text: UnsafeMutableRawBufferPointer) {
        text[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / 10)
        text[place + 1] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value % 10)
    }
}

extension Int64 {
    fileprivate func quotient(flooredBy divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
