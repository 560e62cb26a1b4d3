/// `1 file`, `1,234 files`: a number with its noun, for people.
package func counted(_ count: Int, _ noun: String) -> String {
    "\(Words.number(count)) \(noun)\(count == 1 ? "" : "s")"
}

/// Numbers and times for people.
package enum Words {
    /// `1,234,567`.
    static func number(_ count: Int) -> String {
        let digits = Array(String(count.magnitude))
        return digits.indices.reduce(into: count < 0 ? "-" : "") { text, index in
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digits[index])
        }
    }

    package static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
            if value < 1024 || unit == "TiB" {
                return unit == "B" ? "\(count) B" : "\((value * 10).rounded() / 10) \(unit)"
            }
            value /= 1024
        }
        return "\(count) B"
    }

    package static func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3600) h"
        default: "\(seconds / 86_400) days"
        }
    }
}
