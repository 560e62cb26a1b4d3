import Foundation
import Glibc
import Testing

@Suite struct LogTests {
    @Test func everyLineIsOneJSONObjectWithTimeLevelAndMessage() async throws {
        let bridge = try Setup().start(["--log-level", "trace"])
        let port = try await bridge.port()
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        try await bridge.stop()
        let log = bridge.log()
        #expect(log.count >= 5)
        for entry in log {
            #expect((entry["ts"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z/) != nil, "\(entry)")
            #expect(entry["level"] is String && entry["message"] is String && entry["logger"] is String, "\(entry)")
        }
        #expect(log.first?["message"] as? String == "starting")
        #expect(log.last?["message"] as? String == "stopped")
        #expect(bridge.program.standardOutput.isEmpty)
    }

    @Test(arguments: ["info", "trace"])
    func noSecretIsLoggedAtAnyLevel(level: String) async throws {
        let secrets = (
            property: "canary-of-a-property-0001", file: "canary-of-a-file-000002", variable: "canary-of-a-variable-03"
        )
        var setup = try Setup()
        try setup.folder.write(secrets.file, to: "secret")
        setup.settings["kafka"] = [
            "properties": [
                "sasl.username": secrets.property, "sasl.password": ["file": setup.folder.file("secret")],
                "ssl.key.password": ["env": "CANARY"],
            ]
        ]
        let bridge = try setup.start(["--log-level", level], environment: ["CANARY": secrets.variable])
        let port = try await bridge.port()
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        #expect(try await post(SampleEvent.form(token: "a-token-that-is-wrong-0004"), port: port).status == 403)
        bridge.program.send(SIGHUP)
        let admin = try await bridge.port("admin")
        for target in ["/status", "/metrics", "/"] {
            let body = try await httpRequest("GET", target, port: admin).body
            #expect(body.count > 200 && !body.contains("canary") && !body.contains(SampleEvent.token))
        }
        try await eventually("the portals are re-read") { bridge.program.standardError.contains("portals re-read") }
        try await bridge.stop()
        let log = bridge.program.standardError
        for secret in ["canary", SampleEvent.token, "a-token-that-is-wrong"] {
            #expect(!log.contains(secret), "\(secret) is in the log")
        }
    }

    @Test func theLevelLeavesLinesOut() async throws {
        // The line that tells the port is left out, so the port is chosen here.
        let port = 20_000 + Int.random(in: 0..<10_000)
        var setup = try Setup()
        setup.settings["http"] = ["port": port]
        let bridge = try setup.start(["--log-level", "warning"])
        try await eventually("it listens") { (try? HTTPClient(port: port)) != nil }
        try await bridge.stop()
        #expect(bridge.log().allSatisfy { ["warning", "error", "critical"].contains($0["level"] as? String) })
    }

    /// A log that nobody reads must not stop what the process is for.
    @Test func aFullPipeDoesNotStopServing() async throws {
        let pipes = try Pipes()
        defer { for end in [pipes.reading, pipes.writing] { close(end) } }
        let port = 20_000 + Int.random(in: 0..<10_000)
        var setup = try Setup()
        setup.settings["http"] = ["port": port, "maxBodyBytes": 1024]
        let bridge = try setup.start(["--log-level", "trace"], errors: .descriptor(pipes.writing))
        let big = [UInt8](repeating: UInt8(ascii: "x"), count: 2000)
        try await eventually("it listens") { (try? HTTPClient(port: port)) != nil }
        // Each of these is a log line; a pipe takes 64 KiB.
        let refuse: @Sendable (Int) throws -> Void = { count in
            for _ in 0..<count {
                let answer = try HTTPClient(port: port).request("POST", "/b24/events", big)
                guard answer.status == 413 else { throw NotInTime(description: "413 and not \(answer.status)") }
            }
        }
        func unread() -> Int32 {
            var count: Int32 = 0
            _ = ioctl(pipes.reading, UInt(FIONREAD), &count)
            return count
        }
        try await onThread { try refuse(600) }
        let full = unread()
        try await onThread { try refuse(30) }
        #expect(full > 32 << 10 && unread() == full, "the pipe is not full, so nothing is shown")
        for number in 0..<20 {
            #expect(try await post(SampleEvent.form(number: "\(number)"), port: port).status == 200)
        }
        bridge.program.send(SIGTERM)
        #expect(try await bridge.program.waitForEnd() == .exit(0))
    }

    @Test func hostileBytesNeitherBreakALineNorBringSecretsIntoIt() async throws {
        // With the journal full, portal and event code of each lost event are logged.
        var setup = try Setup(servers: Cluster.nowhere)
        setup.settings["journal"] = ["maxBytes": "1MiB", "segmentBytes": "64KiB"]
        setup.settings["shutdownTimeout"] = "100ms"
        let hostilePortal = "a\\\"}]"
        try setup.folder.write(
            SampleEvent.portals() + "  - memberId: '\(hostilePortal)'\n    applicationTokens: [\(SampleEvent.token)]\n",
            to: "portals.yaml"
        )
        let bridge = try setup.start(["--log-level", "trace"])
        let port = try await bridge.port()
        let padding = String(repeating: "x", count: 400_000)
        var statuses: [Int] = []
        while statuses.last != 503, statuses.count < 10 {
            statuses.append(try await post(SampleEvent.form() + "&data[P]=\(padding)", port: port).status)
        }
        #expect(statuses.last == 503, "\(statuses)")

        let codes = [
            "ON%0AX", "ON%0D%0A{%22level%22:%22x%22}", "%00%1B[31m%07", "%FF%FE%C3(", "%E2%80%A8%E2%80%AE%7F", "\"\\}",
        ]
        let portal = hostilePortal.addingPercentEncoding(withAllowedCharacters: .alphanumerics)!
        try await withThrowingTaskGroup { group in
            for code in codes {
                group.addTask {
                    let answer = try await post(
                        SampleEvent.form(code: code, portal: portal) + "&data[P]=\(padding)",
                        port: port
                    )
                    #expect(answer.status == 503, "\(code)")
                    #expect(answer.headers["retry-after"] != nil)
                }
            }
            // Nothing of these is in a log line today; if it ever is, it must be fit for one.
            for target in ["/%0A%22", "/b24/events/%1B[31m\"\\", "/\u{7F}"] {
                group.addTask { _ = try? await httpRequest("POST", target, Array("event=\n\"".utf8), port: port) }
            }
            try await group.waitForAll()
        }
        let lost = try await eventually("each loss is logged") {
            let lost = bridge.log().filter { $0["portal"] as? String == hostilePortal }
            return lost.count == codes.count ? lost : nil
        }
        let logged = Set(lost.compactMap { $0["event"] as? String })
        #expect(logged.count == codes.count, "\(logged)")
        // Control characters are replaced before they come to the log; a quote is the log's own business.
        #expect(logged.contains("ON\u{FFFD}X") && logged.contains("\"\\}"), "\(logged)")
        try await bridge.stop()
        let raw = FileManager.default.contents(atPath: bridge.program.folder.file("stderr")) ?? Data()
        #expect(raw.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x0A })
        #expect(String(validating: raw, as: UTF8.self) != nil)
        #expect(raw.split(separator: 0x0A).count == bridge.log().count)
        #expect(!bridge.program.standardError.contains(SampleEvent.token))
    }
}
