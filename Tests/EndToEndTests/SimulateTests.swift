import Foundation
import Glibc
import Testing

@Suite struct SimulateTests {
    private static func arguments(_ setup: Setup, port: Int, _ more: [String]) throws -> [String] {
        [
            "simulate", "events", "--config", try setup.write(), "--url", "http://127.0.0.1:\(port)/b24/events",
            "--json",
        ] + more
    }

    private static func report(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [String:
        Any]
    {
        try #require(
            try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            "one JSON object: \(text)",
            sourceLocation: sourceLocation
        )
    }

    static let musts = [
        "acknowledgedMissing", "neverSent", "severalIDs", "sharedIDs", "wrongKey", "wrongTopic", "wrongMode",
        "orderViolations",
    ]

    private static func expectGood(
        _ report: [String: Any],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(report["verdict"] as? String == "good", "\(report)", sourceLocation: sourceLocation)
        for must in musts { #expect(report[must] as? Int == 0, "\(must): \(report)", sourceLocation: sourceLocation) }
    }

    @Test(arguments: ["structured", "binary"])
    func whatIsAcknowledgedArrives(mode: String) async throws {
        var setup = try Setup()
        setup.settings["kafka"] = ["mode": mode]
        let bridge = try setup.start()
        let port = try await bridge.port()
        let run = try await runBridge(try Self.arguments(setup, port: port, ["--verify", "--count", "1500"]))
        #expect(run.end == .exit(0), "\(run.errors)")
        let report = try Self.report(run.output)
        Self.expectGood(report)
        for name in ["sent", "acknowledged", "delivered"] { #expect(report[name] as? Int == 1500, "\(name)") }
        for name in ["refused", "unanswered", "duplicates"] { #expect(report[name] as? Int == 0, "\(name)") }
        let times = try #require(report["answerMilliseconds"] as? [String: Double])
        #expect(try #require(times["p50"]) <= #require(times["p99"]))
        #expect(try #require(times["p99"]) <= #require(times["max"]))

        // The next run does not take the records of this one for its own.
        let again = try await runBridge(
            try Self.arguments(setup, port: port, ["--verify", "--rate", "500", "--duration", "1s", "--entities", "3"])
        )
        #expect(again.end == .exit(0), "\(again.errors)")
        let second = try Self.report(again.output)
        Self.expectGood(second)
        #expect(second["delivered"] as? Int == second["acknowledged"] as? Int)
        #expect((1...500).contains(try #require(second["sent"] as? Int)))
        try await bridge.stop()
    }

    @Test func theReportForPeopleSaysGood() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        var arguments = try Self.arguments(setup, port: try await bridge.port(), ["--verify", "--count", "50"])
        arguments.removeAll { $0 == "--json" }
        let run = try await runBridge(arguments)
        #expect(run.end == .exit(0), "\(run.errors)")
        for word in ["acknowledged", "orderViolations", "verdict: good", "p99"] { #expect(run.output.contains(word)) }
        #expect(!run.output.contains(SampleEvent.token))
        #expect(run.errors.isEmpty, "no terminal, no progress: \(run.errors)")
    }

    /// The bridge produces to another cluster than the one that is read.
    @Test func whatDoesNotArriveIsMissing() async throws {
        let setup = try Setup()
        let elsewhere = try Cluster()
        let bridge = try setup.start()
        let run = try await runBridge(
            try Self.arguments(
                setup,
                port: try await bridge.port(),
                ["--verify", "--bootstrap-servers", elsewhere.servers, "--count", "30", "--timeout", "500ms"]
            )
        )
        #expect(run.end == .exit(1))
        let report = try Self.report(run.output)
        #expect(report["verdict"] as? String == "bad")
        #expect(report["acknowledgedMissing"] as? Int == 30)
        let examples = try #require(report["examples"] as? [String: [[String: Any]]])
        let missing = try #require(examples["acknowledgedMissing"])
        #expect(missing.count == 10)
        #expect(missing[0]["portal"] as? String == SampleEvent.portal)
        #expect((missing[0]["key"] as? String)?.hasPrefix(SampleEvent.portal + "/") == true)
        #expect(run.errors.contains("--timeout"), "\(run.errors)")
    }

    @Test func aClusterThatDoesNotAnswerEndsItBeforeAnythingIsSent() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let run = try await runBridge(
            try Self.arguments(
                setup,
                port: try await bridge.port(),
                ["--verify", "--bootstrap-servers", Cluster.nowhere]
            )
        )
        #expect(run.end == .exit(1))
        #expect(run.output.isEmpty)
        #expect(run.errors.contains(Cluster.nowhere), "\(run.errors)")
    }

    @Test func aKeyThatIsNotTheConfiguredOneIsWrong() async throws {
        var setup = try Setup()
        setup.settings["kafka"] = ["key": "{portal}"]
        let bridge = try setup.start()
        let port = try await bridge.port()
        setup.settings["kafka"] = ["key": "{portal}/{entity}/{id}"]
        let run = try await runBridge(try Self.arguments(setup, port: port, ["--verify", "--count", "20"]))
        #expect(run.end == .exit(1))
        #expect(try Self.report(run.output)["wrongKey"] as? Int == 20, "\(run.output)")
    }

    @Test func anUnknownTokenIsRefused() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let other = try Setup()
        try other.folder.write(
            SampleEvent.portals(tokens: ["0123456789abcdef0123456789abcdef"]),
            to: "portals.yaml"
        )
        let run = try await runBridge(try Self.arguments(other, port: port, ["--count", "20"]))
        #expect(run.end == .exit(1), "nothing was acknowledged")
        let report = try Self.report(run.output)
        #expect(report["refusedByStatus"] as? [String: Int] == ["403": 20])
        #expect(report["verified"] as? Bool == false)
        #expect(run.errors.contains("403"), "\(run.errors)")
    }

    @Test func nobodyListens() async throws {
        let setup = try Setup()
        let run = try await runBridge(try Self.arguments(setup, port: 1, ["--count", "20"]))
        #expect(run.end == .exit(1))
        for word in ["nobody answers", "refused", "--url"] { #expect(run.errors.contains(word), "\(run.errors)") }
        #expect(run.output.isEmpty)
    }

    /// The bridge is killed and comes back at the same port.
    @Test func holdingGoesThroughARestart() async throws {
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        let first = try setup.start()
        let port = try await first.port()
        setup.settings["http"] = ["port": port]
        let arguments = try Self.arguments(setup, port: port, ["--verify", "--hold", "--rate", "300"])
        let simulation = try RunningProgram(BuiltProducts.bridge, arguments)
        try await eventually("events come") { try await first.metric("records_committed_total") >= 100 }
        try await first.program.killAtOnce()
        let second = try setup.start()
        try await eventually("events come again") { try await second.metric("records_committed_total") >= 100 }
        simulation.send(SIGINT)
        let end = try await simulation.waitForEnd(within: .seconds(60))
        #expect(end == .exit(0), "\(simulation.standardError)")
        let report = try Self.report(simulation.standardOutput)
        Self.expectGood(report)
        #expect(report["end"] as? String == "stopped")
        #expect(try #require(report["unanswered"] as? Int) > 0, "the outage was felt")
        #expect(try #require(report["acknowledged"] as? Int) >= 200)
        try await second.stop()
    }

    @Test func withoutHoldingItEndsWhenNobodyAnswersAnyMore() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let simulation = try RunningProgram(
            BuiltProducts.bridge,
            try Self.arguments(setup, port: port, ["--rate", "50", "--duration", "10m", "--request-timeout", "1s"])
        )
        try await eventually("events come") { try await bridge.metric("records_committed_total") > 0 }
        try await bridge.program.killAtOnce()
        #expect(try await simulation.waitForEnd(within: .seconds(30)) == .exit(1))
        #expect(try Self.report(simulation.standardOutput)["end"] as? String == "noAnswer")
        #expect(simulation.standardError.contains("--hold"), "\(simulation.standardError)")
    }

    @Test(
        arguments: [
            (["--rate", "0"], "--rate"), (["--rate", "x"], "--rate"), (["--count", "0"], "--count"),
            (["--connections", "0"], "--connections"), (["--duration", "5x"], "--duration"),
            (["--timeout", "-1s"], "--timeout"), (["--portals", "2"], "--portals 2"),
            (["--portals", "0"], "--portals"), (["--entities", "0"], "--entities"),
            (["--events", "ON CRM,"], "event code"), (["--events", "ONIMCONNECTORLINEDELETE"], "cannot be simulated"),
            (["--url", "ftp://x/"], "--url"), (["--url", "nonsense"], "--url"),
            (["--bootstrap-servers", "x:1"], "--verify"), (["--verify"], "--bootstrap-servers"),
            (["--config", "/nonexistent.yaml"], "nonexistent"),
        ] as [([String], String)]
    )
    func badUsage(arguments: [String], word: String) async throws {
        let run = try await runBridge(["simulate", "events"] + arguments)
        #expect(run.end == .exit(2), "\(run.errors)")
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test func madeUpPortalsAreTakenByTheBridge() async throws {
        let made = try await runBridge(["simulate", "portals", "--count", "3"])
        #expect(made.end == .exit(0))
        let setup = try Setup()
        try setup.folder.write(made.output, to: "portals.yaml")
        let bridge = try setup.start()
        let port = try await bridge.port()
        let run = try await runBridge(try Self.arguments(setup, port: port, ["--verify", "--count", "200"]))
        #expect(run.end == .exit(0), "\(run.errors)")
        #expect(try Self.report(run.output)["portals"] as? Int == 3)
        #expect(try await runBridge(["simulate", "portals", "--count", "0"]).end == .exit(2))
    }

    /// With the very words that it prints.
    @Test func theDevelopmentStageIsVerifiedByTheCommandItPrints() async throws {
        let stage = try RunningProgram(
            BuiltProducts.bridge,
            ["serve", "--dev"],
            environment: DevelopmentTests.freePorts
        )
        let line = try await eventually("the command is printed; \(stage.standardError)") {
            stage.standardOutput.split(separator: "\n").first { $0.contains("simulate events") }.map(String.init)
        }
        let words = line.split(separator: " ").dropFirst().map(String.init)
        let run = try await runBridge(words + ["--json"])
        #expect(run.end == .exit(0), "\(run.errors)")
        Self.expectGood(try Self.report(run.output))
        stage.send(SIGTERM)
        #expect(try await stage.waitForEnd() == .exit(0))
    }
}
