import Foundation
import Locks
import Logging
import Synchronization
import Testing

@testable import Bridge

/// A directory of its own for one test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "bridge-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
        return file
    }

    /// The bytes of all files below, one after the other.
    func allBytes() throws -> Data {
        var bytes = Data()
        let names = FileManager.default.enumerator(atPath: path)
        while let name = names?.nextObject() as? String {
            bytes += FileManager.default.contents(atPath: "\(path)/\(name)") ?? Data()
        }
        return bytes
    }
}

/// Keeps the log lines of one bridge.
final class LogLines: Sendable {
    private let text = Guarded<[String]>([])

    var lines: [String] { text.withLock { $0 } }

    func contains(_ words: String...) -> Bool {
        lines.contains { line in words.allSatisfy { line.contains($0) } }
    }

    var logger: Logger {
        Logger(label: "bridge-test") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            let fields = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            lines.text.withLock { $0.append("\(event.level) \(event.message) \(fields)") }
        }
    }
}

/// Waits for a condition; fails with words when it does not come about in time.
func wait(
    for what: @autoclosure () -> String,
    within limit: Duration = .seconds(15),
    sourceLocation: SourceLocation = #_sourceLocation,
    until condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            Issue.record("not within \(limit): \(what())", sourceLocation: sourceLocation)
            throw WaitingEnded()
        }
        try await Task.sleep(for: .milliseconds(10))
    }
}

struct WaitingEnded: Error {}

enum Fixtures {
    static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures")
        .standardized

    static func body(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: directory.appending(path: "bodies/\(name).form")), as: UTF8.self)
    }

    static func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: folder).path)
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
    }

    static func record(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: directory.appending(path: "records/\(name).json")), as: UTF8.self)
    }
}
