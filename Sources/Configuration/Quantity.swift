/// Numbers with a unit: durations and byte counts.
package enum Quantity {
    package enum Problem: Error {
        case malformed
        case noUnit
        case unknownUnit
        case tooLarge
    }

    /// Longest first, as they are printed. A day is 24 hours.
    private static let durationUnits: [(name: String, nanoseconds: Int128)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
    ]

    /// IEC and SI units, and the short IEC units of Kubernetes. Neither `G` nor `g` alone: Kubernetes and Docker do not
    /// mean the same by it.
    private static let byteUnits: [String: Int128] = [
        "": 1, "b": 1,
        "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
        "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
        "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
    ]

    /// `10s`, `1.5s`, `1h30m`: units `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, from long to short.
    package static func duration(_ text: String) throws(Problem) -> Duration {
        var rest = text[...]
        var total: Int128 = 0
        var longest: Int128 = .max
        repeat {
            let number = try Number(parsing: &rest)
            let name = rest.prefix { $0.isLetter }
            guard !name.isEmpty else { throw rest.isEmpty ? .noUnit : .malformed }
            guard let unit = durationUnits.first(where: { $0.name == name }) else { throw .unknownUnit }
            guard unit.nanoseconds < longest else { throw .malformed }
            longest = unit.nanoseconds
            total += try number.times(unit.nanoseconds)
            rest = rest.dropFirst(name.count)
        } while !rest.isEmpty
        guard total < Int128(Int64.max) else { throw .tooLarge }
        return .nanoseconds(Int64(total))
    }

    /// `8GiB`, `64 MiB`, `10MB`, `900_000`: any case, powers of 1024 with an `i`, of 1000 without.
    static func bytes(_ text: String) throws(Problem) -> Int {
        var rest = text[...]
        let number = try Number(parsing: &rest)
        let name = rest.drop { $0 == " " }
        guard name.allSatisfy(\.isLetter) else { throw .malformed }
        guard let unit = byteUnits[name.lowercased()] else { throw .unknownUnit }
        let total = try number.times(unit)
        guard let count = Int(exactly: total) else { throw .tooLarge }
        return count
    }

    static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
        guard nanoseconds != 0 else { return "0s" }
        let unit = durationUnits.first { nanoseconds % $0.nanoseconds == 0 } ?? ("ns", 1)
        return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }

    static func format(bytes: Int) -> String {
        for (name, unit) in [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        where bytes != 0 && bytes % unit == 0 {
            return "\(bytes / unit)\(name)"
        }
        return String(bytes)
    }

    /// A decimal number with at most nine places behind the point.
    private struct Number {
        private var digits: Int128 = 0
        private var scale: Int128 = 1

        init(parsing rest: inout Substring) throws(Problem) {
            var seen = false
            var afterPoint = false
            while let character = rest.first {
                if let digit = character.wholeNumberValue, character.isASCII {
                    guard digits < 1_000_000_000_000_000_000_000, scale < 1_000_000_000 else { throw .tooLarge }
                    digits = digits * 10 + Int128(digit)
                    if afterPoint { scale *= 10 }
                    seen = true
                } else if character == "." && !afterPoint && seen {
                    afterPoint = true
                } else if character != "_" || !seen {
                    break
                }
                rest.removeFirst()
            }
            guard seen, !afterPoint || scale > 1 else { throw .malformed }
        }

        /// Rounded down to whole units.
        func times(_ unit: Int128) throws(Problem) -> Int128 {
            let (product, overflow) = digits.multipliedReportingOverflow(by: unit)
            guard !overflow else { throw .tooLarge }
            return product / scale
        }
    }
}
