import Foundation
import Glibc
import Testing

@Suite struct SimulatePortalTests {
    private static func lines(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
    }

    /// The stand-in, and the port that it has chosen.
    private static func start(_ more: [String] = []) async throws -> (RunningProgram, Int) {
        let program = try RunningProgram(
            BuiltProducts.bridge,
            ["simulate", "portal", "--port", "0", "--json", "--install-url", "http://127.0.0.1:1/b24/install"] + more
        )
        let address = try await eventually("it says where it is; \(program.standardError)") {
            try lines(program.standardOutput).first?["address"] as? String
        }
        let port = try #require(URLComponents(string: address)?.port)
        return (program, port)
    }

    @Test func eachCallAndEachEventIsALineWithoutTokens() async throws {
        let (program, port) = try await Self.start(["--portals", "2", "--client-secret", "geheim"])
        #expect(try await httpRequest("POST", "/control/install?portal=2", port: port).status == 200)
        let told = try await httpRequest("POST", "/control/credentials?portal=2", port: port).body
        let credentials = try #require(try JSONSerialization.jsonObject(with: Data(told.utf8)) as? [String: String])
        let token = try #require(credentials["access_token"])
        let info = try await httpRequest("GET", "/rest/app.info?auth=\(token)", port: port)
        #expect(info.status == 200)
        try await eventually("three lines") { try Self.lines(program.standardOutput).count >= 3 }
        program.send(SIGINT)
        #expect(try await program.waitForEnd() == .exit(0))
        let lines = try Self.lines(program.standardOutput)
        #expect((lines[0]["portals"] as? [Any])?.count == 2)
        let delivery = try #require(lines.first { $0["kind"] as? String == "delivery" })
        #expect(delivery["event"] as? String == "ONAPPINSTALL")
        #expect(delivery["failure"] as? String == "connection refused")
        let call = try #require(lines.first { $0["kind"] as? String == "call" })
        #expect(call["method"] as? String == "oauth/app.info")
        #expect(call["status"] as? Int == 200)
        #expect(credentials.count == 5)
        for secret in Array(credentials.values) + ["geheim"] { #expect(!program.standardOutput.contains(secret)) }
        #expect(program.standardError.isEmpty)
    }

    @Test func itSaysWhatTheBridgeNeedsAndWhatCanBeDone() async throws {
        let program = try RunningProgram(BuiltProducts.bridge, ["simulate", "portal", "--port", "0"])
        try await eventually("it says all") { program.standardOutput.contains("Ctrl-C") }
        for word in [
            "clientId:", "clientSecret:", "publicURL: http://127.0.0.1:8080", "standIn: http://127.0.0.1:",
            "B24_APPLICATION_STAND_IN=", "B24_APPLICATION_PUBLIC_URL=", "B24_SECRETS_KEY", "/control/install?portal=1",
            "/control/event?portal=1", "/control/rename", "/control/uninstall", "/control/fault", "/frame?lang=ru",
        ] {
            #expect(program.standardOutput.contains(word), "\(word)")
        }
        program.send(SIGTERM)
        #expect(try await program.waitForEnd() == .exit(0))
    }

    @Test func theSamePortalsAreThereEachTime() async throws {
        var seen: [[String]] = []
        for _ in 0..<2 {
            let (program, _) = try await Self.start(["--portals", "20"])
            let portals = try #require(try Self.lines(program.standardOutput).first?["portals"] as? [[String: Any]])
            seen.append(portals.compactMap { $0["memberID"] as? String })
            program.send(SIGINT)
            #expect(try await program.waitForEnd() == .exit(0))
        }
        #expect(seen[0].count == 20)
        #expect(seen[0] == seen[1])
    }

    @Test func aPortThatIsTakenIsExplained() async throws {
        let (program, port) = try await Self.start()
        let second = try await runBridge(["simulate", "portal", "--port", "\(port)"])
        #expect(second.end == .exit(1))
        for word in ["\(port)", "--port"] { #expect(second.errors.contains(word), "\(second.errors)") }
        program.send(SIGINT)
        #expect(try await program.waitForEnd() == .exit(0))
    }

    @Test(
        arguments: [
            (["--portals", "0"], "--portals"), (["--port", "70000"], "--port"),
            (["--token-life", "0s"], "--token-life"),
            (["--install-url", "bridge"], "--install-url"), (["--address", "x"], "--address"),
        ] as [([String], String)]
    )
    func badUsage(arguments: [String], word: String) async throws {
        let run = try await runBridge(["simulate", "portal"] + arguments)
        #expect(run.end == .exit(2), "\(run.errors)")
        #expect(run.errors.contains(word), "\(run.errors)")
        #expect(run.output.isEmpty)
    }
}
