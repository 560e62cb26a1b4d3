extension ConfigurationReader {
    /// The text as it is written: `007`, `yes` and `1.0` stay what they are.
    package func string(_ key: String, default fallback: String) -> String {
        optionalString(key) ?? fallback
    }

    /// - Returns: `nil` when the key is absent.
    package func optionalString(_ key: String) -> String? {
        guard case .value(let value) = find(key, wanted: "text") else { return nil }
        return value.text
    }

    /// Absent, empty or blank is a fault, and reads as the empty string.
    package func requiredString(_ key: String) -> String {
        switch find(key, wanted: "text") {
        case .absent:
            fault(key, "missing; \(howToSet(key))")
            return ""
        case .faulty:
            return ""
        case .value(let value):
            guard !value.text.allSatisfy(\.isWhitespace) else {
                let from = if case .variable(let name) = value.origin { " (from \(name))" } else { "" }
                add("is empty\(from); give a value", value)
                return ""
            }
            return value.text
        }
    }

    /// A whole decimal number, `_` between digits allowed.
    package func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        let wanted = "a whole number, \(Self.words(range) { String($0) })"
        guard case .value(let value) = find(key, wanted: wanted) else { return fallback }
        let digits = value.text.hasPrefix("-") ? value.text.dropFirst() : value.text[...]
        guard digits.first?.isASCIIDigit == true, digits.allSatisfy({ $0.isASCIIDigit || $0 == "_" }) else {
            add("\(value.named) is not a whole number; give \(wanted)\(value.hint)", value)
            return fallback
        }
        let plain = digits.filter { $0 != "_" }
        guard plain.count == 1 || plain.first != "0" else {
            // YAML 1.1 reads 010 as 8, YAML 1.2 as 10.
            add("\(value.named) begins with 0, which some read as octal; leave the 0 out", value)
            return fallback
        }
        guard let number = Int(value.text.filter { $0 != "_" }), range.contains(number) else {
            addOutside(value, range, { String($0) }, "a number")
            return fallback
        }
        return number
    }

    /// `true`, `yes`, `on`, `false`, `no` or `off`, in any case.
    package func boolean(_ key: String, default fallback: Bool) -> Bool {
        guard case .value(let value) = find(key, wanted: "true or false") else { return fallback }
        switch value.text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default:
            add("\(value.named) is neither true nor false; give one of them\(value.hint)", value)
            return fallback
        }
    }

    /// A number with a unit: `10s`, `500ms`, `5m`, `1h`, `1h30m`, `1.5s`, `7d`, `0s`.
    package func duration(
        _ key: String,
        default fallback: Duration,
        in range: ClosedRange<Duration>
    ) -> Duration {
        let wanted = "a duration such as 10s, 500ms, 5m or 1h"
        guard case .value(let value) = find(key, wanted: wanted) else { return fallback }
        let duration: Duration
        do {
            duration = try Quantity.duration(value.text)
        } catch {
            switch error {
            case .noUnit where value.isSecret:
                add("\(value.named) has no unit; add s for seconds or ms for milliseconds", value)
            case .noUnit:
                let number = value.text
                add("\(value.named) has no unit; write \(number)s for seconds or \(number)ms for milliseconds", value)
            case .tooLarge:
                addOutside(value, range, Quantity.format, "a duration")
            case .unknownUnit:
                add("\(value.named) has an unknown unit; use ms, s, m, h or d", value)
            case .malformed:
                add("\(value.named) is not a duration; give \(wanted)\(value.hint)", value)
            }
            return fallback
        }
        guard range.contains(duration) else {
            addOutside(value, range, Quantity.format, "a duration")
            return fallback
        }
        return duration
    }

    /// A count of bytes: `8GiB`, `64MiB`, `10MB`, `8Gi`, `1048576`, `900_000`.
    package func bytes(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        let wanted = "a size such as 64MiB, 8GiB or a number of bytes"
        guard case .value(let value) = find(key, wanted: wanted) else { return fallback }
        let count: Int
        do {
            count = try Quantity.bytes(value.text)
        } catch {
            switch error {
            case .tooLarge:
                addOutside(value, range, Quantity.format(bytes:), "a size")
            case .unknownUnit:
                add("\(value.named) has an unknown unit; use KiB, MiB, GiB, TiB (1024) or kB, MB, GB, TB (1000)", value)
            case .malformed, .noUnit:
                add("\(value.named) is not a size; give \(wanted)\(value.hint)", value)
            }
            return fallback
        }
        guard range.contains(count) else {
            addOutside(value, range, Quantity.format(bytes:), "a size")
            return fallback
        }
        return count
    }

    /// One of the cases, spelled as its raw value.
    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String,
        default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        let choices = Choice.allCases.map(\.rawValue)
        let list = choices.joined(separator: ", ")
        guard case .value(let value) = find(key, wanted: "one of \(list)") else { return fallback }
        if let choice = Choice(rawValue: value.text) { return choice }
        let near = value.isSecret ? nil : UnknownKeys.nearest(to: value.text, in: choices)
        let meant = near.map { " (did you mean \($0)?)" } ?? ""
        add("\(value.named) is not a choice\(meant); give one of \(list)", value)
        return fallback
    }

    // MARK: Faults

    private func add(_ problem: String, _ value: ConfigurationValue) {
        collector.add(ConfigurationFault(key: value.path, problem: problem), at: value.place)
    }

    private func addOutside<Bound>(
        _ value: ConfigurationValue,
        _ range: ClosedRange<Bound>,
        _ format: (Bound) -> String,
        _ noun: String
    ) {
        add("\(value.named) is outside \(Self.words(range, format)); give \(noun) in that range", value)
    }

    private static func words<Bound>(_ range: ClosedRange<Bound>, _ format: (Bound) -> String) -> String {
        range.upperBound as? Int == .max
            ? "\(format(range.lowerBound)) and more"
            : "\(format(range.lowerBound)) to \(format(range.upperBound))"
    }

    private func howToSet(_ key: String) -> String {
        switch (collector.hasFile, environmentName(of: key)) {
        case (true, let name?): "set it in the file, or \(name) in the environment"
        case (true, nil): "set it in the file"
        case (false, let name?): "set \(name) in the environment, or give a configuration file"
        case (false, nil): "give a configuration file that sets it"
        }
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
