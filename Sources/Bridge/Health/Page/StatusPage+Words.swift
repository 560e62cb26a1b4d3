internal import Bitrix24

/// Words of the page alone; the others are in `Words`.
extension StatusPage {
    static func timeLeft(_ secondsUntilFull: Double?) -> String {
        secondsUntilFull.map { "full in \(Words.duration(Int($0))) at the present rate" } ?? "not growing"
    }

    static func timeLeft(_ part: StatusReport.JournalPart) -> String {
        part.state == "full" || part.fillRatio >= 1 ? "no room is left" : timeLeft(part.secondsUntilFull)
    }

    /// `0.4`, `12`.
    static func rate(_ perSecond: Double) -> String {
        guard perSecond.isFinite, perSecond > 0 else { return "0" }
        let isSmall = perSecond < 9.95
        guard isSmall else { return Words.number(Int(min(perSecond.rounded(), 1e15))) }
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
        return "<time datetime=\"\(exact)\" title=\"\(exact)\">\(Words.duration(seconds)) ago</time>"
    }
}
