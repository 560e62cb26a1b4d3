/// Writes the Prometheus text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
struct PrometheusText {
    private(set) var bytes: [UInt8] = []

    mutating func family(_ name: String, type: String, help: String?) {
        if let help {
            append("# HELP \(name) ")
            append(Self.escapedHelp(help))
            append("\n")
        }
        append("# TYPE \(name) \(type)\n")
    }

    mutating func sample(_ name: String, suffix: String = "", labels: String, count: UInt64) {
        begin(name, suffix, labels)
        append(String(count))
        append("\n")
    }

    mutating func sample(_ name: String, suffix: String = "", labels: String, value: Double) {
        begin(name, suffix, labels)
        append(Self.number(value))
        append("\n")
    }

    /// - Parameter upperBound: `nil` for the last bucket, which holds everything.
    mutating func bucket(_ name: String, labels: String, upperBound: Double?, count: UInt64) {
        let bound = "le=\"\(upperBound.map(Self.number) ?? "+Inf")\""
        sample(name, suffix: "_bucket", labels: labels.isEmpty ? bound : "\(labels),\(bound)", count: count)
    }

    private mutating func begin(_ name: String, _ suffix: String, _ labels: String) {
        append(name)
        append(suffix)
        if !labels.isEmpty {
            append("{")
            append(labels)
            append("}")
        }
        append(" ")
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Whole numbers without a fraction, as the clients of Prometheus print them: `le="1"`, not `le="1.0"`.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
        return value.description
    }

    private static func escapedHelp(_ help: String) -> String {
        var escaped = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(MetricText.printable(scalar))
            }
        }
        return escaped
    }
}
