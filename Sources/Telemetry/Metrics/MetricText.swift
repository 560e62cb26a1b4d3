/// What names and label values may look like in the Prometheus text.
enum MetricText {
    /// A longer label value is cut, at a character: a value may come from a client and is kept for good.
    static let maxLabelValueBytes = 1024

    /// Makes a metric name of the form `[a-zA-Z_:][a-zA-Z0-9_:]*`; any other character becomes `_`.
    static func name(_ label: String) -> String {
        sanitized(label, allowingColon: true)
    }

    /// The label set as it is printed between the braces, sorted by name: `code="200",method="POST"`.
    ///
    /// - Parameter replacement: stands for every value when given.
    static func labels(_ dimensions: [(String, String)], replacement: String? = nil) -> String {
        guard !dimensions.isEmpty else { return "" }
        var pairs: [(name: String, value: String)] = []
        pairs.reserveCapacity(dimensions.count)
        for (dimension, value) in dimensions {
            var name = sanitized(dimension, allowingColon: false)
            // These two belong to histograms and summaries. A repeated name would make the line unreadable.
            while name == "le" || name == "quantile" || pairs.contains(where: { $0.name == name }) {
                name += "_"
            }
            pairs.append((name, replacement ?? value))
        }
        pairs.sort { $0.name < $1.name }
        return pairs.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",")
    }

    /// A control character becomes U+FFFD: the format has no escape for it, and some readers stop at a NUL.
    static func printable(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar.value < 0x20 || scalar.value == 0x7F ? "\u{FFFD}" : scalar
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        var length = 0
        for scalar in value.unicodeScalars {
            length += UTF8.width(scalar)
            if length > maxLabelValueBytes { break }
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(printable(scalar))
            }
        }
        return escaped
    }

    private static func sanitized(_ text: String, allowingColon: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_":
                name.unicodeScalars.append(scalar)
            case ":" where allowingColon:
                name.unicodeScalars.append(scalar)
            case "0"..."9":
                if name.isEmpty { name = "_" }
                name.unicodeScalars.append(scalar)
            default:
                name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }
}
