package import Logging

/// Writes one JSON object a line:
/// `{"ts":"2026-01-31T09:15:00.042Z","level":"info","logger":"journal","message":"…","segment":"12"}`.
///
/// Metadata keys stand at the top level under their own names, sorted; one that would hide `ts`, `level`, `logger` or
/// `message` gets a `_` behind it. Numbers and booleans given as `.stringConvertible` stay numbers and booleans.
/// Strings are escaped, values over 16 KiB are cut, a line over 64 KiB leaves the rest of its metadata out and says
/// `"cut":true`.
package struct JSONLogHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let output: LogOutput

    package init(
        label: String,
        output: LogOutput,
        level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.label = label
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
                label: label,
                message: event.message.description,
                metadata: event.metadata(over: metadata, metadataProvider)
            )
        )
    }

    static func line(
        level: Logger.Level,
        label: String,
        message: String,
        metadata: [(String, Logger.MetadataValue)]
    ) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line.append(contentsOf: #"{"ts":""#.utf8)
        LogTimestamp.now().append(to: &line)
        line.append(contentsOf: #"","level":""#.utf8)
        line.append(contentsOf: level.rawValue.utf8)
        line.append(contentsOf: #"","logger":"#.utf8)
        append(label, to: &line)
        line.append(contentsOf: #","message":"#.utf8)
        append(message, to: &line)
        var names: Set = ["ts", "level", "logger", "message"]
        for (key, value) in metadata {
            guard line.count < LogText.maxLineBytes else {
                line.append(contentsOf: #","cut":true"#.utf8)
                break
            }
            var name = key
            while !names.insert(name).inserted { name += "_" }
            line.append(UInt8(ascii: ","))
            append(name, to: &line)
            line.append(UInt8(ascii: ":"))
            append(value, to: &line, depth: 0)
        }
        line.append(contentsOf: "}\n".utf8)
        return line
    }

    private static func append(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        LogText.appendEscaped(text, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    private static func append(_ value: Logger.MetadataValue, to line: inout [UInt8], depth: Int) {
        guard depth < LogText.maxDepth, line.count < LogText.maxLineBytes else {
            line.append(contentsOf: #""…""#.utf8)
            return
        }
        switch value {
        case .string(let text):
            append(text, to: &line)
        case .stringConvertible(let value as any BinaryInteger & CustomStringConvertible):
            line.append(contentsOf: value.description.utf8)
        case .stringConvertible(let value as Double) where value.isFinite:
            line.append(contentsOf: value.description.utf8)
        case .stringConvertible(let value as Bool):
            line.append(contentsOf: value.description.utf8)
        case .stringConvertible(let value):
            append(value.description, to: &line)
        case .array(let values):
            line.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(value, to: &line, depth: depth + 1)
                if line.count >= LogText.maxLineBytes { break }
            }
            line.append(UInt8(ascii: "]"))
        case .dictionary(let values):
            line.append(UInt8(ascii: "{"))
            for (index, pair) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(pair.key, to: &line)
                line.append(UInt8(ascii: ":"))
                append(pair.value, to: &line, depth: depth + 1)
                if line.count >= LogText.maxLineBytes { break }
            }
            line.append(UInt8(ascii: "}"))
        }
    }
}
