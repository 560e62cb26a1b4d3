import Foundation
import Testing

@Suite struct CheckTests {
    private struct Finding: Decodable {
        let grade: String
        let subject: String
        let text: String
    }

    /// Kafka that is away is waited for to the end of the timeout; one that is there answers as soon as the machine lets it.
    private func check(_ setup: Setup, _ arguments: [String] = []) async throws -> CommandResult {
        let timeout = setup.servers == Cluster.nowhere ? "3" : "25"
        return try await runBridge(["check", "--timeout", timeout, "--config", setup.write()] + arguments)
    }

    private func findings(_ setup: Setup) async throws -> [Finding] {
        let output = try await check(setup, ["--json"]).output
        return try JSONDecoder().decode([Finding].self, from: Data(output.utf8))
    }

    @Test func whenAllIsWellTheStatusIsZero() async throws {
        var setup = try Setup()
        setup.settings["journal"] = ["maxBytes": "1GiB", "parkedMaxBytes": "100MiB"]
        let result = try await check(setup)
        #expect(result.end == .exit(0), "\(result)")
        #expect(result.errors.isEmpty)
        #expect(!result.output.contains("FAILED"))
        for subject in [
            "portals: 1", "journal \(setup.folder.file("journal"))", "of 1.0 GiB used", "of 100.0 MiB used",
            "kafka \(setup.servers): 1 broker", "topics",
        ] {
            #expect(result.output.contains(subject), "\(subject) in \(result.output)")
        }
    }

    @Test func withKafkaAwayTheStatusIsOneAndTheWordsSayWhereToLook() async throws {
        let result = try await check(Setup(servers: Cluster.nowhere))
        #expect(result.end == .exit(1))
        let line = try #require(result.outputLines.first { $0.hasPrefix("FAILED") })
        #expect(line.contains("kafka \(Cluster.nowhere)") && line.contains("kafka.bootstrapServers"), "\(line)")
    }

    @Test func aBrokenConfigurationIsStatusTwo() async throws {
        var setup = try Setup()
        setup.settings["shutdownTimeout"] = "soon"
        let result = try await check(setup, ["--json"])
        #expect(result.end == .exit(2))
        #expect(result.output.isEmpty)
        #expect(result.errorLines.count == 1 && result.errors.contains("shutdownTimeout"), "\(result.errors)")
    }

    @Test func asJSONItIsAnArrayOfFindings() async throws {
        let good = try await findings(Setup())
        #expect(good.count >= 5)
        #expect(good.allSatisfy { ["good", "warning"].contains($0.grade) && !$0.subject.isEmpty && !$0.text.isEmpty })
        let bad = try await findings(Setup(servers: Cluster.nowhere))
        #expect(bad.filter { $0.grade == "failure" }.map(\.subject) == ["kafka \(Cluster.nowhere)"])
    }

    @Test func aJournalInUseIsSaidToBeSoAndIsNoFault() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let result = try await check(setup)
        #expect(result.end == .exit(0), "\(result)")
        let lines = result.outputLines.filter { $0.contains("in use") }
        #expect(
            lines.count == 2
                && lines.allSatisfy { $0.hasPrefix("ok") && $0.contains("journal") && $0.contains("fine") },
            "\(result.output)"
        )
        // Nor does it hurt whoever uses it.
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        try await bridge.stop()
        #expect(try await !check(setup).output.contains("in use"))
    }

    @Test func eachJournalIsShownWithItsOwnQuota() async throws {
        var setup = try Setup()
        setup.settings["journal"] = ["maxBytes": "1GiB", "parkedMaxBytes": "256MiB"]
        let journals = try await findings(setup).filter { $0.subject.hasPrefix("journal ") }
        #expect(journals.count == 2 && journals[0].text.contains("of 1.0 GiB used"), "\(journals)")
        #expect(journals.last?.text.contains("of 256.0 MiB used") == true, "\(journals)")
    }

    @Test func aSecondServeOnOneJournalIsRefused() async throws {
        let setup = try Setup()
        let first = try setup.start()
        let port = try await first.port()
        let second = try setup.start()
        #expect(try await second.program.waitForEnd() == .exit(1))
        #expect(second.program.standardError.contains("in use by another process"), "\(second.program.standardError)")
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
    }

    @Test func withoutPortalsItWarnsAndWithoutAJournalItFails() async throws {
        var setup = try Setup()
        try setup.folder.write("portals: []\n", to: "portals.yaml")
        #expect(try await check(setup).outputLines.contains { $0.hasPrefix("warning") && $0.contains("portals") })
        setup.settings["journal"] = ["directory": "/proc/journal"]
        let result = try await check(setup)
        #expect(result.end == .exit(1))
        #expect(
            result.outputLines.contains { $0.hasPrefix("FAILED") && $0.contains("/proc/journal") },
            "\(result.output)"
        )
    }
}
