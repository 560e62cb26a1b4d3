internal import Bitrix24

/// Numbers and times for people.
extension StatusPage {
    static func timeLeft(_ secondsUntilFull: Double?) -> String {
        secondsUntilFull.map { "full in \(duration(Int($0))) at the present rate" } ?? "not growing"
    }

    static func timeLeft(_ part: StatusReport.JournalPart) -> String {
        part.state == "full" || part.fillRatio >= 1 ? "no room is left" : timeLeft(part.secondsUntilFull)
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

    /// `1,234,567`.
    static func number(_ count: Int) -> String {
        let digits = Array(String(count.magnitude))
        return digits.indices.reduce(into: count < 0 ? "-" : "") { text, index in
            if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
            text.append(digits[index])
        }
    }

    /// `1 event`, `1,234 events`.
    static func number(_ count: Int, _ noun: String) -> String { "\(number(count)) \(noun)\(count == 1 ? "" : "s")" }

    /// `0.4`, `12`.
    static func rate(_ perSecond: Double) -> String {
        guard perSecond.isFinite, perSecond > 0 else { return "0" }
        let isSmall = perSecond < 9.95
        guard isSmall else { return number(Int(min(perSecond.rounded(), 1e15))) }
        return perSecond < 0.05 ? "below 0.1" : "\((perSecond * 10).rounded() / 10)"
    }

    /// In whole percent; 100 only when it is full.
    static func percent(_ ratio: Double) -> Int {
        guard ratio.isFinite else { return 0 }
        return ratio >= 1 ? 100 : min(99, Int((max(0, ratio) * 100).rounded()))
    }

    /// `12 s ago`, and the time itself for who points at it.
    func ago(_ seconds: Int) -> Markup {
        let time = Timestamp(milliseconds: now.milliseconds - Int64(clamping: seconds) * 1000)
        var text: [UInt8] = []
        time.write(into: &text, withMilliseconds: false)
        let exact = String(decoding: text, as: UTF8.self)
        return "<time datetime=\"\(exact)\" title=\"\(exact)\">\(Self.duration(seconds)) ago</time>"
    }
}
