package import Logging

/// Writes lines for people: `2026-01-31T09:15:00.042Z WARNING message key=value other="two words"`.
///
/// Metadata is sorted by key. A value is quoted when it is empty or holds a space, a quote, a backslash, `=`, or
/// something that had to be escaped; nested metadata is written as `[a, b]` and `{key: value}` in quotes. The logger's
/// label is left out: it is for filters, and those are better off with ``JSONLogHandler``.
package struct TextLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let output: LogOutput

    package init(
        label: String,
        output: LogOutput,
        level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.output = output
        self.logLevel = level
        self.metadataProvider = metadataProvider
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        output.write(
            Self.line(
                level: event.level,
                message: event.message.description,
                metadata: event.metadata(over: metadata, metadataProvider)
            )
        )
    }

    static func line(level: Logger.Level, message: String, metadata: [(String, Logger.MetadataValue)]) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        LogTimestamp.now().append(to: &line)
        line.append(UInt8(ascii: " "))
        let name = level.rawValue.uppercased()
        line.append(contentsOf: name.utf8)
        // The longest name that is seen often sets the column.
        for _ in 0..<max(1, 8 - name.utf8.count) { line.append(UInt8(ascii: " ")) }
        LogText.appendEscaped(message, to: &line, quotes: false)
        for (key, value) in metadata {
            line.append(UInt8(ascii: " "))
            guard line.count < LogText.maxLineBytes else {
                line.append(contentsOf: "…".utf8)
                break
            }
            append(key, to: &line)
            line.append(UInt8(ascii: "="))
            append(text(of: value), to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        let plain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case " ", "\"", "\\", "=": false
                default: !LogText.isSteering(scalar)
                }
            }
        if !plain { line.append(UInt8(ascii: "\"")) }
        LogText.appendEscaped(text, to: &line)
        if !plain { line.append(UInt8(ascii: "\"")) }
    }

    private static func text(of value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): return text
        case .stringConvertible(let value): return value.description
        case .array, .dictionary:
            var text = ""
            append(value, to: &text, depth: 0)
            return text
        }
    }

    /// Stops soon after the text is as long as a value may be, so that it is cut when it is printed.
    private static func append(_ value: Logger.MetadataValue, to text: inout String, depth: Int) {
        guard depth < LogText.maxDepth else {
            text += "…"
            return
        }
        switch value {
        case .string(let value): text.unicodeScalars += value.unicodeScalars.prefix(LogText.maxValueBytes)
        case .stringConvertible(let value): text += value.description
        case .array(let values):
            text += "["
            for (index, value) in values.enumerated() where text.utf8.count <= LogText.maxValueBytes {
                if index > 0 { text += ", " }
                append(value, to: &text, depth: depth + 1)
            }
            text += "]"
        case .dictionary(let values):
            text += "{"
            let sorted = values.sorted { $0.key < $1.key }
            for (index, pair) in sorted.enumerated() where text.utf8.count <= LogText.maxValueBytes {
                if index > 0 { text += ", " }
                text += "\(pair.key): "
                append(pair.value, to: &text, depth: depth + 1)
            }
            text += "}"
        }
    }
}
