/// Times in a portal's own zone, in whole seconds, as `2026-03-18T12:32:31+02:00`.
struct PortalTime: Sendable {
    /// East of UTC.
    let offsetMinutes: Int

    func text(_ unixSeconds: Int) -> String {
        let local = unixSeconds + offsetMinutes * 60
        let (days, second) = (local.floored(86_400), local.modulo(86_400))
        let (year, month, day) = Self.date(days)
        let clock = "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))"
        let zone = abs(offsetMinutes)
        return
            "\(year)-\(two(month))-\(two(day))T\(clock)\(offsetMinutes < 0 ? "-" : "+")\(two(zone / 60)):\(two(zone % 60))"
    }

    /// The portal's zone where none is named. Fractions of a second are left out.
    ///
    /// - Returns: Unix seconds; `nil`: it is no time.
    func seconds(_ text: String) -> Int? {
        var rest = text[...]
        func number(_ digits: Int, after mark: String = "") -> Int? {
            guard mark.isEmpty || rest.first.map({ mark.contains($0) }) == true else { return nil }
            if !mark.isEmpty { rest.removeFirst() }
            let part = rest.prefix(digits)
            guard part.count == digits, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            rest = rest.dropFirst(digits)
            return Int(part)
        }
        guard let year = number(4), let month = number(2, after: "-"), (1...12).contains(month),
            let day = number(2, after: "-"), (1...31).contains(day)
        else { return nil }
        var seconds = Self.days(year, month, day) * 86_400
        var offset = offsetMinutes
        if !rest.isEmpty {
            guard let hour = number(2, after: "T "), let minute = number(2, after: ":") else { return nil }
            seconds += hour * 3600 + minute * 60 + (number(2, after: ":") ?? 0)
            if rest.first == "." { rest = rest.dropFirst().drop { $0.isNumber } }
            if rest == "Z" {
                offset = 0
            } else if let sign = rest.first {
                guard let hours = number(2, after: "+-") else { return nil }
                let minutes = number(2, after: ":") ?? number(2) ?? 0
                offset = (sign == "-" ? -1 : 1) * (hours * 60 + minutes)
                guard rest.isEmpty else { return nil }
            }
        }
        return seconds - offset * 60
    }

    private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    // The proleptic Gregorian calendar, in days since 1970, with years that begin in March.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted.floored(146_097)
        let dayOfEra = shifted.modulo(146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * march + 2) / 5 + 1)
    }

    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = year.floored(400)
        let yearOfEra = year.modulo(400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension Int {
    fileprivate func floored(_ divisor: Int) -> Int { (self - modulo(divisor)) / divisor }

    fileprivate func modulo(_ divisor: Int) -> Int {
        let rest = self % divisor
        return rest < 0 ? rest + divisor : rest
    }
}
