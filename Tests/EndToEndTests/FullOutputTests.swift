import Glibc
import KafkaClient
import Testing

/// Results that cannot be written are no results: whoever keeps them on a full disk must be told.
@Suite struct FullOutputTests {
    private func run(_ arguments: [String]) async throws -> (end: RunningProgram.End, errors: String) {
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(full >= 0)
        defer { close(full) }
        let program = try RunningProgram(BuiltProducts.bridge, arguments, output: .descriptor(full))
        return (try await program.waitForEnd(), program.standardError)
    }

    @Test func whatCannotBeWrittenIsAFailureWithWords() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        let stranger = SampleEvent.form(token: "nobody-knows-this-token-0123456789", portal: "stranger")
        #expect(try await post(stranger, port: port).status == 403)
        let config = ["--config", setup.folder.file("b24bridge.yaml")]
        let deadline = ContinuousClock.now + .seconds(20)
        while try await runBridge(["dead-letters", "list", "--json"] + config).output.isEmpty {
            try #require(ContinuousClock.now < deadline, "the dead letter does not come")
        }
        let url = ["--url", "http://127.0.0.1:\(port)/b24/events", "--count", "1"]
        for command in [
            ["check"] + config, ["simulate", "events", "--json"] + url + config, ["simulate", "portals"],
            ["dead-letters", "list"] + config, ["dead-letters", "list", "--json"] + config,
            ["dead-letters", "requeue", "--dry-run"] + config,
        ] {
            try await expectFailure(command)
        }
        try await bridge.stop()
        for tool in [["inspect"], ["inspect", "--json"], ["verify"], ["export"], ["replay", "--dry-run"]] {
            try await expectFailure(["journal"] + tool + config)
        }
    }

    private func expectFailure(_ command: [String]) async throws {
        let (end, errors) = try await run(command)
        #expect(end == .exit(1), "\(command): \(errors)")
        #expect(
            errors.contains("standard output cannot be written: No space left on device; "),
            "\(command): \(errors)"
        )
    }
}
