import Foundation
import Glibc
import Testing

/// The classic slow attacks, by the tool that everybody uses for them.
@Suite(.serialized) struct SlowClientFaultTests {
    private static let tool = "/usr/bin/slowhttptest"

    struct Attack: Sendable, CustomTestStringConvertible {
        let name: String
        let arguments: [String]
        /// The bridge ends what is slow; a client that reads its small answers slowly is no harm and may stay.
        let isEnded: Bool
        var testDescription: String { name }
    }

    private static let attacks = [
        Attack(name: "slow headers", arguments: ["-H", "-t", "POST", "-x", "24"], isEnded: true),
        Attack(name: "slow body", arguments: ["-B", "-s", "8192", "-x", "10"], isEnded: true),
        Attack(
            name: "slow read",
            arguments: ["-X", "-k", "10", "-n", "1", "-z", "1", "-w", "8", "-y", "16"],
            isEnded: false
        ),
    ]

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: tool), "make setup-tests installs slowhttptest"),
        arguments: attacks
    )
    func genuineEventsAreAnsweredDuring(_ attack: Attack) async throws {
        var setup = try Setup()
        setup.settings["http"] = ["requestTimeout": "1s"]
        let connections = Campaign.pick(short: 150, full: 3000)
        try await Siege.run(attack.name, setup, memoryMiB: Campaign.pick(short: 32, full: 128)) { siege in
            // Where the bridge ends it, it ends long before.
            let time = attack.isEnded ? "60" : Campaign.pick(short: "3", full: "30")
            let tool = try RunningProgram(
                Self.tool,
                attack.arguments + [
                    "-c", "\(connections)", "-r", "\(connections)", "-i", "1", "-p", "2",
                    "-l", time, "-u", "http://127.0.0.1:\(siege.port)/b24/events",
                ]
            )
            let end = try await tool.waitForEnd(within: .seconds(90))
            #expect(end == .exit(0))
            let lines = tool.standardOutput.replacing(/\u{1B}\[[0-9;]*[A-Za-z]/, with: "").split(separator: "\n")
            func last(_ label: String) -> String? {
                lines.last { $0.hasPrefix(label + ":") }?.split(separator: ":").last?.trimmingCharacters(
                    in: .whitespaces
                )
            }
            #expect(last("service available") == "YES")
            // It ends early only when the bridge has closed every one of its connections.
            let outcome = last("Exit status") ?? ""
            #expect(outcome == (attack.isEnded ? "No open connections left" : "Hit test time limit"))
            return Siege.Report(
                figures: "slowhttptest with \(connections) connections: \(outcome), "
                    + "service available: \(last("service available") ?? "?")"
            )
        }
    }
}
