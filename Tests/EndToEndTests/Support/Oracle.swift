import Foundation
import Testing

/// `b24bridge simulate events --verify` against a bridge under test: it alone judges what was delivered.
struct Oracle {
    let program: RunningProgram

    /// Its report, as `--json` prints it.
    struct Report: Decodable, Sendable {
        struct Times: Decodable, Sendable {
            let p50: Double
            let p99: Double
            let max: Double
        }
        let verdict: String
        let sent: Int
        let acknowledged: Int
        let refused: Int
        let unanswered: Int
        let delivered: Int
        let duplicates: Int
        let acknowledgedMissing: Int
        let neverSent: Int
        let severalIDs: Int
        let wrongKey: Int
        let wrongTopic: Int
        let orderViolations: Int
        let skippedOffsets: Int
        let answerMilliseconds: Times?
    }

    /// Starts sending to the bridge that listens, or will listen, at `port`.
    static func start(_ setup: Setup, port: Int, _ arguments: [String]) throws -> Oracle {
        let file = try setup.write()
        let url = "http://127.0.0.1:\(port)/b24/events"
        let fixed = ["simulate", "events", "--config", file, "--url", url, "--verify", "--json", "--timeout", "30s"]
        return Oracle(program: try RunningProgram(BuiltProducts.bridge, fixed + arguments))
    }

    /// Ends sending, as Ctrl-C does.
    func stopSending() { program.send(SIGINT) }

    /// Waits for the verdict and expects it to be good.
    ///
    /// - Returns: the report; its figures are what was seen, not what was asked for.
    func verdict(
        _ scenario: String,
        within limit: Duration = .seconds(120),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Report {
        let end = try await program.waitForEnd(within: limit, sourceLocation: sourceLocation)
        let text = program.standardOutput
        #expect(end == .exit(0), "\(scenario): \(text) \(program.standardError)", sourceLocation: sourceLocation)
        let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
        #expect(report.verdict == "good", "\(scenario): \(text)", sourceLocation: sourceLocation)
        #expect(report.acknowledgedMissing == 0 && report.neverSent == 0, sourceLocation: sourceLocation)
        #expect(report.orderViolations == 0 && report.severalIDs == 0, sourceLocation: sourceLocation)
        #expect(report.wrongKey == 0 && report.wrongTopic == 0, sourceLocation: sourceLocation)
        return report
    }
}

extension Oracle.Report {
    /// What every scenario tells at its end.
    var figures: String {
        let times = answerMilliseconds.map { " p50 \($0.p50) ms, p99 \($0.p99) ms," } ?? ""
        return "\(sent) sent, \(acknowledged) acknowledged, \(delivered) delivered, \(acknowledgedMissing) missing,"
            + "\(times) \(duplicates) repeated, \(orderViolations) out of order"
    }
}
