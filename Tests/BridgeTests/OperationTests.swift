import Bitrix24
import Foundation
import Journal
import KafkaClient
import Telemetry
import Testing

@testable import Bridge

/// Full disks, forged calls, changed portals, shutdown.
@Suite struct OperationTests {
    private static func padded(_ id: Int) -> String {
        event(id: "\(id)", more: "&data[P]=" + String(repeating: "x", count: 2000))
    }

    @Test func `a full journal waits, then loses with a name, and recovers`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.setBroker(up: false) }
            let adjust: (inout BridgeSettings) -> Void = { $0.journal.maxBytes = 64 << 10 }
            try await RunningBridge.with(servers: cluster.bootstrapServers, adjust: adjust) { bridge in
                var taken = 0
                while bridge.bridge.journal.statistics.diskBytes < 50 << 10 {
                    let status = try await bridge.post(Self.padded(taken)).status
                    try #require(status == 200, "\(bridge.logs.lines.suffix(3))")
                    taken += 1
                }
                let strange = "ON" + token
                let body = event(strange, more: "&data[P]=" + String(repeating: "x", count: 20_000))
                let began = ContinuousClock.now
                async let losing = bridge.post(body)
                try await wait(for: "readiness to go") { try await bridge.get("/readyz").status == 503 }
                #expect(try await bridge.get("/readyz").body.contains("the journal is full"))
                #expect(try await bridge.get("/livez").status == 200)
                let lost = try await losing
                #expect(lost.status == 503 && lost.headers["retry-after"] == "5")
                #expect(lost.body.split(separator: "\n").count == 1)
                #expect(ContinuousClock.now - began > .milliseconds(4900))
                #expect(bridge.metric("events_lost_total", [("reason", "journal-full")]) == 1)
                #expect(bridge.logs.contains("error", "an event is lost", "portal=\(memberID)", "reason=journal-full"))
                #expect(bridge.logs.contains("event=ON"))
                #expect(!bridge.logs.lines.contains { $0.lowercased().contains(token) })

                // One that waits gets in when room comes.
                async let waiting = bridge.post(body)
                try await wait(for: "it to wait") { bridge.bridge.journal.statistics.waitingAppends == 1 }
                try await blocking { try cluster.setBroker(up: true) }
                #expect(try await waiting.status == 200)
                try await bridge.waitForDelivery(of: taken, to: "crm.deal")
                try await wait(for: "readiness to return") { try await bridge.get("/readyz").status == 200 }
                try await bridge.take([Self.padded(1000)])
                try await bridge.waitForDelivery(of: taken + 1, to: "crm.deal")
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a flood of forged calls fills a hundredth of the journal and no more`() async throws {
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.setBroker(up: false) }
            let adjust: (inout BridgeSettings) -> Void = { $0.journal.maxBytes = 1 << 20 }
            try await RunningBridge.with(servers: cluster.bootstrapServers, adjust: adjust) { bridge in
                let forged = (0..<3000).map {
                    event(id: "\($0)", member: "forged-\($0 % 10)", token: "nobody-knows-this")
                }
                #expect(try await bridge.post(all: forged).allSatisfy { $0 == 403 })
                let letters = { bridge.metric("dead_letters_total", [("reason", "unknown-portal")]) }
                let dropped = { bridge.metric("dead_letters_dropped_total") }
                try await wait(for: "all to be counted") { letters() + dropped() == 3000 }
                #expect(letters() > 5 && dropped() > 2900)
                let told = bridge.logs.lines.filter { $0.contains("dead letters are dropped") }
                #expect(told.count == 1, "once, not once for each")
                #expect(
                    ["warning", "over-budget", "budgetBytes=10485", "journal.maxBytes"].allSatisfy {
                        told.first?.contains($0) == true
                    },
                    "\(told)"
                )
                #expect(bridge.bridge.journal.statistics.heldBytes < 32 << 10)
                try await bridge.take(deals(1...5))
                try await blocking { try cluster.setBroker(up: true) }
                let before = letters()
                try await bridge.waitForDelivery(of: before, to: "dead-letter")
                try await bridge.waitForDelivery(of: 5, to: "crm.deal")
                // What was delivered makes room for others.
                _ = try await bridge.post(all: Array(forged.prefix(5)))
                try await bridge.waitForDelivery(of: before + 5, to: "dead-letter")
                try await bridge.expectSums()
            }
        }
    }

    @Test func `changed portals count without a restart and without dropping a request`() async throws {
        let directory = try TemporaryDirectory()
        func entry(_ id: String) -> String { "  - {memberId: \(id), applicationTokens: [\(token)]}\n" }
        let path = try directory.write("portals:\n" + entry(memberID), to: "portals.yaml")
        let loaded = try PortalFile.load(path, environment: [:])
        let adjust: (inout BridgeSettings) -> Void = { $0.portalsFile = path }
        try await RunningBridge.with(directory: directory, portals: loaded, adjust: adjust) { bridge in
            #expect(try await bridge.post(event(member: "newcomer")).status == 403)
            _ = try directory.write("portals:\n" + entry(memberID) + entry("newcomer"), to: "portals.yaml")
            var posted = 0
            try await wait(for: "the new portal to be known") {
                posted += 1
                try await bridge.take([event(id: "\(posted)")])
                return try await bridge.post(event(member: "newcomer")).status == 200
            }
            #expect(bridge.logs.contains("info portals re-read", "portals=2"))
            #expect(try await bridge.status().portals == 2)
            try await bridge.waitForDelivery(of: posted + 1, to: "crm.deal")
        }
    }

    @Test func `shutdown goes on accepting for its delay, answers what is under way, and flushes`() async throws {
        let adjust: (inout BridgeSettings) -> Void = { $0.shutdownDelay = .seconds(2) }
        let bridge = try await RunningBridge.start(directory: TemporaryDirectory(), adjust: adjust)
        try await bridge.take(deals(1...10))
        #expect(try await bridge.get("/readyz").status == 200)
        let body = event(id: "99")
        let port = bridge.port
        // Half a request before, the other half after shutdown began.
        let client = try await blocking {
            let client = Handed(try HTTPClient(port: port))
            try client.value.send(
                "POST /b24/events HTTP/1.1\r\nHost: b\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                    + String(body.prefix(20))
            )
            return client
        }
        await bridge.beginStop()
        try await wait(for: "readiness to go") { try await bridge.get("/readyz").status == 503 }
        #expect(try await bridge.get("/readyz").body.contains("shutting down"))
        let late = try await bridge.post(event(id: "11"))
        #expect(late.status == 200 && late.headers["connection"] == "close")
        try await wait(for: "the listener to close", within: .seconds(5)) {
            (try? await blocking { _ = try HTTPClient(port: port) }) == nil
        }
        let reply = try await blocking {
            try client.value.send(String(body.dropFirst(20)))
            return try client.value.reply()
        }
        #expect(reply.status == 200 && reply.headers["connection"] == "close")
        try await bridge.ended
        #expect(Set(bridge.delivered.map(\.entityID)) == Set((1...11).map { "\($0)" } + ["99"]))
        let statistics = bridge.bridge.journal.statistics
        #expect(statistics.state == .closed && statistics.durableCheckpoint == statistics.next)
    }

    /// A client handed from one thread to the next, never used by two at once.
    private struct Handed: @unchecked Sendable {
        let value: HTTPClient
        init(_ value: HTTPClient) { self.value = value }
    }

    @Test func `with Kafka away shutdown ends in time and the rest stays in the journal`() async throws {
        let directory = try TemporaryDirectory()
        let adjust: (inout BridgeSettings) -> Void = { $0.shutdownTimeout = .seconds(1) }
        let away = try await RunningBridge.start(
            servers: "127.0.0.1:1",
            directory: directory,
            prefix: "away",
            adjust: adjust
        )
        try await away.take(deals(1...20))
        let began = ContinuousClock.now
        try await away.stop()
        // Without the setting it would be 25 s.
        #expect(ContinuousClock.now - began < .seconds(15))
        #expect(away.logs.contains("not everything was delivered; the rest stays in the journal", "records=20"))
        #expect(away.delivered.isEmpty)
        try await RunningBridge.with(directory: directory, prefix: "away\(UUID().uuidString.prefix(6))") { bridge in
            try await wait(for: "the rest") { bridge.delivered.count == 20 }
            #expect(bridge.metric("records_recovered_total") == 20)
            try await bridge.expectSums()
        }
    }

    @Test func `a bridge that cannot be made leaves its journals closed`() async throws {
        let directory = try TemporaryDirectory()
        let settings = try RunningBridge.settings(servers: "127.0.0.1:1", directory: directory, prefix: "x")
        func make(_ adjust: (inout BridgeSettings) -> Void) throws {
            var settings = settings
            adjust(&settings)
            let surroundings = BridgeServices.Surroundings(
                version: "",
                environment: [:],
                metrics: MetricsRegistry(),
                renderMetrics: { [] },
                logger: LogLines().logger
            )
            _ = try BridgeServices(settings, portals: .empty, surroundings)
        }
        #expect(throws: (any Error).self) { try make { $0.http.allowedNetworks = ["nonsense"] } }
        #expect(throws: (any Error).self) { try make { $0.kafka.properties = ["no.such.property": "1"] } }
        // The parked journal's place is taken by a file.
        try FileManager.default.removeItem(atPath: settings.parkedDirectory)
        #expect(FileManager.default.createFile(atPath: settings.parkedDirectory, contents: nil))
        #expect(throws: JournalError.self) { try make { _ in } }
        try FileManager.default.removeItem(atPath: settings.parkedDirectory)
        let journal = try Journal.open(settings.journalConfiguration)
        journal.close()
    }

    @Test func `no secret leaves the process`() async throws {
        let directory = try TemporaryDirectory()
        let canaries = (0..<8).map { "canary\($0)-" + UUID().uuidString.replacingOccurrences(of: "-", with: "") }
        let hex = token
        let auth =
            "&auth[access_token]=\(canaries[0])&auth[refresh_token]=\(canaries[1])&AUTH_ID=\(canaries[2])"
            + "&data[0][AUTH][application_token]=\(canaries[3])&data[x][AUTH][access_token]=\(canaries[4])"
            + "&data[TOKEN]=\(canaries[5])&data[Password]=\(canaries[6])&auth[client_secret]=\(canaries[7])"
        let everywhere = canaries.map { c in
            "&data[\(c)]=1&data[k-\(c)-k][y]=1&data[LONG]=before\(c)after&data[FIELDS][ID2]=\(c)&extra[\(c)]=\(c)"
        }.joined()
        func bodies(_ code: String, token: String?, member: String = memberID) -> [String] {
            canaries.map { c in
                "event=\(code)&event_handler_id=\(c)&data[FIELDS][ID]=\(c)&ts=1&auth[domain]=\(c).x&auth[user_id]=\(c)"
                    + "&auth[member_id]=\(member)" + (token.map { "&auth[application_token]=\($0)" } ?? "")
                    + auth + everywhere
            }
        }
        let secretsToFind = canaries + [token, webhookToken, "sasl-secret-canary", "environment-canary"]
        let portals = try directory.write("portals: []", to: "portals.yaml")
        try await Kafka.withCluster { cluster in
            try await blocking { try cluster.setBroker(up: false) }
            let adjust: (inout BridgeSettings) -> Void = {
                $0.kafka.maxRecordBytes = 9000
                $0.kafka.properties["sasl.password"] = "sasl-secret-canary"
                $0.portalsFile = portals
            }
            try await RunningBridge.with(
                servers: cluster.bootstrapServers,
                directory: directory,
                environment: ["SECRET": "environment-canary"],
                adjust: adjust
            ) { bridge in
                let admitted =
                    bodies("ONCRMDEALUPDATE", token: token) + bodies("ON\(canaries[0])", token: token)
                    + bodies("ONTASKCOMMENTADD", token: webhookToken)
                try await bridge.take(admitted)
                try await bridge.take([
                    event(more: auth + "&data[L]=" + canaries[0] + String(repeating: "x", count: 10_000))
                ])
                var replies: [Reply] = []
                for body in bodies("ONX", token: canaries[0])
                    + bodies("ONX\(canaries[1])", token: token, member: "unknown\(canaries[1])")
                {
                    replies.append(try await bridge.post(body))
                }
                #expect(replies.allSatisfy { $0.status == 403 })
                replies.append(try await bridge.post("event=&data[TOKEN]=\(canaries[0])" + auth))
                replies.append(try await bridge.post("workflow_id=1&event_token=\(canaries[0])" + auth))
                replies.append(try await bridge.post(canaries[0], path: "/\(canaries[0])"))
                replies.append(
                    try await bridge.post(
                        event() + auth,
                        path: "/b24/events/\(canaries[0])?auth[application_token]=\(hex)",
                        headers: [
                            "traceparent": "00-\(hex)-00f067aa0ba902b7-01", "X-Token": canaries[1],
                            "Authorization": "Bearer \(canaries[2])", "Referer": "https://x/?token=\(canaries[3])",
                        ]
                    )
                )
                #expect(replies.last?.status == 200)
                let files = try directory.allBytes()
                #expect(files.count > 50_000)
                try await blocking { try cluster.setBroker(up: true) }
                try await wait(for: "all to be delivered; \(bridge.delivered.count)") {
                    let kafka = try await bridge.status().kafka
                    return kafka.waitingRecords == 0 && kafka.parkedRecords == 1
                }
                var places: [(String, Data)] = [("journal", files), ("journal at the end", try directory.allBytes())]
                for record in bridge.delivered {
                    let headers = record.headers.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
                    places.append(
                        (record.topic, Data("\(record.topic)\n\(record.key)\n\(headers)\n\(record.value)".utf8))
                    )
                }
                #expect(bridge.delivered(to: "dead-letter").count > 1 && bridge.delivered.count > 24)
                places.append(("log", Data(bridge.logs.lines.joined(separator: "\n").utf8)))
                for path in ["/metrics", "/status", "/", "/readyz"] {
                    places.append((path, Data(try await bridge.get(path).body.utf8)))
                }
                places.append(("replies", Data(replies.map(\.body).joined().utf8)))
                for (place, text) in places {
                    for secret in secretsToFind where text.range(of: Data(secret.utf8)) != nil {
                        Issue.record("\(secret) in \(place): \(String(decoding: text.prefix(300), as: UTF8.self))")
                    }
                }
                // The search finds what is there.
                #expect(places[0].1.range(of: Data("[redacted]".utf8)) != nil)
                try await bridge.expectSums()
            }
        }
    }
}
