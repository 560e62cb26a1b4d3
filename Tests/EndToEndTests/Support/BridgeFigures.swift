import Foundation
import Testing

/// What a running bridge tells of itself, and Linux of it.
extension Bridge {
    /// The sum over all labels of a metric, or one of them: `records_waiting`, `events_lost_total{reason="shutdown"}`.
    func metric(_ name: String) async throws -> Double {
        try await metric(name, admin: try await port("admin"))
    }

    /// For those who know the admin port: finding it means reading the whole log.
    func metric(_ name: String, admin: Int) async throws -> Double {
        let body = try await httpRequest("GET", "/metrics", port: admin).body
        let starts = ["b24bridge_\(name) ", "b24bridge_\(name){"]
        return body.split(separator: "\n").reduce(0) { sum, line in
            guard starts.contains(where: line.hasPrefix) else { return sum }
            return sum + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0)
        }
    }

    func answersReady() async throws -> Bool {
        try await httpRequest("GET", "/readyz", port: try await port("admin")).status == 200
    }

    func figures() throws -> ProcessFigures { try ProcessFigures(program.identifier) }

    /// Segment files of its journal.
    func segments() throws -> Int {
        let journal = try #require(folder).file("journal")
        return try FileManager.default.contentsOfDirectory(atPath: journal).count { $0.hasSuffix(".segment") }
    }
}
