import Foundation
import Glibc
import Testing

@Suite struct ReloadTests {
    static let newToken = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas"

    private func status(of token: String, port: Int) async throws -> Int {
        try await post(SampleEvent.form(token: token), port: port).status
    }

    private func reloads(_ bridge: Bridge, _ message: String) -> [[String: Any]] {
        bridge.log().filter { ($0["message"] as? String)?.hasPrefix(message) == true }
    }

    @Test func aSignalBringsNewTokensAndTakesOldOnesAway() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        #expect(try await status(of: SampleEvent.token, port: port) == 200)
        #expect(try await status(of: Self.newToken, port: port) == 403)

        // Rotation: both, then the new one alone.
        for (tokens, oldStatus) in [([SampleEvent.token, Self.newToken], 200), ([Self.newToken], 403)] {
            try setup.folder.write(SampleEvent.portals(tokens: tokens), to: "portals.yaml")
            let before = reloads(bridge, "portals re-read").count
            bridge.program.send(SIGHUP)
            try await eventually("the portals are re-read") { reloads(bridge, "portals re-read").count > before }
            #expect(try await status(of: Self.newToken, port: port) == 200)
            #expect(try await status(of: SampleEvent.token, port: port) == oldStatus)
        }
        #expect(!bridge.program.standardError.contains(Self.newToken))
        try await bridge.stop()
    }

    @Test func aFileWithFaultsKeepsTheOldPortalsAndTheLogSaysWhy() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let broken = [
            ("portals: [{memberId: a, applicationTokens: [\(Self.newToken)], colour: red}]", "colour"),
            ("portals: [", "portals.yaml"),
        ]
        for (text, word) in broken {
            try setup.folder.write(text, to: "portals.yaml")
            let before = reloads(bridge, "portals not re-read").count
            bridge.program.send(SIGHUP)
            let line = try await eventually("the log says why") {
                let lines = reloads(bridge, "portals not re-read")
                return lines.count > before ? lines.last : nil
            }
            #expect(line["level"] as? String == "error")
            #expect((line["faults"] as? String)?.contains(word) == true, "\(line)")
            #expect(try await status(of: SampleEvent.token, port: port) == 200)
            #expect(try await status(of: Self.newToken, port: port) == 403)
        }
        try FileManager.default.removeItem(atPath: setup.folder.file("portals.yaml"))
        bridge.program.send(SIGHUP)
        try await eventually("the file's absence is logged") {
            reloads(bridge, "portals not re-read").contains { "\($0["faults"] ?? "")".contains("No such file") }
        }
        #expect(try await status(of: SampleEvent.token, port: port) == 200)
        #expect(!bridge.program.standardError.contains(Self.newToken))
        try await bridge.stop()
    }

    /// Kubernetes swaps a mounted file and tells nobody.
    @Test func aChangedFileIsNoticedWithoutASignal() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        try setup.folder.write(SampleEvent.portals(tokens: [Self.newToken]), to: "portals.yaml")
        try await eventually("the portals are re-read") { !reloads(bridge, "portals re-read").isEmpty }
        #expect(try await status(of: Self.newToken, port: port) == 200)
        #expect(try await status(of: SampleEvent.token, port: port) == 403)
    }

    @Test func aSignalBeforeOrWithoutAPortalsFileEndsNothing() async throws {
        var setup = try Setup()
        setup.settings["portals"] = ["file": ""]
        let bridge = try setup.start()
        let port = try await bridge.port()
        bridge.program.send(SIGHUP)
        #expect(try await status(of: SampleEvent.token, port: port) == 403)
        #expect(bridge.program.currentEnd() == nil)
        try await bridge.stop()
    }
}
