import Logging

/// How a line is written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object a line, for machines.
    case json
    /// `time level message key=value`, for people.
    case text
}

/// Escapes and bounds what goes into a line. A Swift `String` is valid UTF-8 whatever bytes it was made of, so what is
/// left to do is to take the meaning from characters that could end a line or steer a terminal.
enum LogText {
    /// A longer value is cut.
    static let maxValueBytes = 16 * 1024
    /// Once a line is this long, no further metadata is added.
    static let maxLineBytes = 64 * 1024
    /// Deeper metadata is left out.
    static let maxDepth = 8

    private static let hex = Array("0123456789abcdef".utf8)

    /// Appends a string with the escapes of JSON, without quotes.
    static func appendEscaped(_ text: String, to line: inout [UInt8], quotes: Bool = true) {
        var budget = maxValueBytes
        for scalar in text.unicodeScalars {
            budget -= UTF8.width(scalar)
            guard budget >= 0 else {
                line.append(contentsOf: "… (cut)".utf8)
                return
            }
            switch scalar {
            case "\"" where quotes: line.append(contentsOf: #"\""#.utf8)
            case "\\" where quotes: line.append(contentsOf: #"\\"#.utf8)
            case "\n": line.append(contentsOf: #"\n"#.utf8)
            case "\r": line.append(contentsOf: #"\r"#.utf8)
            case "\t": line.append(contentsOf: #"\t"#.utf8)
            case _ where isSteering(scalar): appendUnicodeEscape(scalar, to: &line)
            case _ where scalar.isASCII: line.append(UInt8(scalar.value))
            default: line.append(contentsOf: String(scalar).utf8)
            }
        }
    }

    /// Control characters (C0, DEL, C1), the line separators U+2028 and U+2029, and the marks that turn the direction
    /// of what follows. None of them lies beyond U+FFFF, so one `\uXXXX` is enough.
    static func isSteering(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }

    private static func appendUnicodeEscape(_ scalar: Unicode.Scalar, to line: inout [UInt8]) {
        line.append(contentsOf: #"\u"#.utf8)
        for shift in [12, 8, 4, 0] as [UInt32] {
            line.append(hex[Int(scalar.value >> shift & 0xF)])
        }
    }
}

extension LogEvent {
    /// All metadata of a line, in the order of precedence that swift-log gives it: what the call says wins over the
    /// metadata provider, and that over what the logger carries. An error appears as `error.message` and `error.type`,
    /// as in swift-log's own handler.
    func metadata(over base: Logger.Metadata, _ provider: Logger.MetadataProvider?) -> [(String, Logger.MetadataValue)]
    {
        var merged = base
        if let provided = provider?.get(), !provided.isEmpty {
            merged.merge(provided) { _, new in new }
        }
        if let metadata, !metadata.isEmpty {
            merged.merge(metadata) { _, new in new }
        }
        if let error {
            merged["error.message"] = .string("\(error)")
            merged["error.type"] = .string(String(reflecting: type(of: error)))
        }
        return merged.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
