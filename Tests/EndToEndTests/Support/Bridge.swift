import Foundation
import Glibc
import Testing

/// The configuration of a bridge under test: free ports, a folder and topics of its own.
struct Setup {
    let folder: Folder
    var servers: String
    /// First part of the topics' names.
    let prefix: String
    var settings: [String: Any] = [:]

    init(servers: String? = nil) throws {
        folder = try Folder()
        self.servers = try servers ?? Cluster.shared.get().servers
        prefix = "e2e-\(UUID().uuidString.prefix(8).lowercased())."
        try folder.write(SampleEvent.portals(), to: "portals.yaml")
    }

    var dealTopic: String { prefix + "crm.deal" }

    /// Writes the file. JSON is YAML.
    @discardableResult
    func write() throws -> String {
        var root: [String: Any] = [
            "http": ["host": "127.0.0.1", "port": 0, "eventLoops": 2], "admin": ["port": 0], "replica": "test-0",
            "kafka": [
                "bootstrapServers": servers, "topic": prefix + "{entity}", "deadLetterTopic": prefix + "dead-letter",
            ],
            "journal": ["directory": folder.file("journal")], "portals": ["file": folder.file("portals.yaml")],
        ]
        for (key, value) in settings {
            if let section = value as? [String: Any], let old = root[key] as? [String: Any] {
                root[key] = old.merging(section) { _, new in new }
            } else {
                root[key] = value
            }
        }
        let data = try JSONSerialization.data(withJSONObject: root, options: [.prettyPrinted, .withoutEscapingSlashes])
        return try folder.write(String(decoding: data, as: UTF8.self), to: "b24bridge.yaml")
    }

    /// Starts `serve`. Each start logs into a folder of its own.
    ///
    /// - Parameter launcher: a command that gives its process to the one that it is given.
    func start(
        _ arguments: [String] = [],
        launcher: [String] = [],
        environment: [String: String] = [:],
        errors: RunningProgram.Output = .file
    ) throws -> Bridge {
        let file = try write()
        return Bridge(
            program: try RunningProgram(
                launcher.first ?? BuiltProducts.bridge,
                launcher.dropFirst() + (launcher.isEmpty ? [] : [BuiltProducts.bridge]) + ["serve", "--config", file]
                    + arguments,
                environment: environment,
                errors: errors
            ),
            folder: folder
        )
    }
}

/// A running `serve`.
struct Bridge: Sendable {
    let program: RunningProgram
    /// Configuration and journal, which stay for as long as it runs.
    var folder: Folder?

    /// Log lines so far; each must be JSON.
    func log(sourceLocation: SourceLocation = #_sourceLocation) -> [[String: Any]] {
        let text = program.standardError
        // The last line may be under way.
        let whole = text.lastIndex(of: "\n").map { text[..<$0] } ?? ""
        return whole.split(separator: "\n").compactMap { line in
            let entry = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            if entry == nil { Issue.record("not a JSON line: \(line)", sourceLocation: sourceLocation) }
            return entry
        }
    }

    /// The port that a listener has bound, as soon as its log line is there.
    func port(_ listener: String = "events", sourceLocation: SourceLocation = #_sourceLocation) async throws -> Int {
        try await eventually("\(listener) listens; \(program.standardError)", sourceLocation: sourceLocation) {
            if let end = program.currentEnd() { throw NotInTime(description: "ended: \(end) \(program.standardError)") }
            for entry in log(sourceLocation: sourceLocation) where entry["listener"] as? String == listener {
                if let address = entry["address"] as? String { return Int(address.split(separator: ":").last ?? "") }
            }
            return nil
        }
    }

    /// Asks it to stop and expects that it does so in order.
    func stop(within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation) async throws {
        program.send(SIGTERM)
        let end = try await program.waitForEnd(within: limit, sourceLocation: sourceLocation)
        #expect(end == .exit(0), "\(program.standardError)", sourceLocation: sourceLocation)
    }
}
