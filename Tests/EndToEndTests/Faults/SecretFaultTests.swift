import Foundation
import KafkaClient
import Testing

/// Tokens planted in every place where Bitrix24 sends them are searched for in everything that comes out.
@Suite struct SecretFaultTests {
    /// Where Bitrix24 hides secrets: in `auth`, in `data` at any depth and in any case, in the calls of pages and robots.
    private static let places = [
        "auth[access_token]", "auth[refresh_token]", "auth[client_secret]", "data[BOT][7][access_token]",
        "data[BOT][7][AUTH][application_token]", "data[BOT][7][AUTH][refresh_token]",
        "data[COMMAND][3][AUTH][access_token]",
        "data[bot][auth][Refresh_Token]", "data[TOKEN]", "data[a][b][c][d][PassWord]", "data[x][jwt]",
        "data[x][signature]",
        "data[event_token]", "AUTH_ID", "REFRESH_ID", "APPLICATION_TOKEN", "event_token",
    ]

    @Test func `no planted token is found in anything that comes out`() async throws {
        var canaries: [String] = []
        func canary() -> String {
            canaries.append("canary" + UUID().uuidString.replacingOccurrences(of: "-", with: "").lowercased())
            return canaries[canaries.count - 1]
        }
        /// With each secret in its place, and once more in the middle of a text.
        func body(_ code: String, portal: String, token: String) -> String {
            let planted = Self.places.map { place -> String in
                let secret = canary()
                return "&\(place)=\(secret)&data[text\(canaries.count)]=before-\(secret)-after"
            }
            return SampleEvent.form(number: "1", code: code, token: token, portal: portal) + planted.joined()
        }
        let password = canary()
        let cluster = try MockCluster()
        defer { cluster.close() }
        try cluster.setBroker(up: false)
        var setup = try Setup(servers: cluster.bootstrapServers)
        let ownToken = canary()
        try setup.folder.write(SampleEvent.portals(tokens: [ownToken]), to: "portals.yaml")
        setup.settings["kafka"] = ["properties": ["sasl.password": password, "ssl.key.password": password]]

        var came: [(place: String, text: String)] = []
        let first = try setup.start(["--log-level", "trace"])
        let port = try await first.port()
        for code in ["ONCRMDEALUPDATE", "ONIMBOTMESSAGEADD", "ONIMCOMMANDADD", "ONAPPMETHODCONFIRM", "ONSOMETHINGNEW"] {
            let known = try await post(body(code, portal: SampleEvent.portal, token: ownToken), port: port)
            #expect(known.status == 200)
            let wrong = try await post(body(code, portal: SampleEvent.portal, token: canary()), port: port)
            let unknown = try await post(body(code, portal: "nobody", token: canary()), port: port)
            #expect(wrong.status == 403 && unknown.status == 403)
            came += [("answers", known.body + wrong.body + unknown.body)]
        }
        let robot = try await post("workflow_id=1&event_token=\(canary())&auth[access_token]=\(canary())", port: port)
        let broken = try await post("event=&data[TOKEN]=\(canary())&auth[access_token]=\(canary())", port: port)
        #expect(robot.status == 200 && broken.status == 400)
        came += [("answers", robot.body + broken.body)]
        try await first.program.killAtOnce()
        came += [("log", first.program.standardError), ("output", first.program.standardOutput)]

        let config = setup.folder.file("b24bridge.yaml")
        for words in [["inspect"], ["inspect", "--json"], ["verify"], ["export"], ["replay", "--dry-run"]] {
            let result = try await runBridge(["journal"] + words + ["--config", config])
            #expect(result.end == .exit(0), "\(words): \(result.errors)")
            came += [("journal \(words)", result.output + result.errors)]
        }
        came += try files(in: setup.folder.file("journal"))

        try cluster.setBroker(up: true)
        let second = try setup.start(["--log-level", "trace"])
        try await eventually("all to be delivered") {
            try await second.metric("records_delivered_total") == 15
        }
        for path in ["/metrics", "/status", "/", "/readyz"] {
            came += [(path, try await httpRequest("GET", path, port: try await second.port("admin")).body)]
        }
        for words in [
            ["check"], ["dead-letters", "list"], ["dead-letters", "list", "--json"], ["dead-letters", "requeue"],
        ] {
            let result = try await runBridge(words + ["--config", config])
            came += [("\(words)", result.output + result.errors)]
        }
        let records = try await topics(setup)
        #expect(records.count == 15)
        came += records
        try await second.stop()
        came += [("log", second.program.standardError)]
        came += try files(in: setup.folder.file("journal"))

        #expect(came.map(\.text).joined().components(separatedBy: "[redacted]").count > 100, "it is no empty search")
        for (place, text) in came {
            for secret in canaries where text.contains(secret) { Issue.record("\(place) tells \(secret)") }
        }
        let bytes = came.reduce(0) { $0 + $1.text.utf8.count }
        Campaign.report("secrets", "\(canaries.count) planted, 0 found in \(bytes) bytes of \(came.count) outputs")
    }

    private func files(in folder: String) throws -> [(String, String)] {
        let names = try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }
        return names.compactMap { name in
            FileManager.default.contents(atPath: "\(folder)/\(name)").map {
                (name, String(decoding: $0, as: UTF8.self))
            }
        }
    }

    /// Every record of every topic of this test, with key and headers.
    private func topics(_ setup: Setup) async throws -> [(String, String)] {
        let (servers, prefix) = (setup.servers, setup.prefix)
        return try await onThread {
            let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: servers, groupID: "secrets"))
            defer { consumer.close() }
            try consumer.subscribe(to: ["^" + prefix.replacingOccurrences(of: ".", with: "\\.") + ".*"])
            var found: [(String, String)] = []
            let deadline = ContinuousClock.now + .seconds(20)
            while found.count < 15, ContinuousClock.now < deadline {
                guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
                var bytes = record.key ?? []
                for header in record.headers { bytes += Array(header.name.utf8) + (header.value ?? []) }
                found.append((record.topic, String(decoding: bytes + (record.value ?? []), as: UTF8.self)))
            }
            return found
        }
    }
}
