import Glibc

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:15:00.042Z`.
struct LogTimestamp {
    let seconds: Int
    let milliseconds: Int

    static func now() -> LogTimestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTimestamp(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
    }

    func append(to line: inout [UInt8]) {
        let day = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let second = seconds - day * 86_400
        let date = Self.date(ofDay: day)
        func digits(_ value: Int, _ count: Int) {
            var divisor = 1
            for _ in 1..<count { divisor *= 10 }
            while divisor > 0 {
                line.append(UInt8(48 + value / divisor % 10))
                divisor /= 10
            }
        }
        digits(date.year, 4)
        line.append(UInt8(ascii: "-"))
        digits(date.month, 2)
        line.append(UInt8(ascii: "-"))
        digits(date.day, 2)
        line.append(UInt8(ascii: "T"))
        digits(second / 3600, 2)
        line.append(UInt8(ascii: ":"))
        digits(second / 60 % 60, 2)
        line.append(UInt8(ascii: ":"))
        digits(second % 60, 2)
        line.append(UInt8(ascii: "."))
        digits(milliseconds, 3)
        line.append(UInt8(ascii: "Z"))
    }

    /// The Gregorian date of a day counted from 1970-01-01. Years are counted from 1 March, so that a leap day is the
    /// last day of its year, in eras of 400 years, which all have 146,097 days.
    private static func date(ofDay day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
