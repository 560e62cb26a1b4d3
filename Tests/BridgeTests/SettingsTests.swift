import Bitrix24
import Configuration
import Foundation
import Testing

@testable import Bridge

@Suite struct SettingsTests {
    private static func settings(_ yaml: String) throws -> BridgeSettings {
        let reader = try ConfigurationReader.parse(yaml: yaml, name: "bridge.yaml")
        let settings = try BridgeSettings(reading: reader, hostName: "host-1")
        try reader.finish()
        return settings
    }

    @Test func `the defaults are the documented ones`() throws {
        let settings = try Self.settings("kafka: {bootstrapServers: \"broker:9092\"}")
        #expect(settings.http.host == "0.0.0.0" && settings.http.port == 8080 && settings.http.path == "/b24/events")
        #expect(settings.http.installPath == "/b24/install")
        #expect(settings.http.maxBodyBytes == 1_048_576 && settings.http.requestTimeout == .seconds(10))
        #expect(settings.http.allowedNetworks.isEmpty && settings.http.trustedProxies.isEmpty)
        #expect(
            settings.admin.host == "127.0.0.1" && settings.admin.port == 9090 && settings.admin.portalMetrics == 1000
        )
        #expect(settings.kafka.bootstrapServers == "broker:9092")
        #expect(settings.kafka.mode == .structured && settings.kafka.maxRecordBytes == 900_000)
        #expect(settings.kafka.deadLetterTopic == "bitrix24.dead-letter" && settings.kafka.properties.isEmpty)
        #expect(settings.kafka.topic.names(of: .standard)?.contains("bitrix24.crm.deal") == true)
        #expect(settings.kafka.parkAfter == .seconds(60))
        #expect(settings.journal.directory == "data/journal" && settings.journal.maxBytes == 8 << 30)
        #expect(settings.journal.segmentBytes == 64 << 20 && settings.journal.sync && settings.journal.retain == .zero)
        #expect(settings.parkedMaxBytes == 2 << 30 && settings.parkedDirectory == "data/journal/parked")
        #expect(settings.portalsFile == "portals.yaml" && settings.replica == "host-1")
        #expect(!settings.keepsRegistry && settings.kafka.registryTopic == "bitrix24.bridge.portals")
        #expect(settings.registryDirectory == "data/journal/registry")
        #expect(settings.shutdownDelay == .zero && settings.shutdownTimeout == .seconds(25))
    }

    @Test func `there is a registry where there is an application, unless it is said otherwise`() throws {
        let application = """
            application: {clientId: local.1, clientSecret: s, publicURL: "https://bridge.example"}
            kafka: {bootstrapServers: "broker:9092", registryTopic: mine}
            """
        #expect(try Self.settings(application).keepsRegistry)
        #expect(try Self.settings(application).kafka.registryTopic == "mine")
        #expect(try !Self.settings(application + "\nportals: {registry: false}").keepsRegistry)
        #expect(try Self.settings("kafka: {bootstrapServers: b}\nportals: {registry: true}").keepsRegistry)
        #expect(throws: ConfigurationFaults.self) {
            try Self.settings("kafka: {bootstrapServers: b, registryTopic: \"{portal}\"}")
        }
        #expect(throws: ConfigurationFaults.self) {
            try Self.settings("kafka: {bootstrapServers: b, registryTopic: t, deadLetterTopic: t}")
        }
    }

    @Test func `every key is read`() throws {
        let settings = try Self.settings(
            """
            http: {host: 127.0.0.1, port: 8081, path: /hook, maxBodyBytes: 512KiB, requestTimeout: 3s,
                   allowedNetworks: [10.0.0.0/8], trustedProxies: ["::1/128"], eventLoops: 3}
            admin: {host: 0.0.0.0, port: 9091, portalMetrics: 0}
            kafka: {bootstrapServers: "a:1,b:2", topic: "x.{scope}", key: "{portal}", mode: binary, maxRecordBytes: 5000,
                    deadLetterTopic: dl, properties: {linger.ms: 7}, parkAfter: 5s}
            journal: {directory: /j, maxBytes: 1GiB, segmentBytes: 1MiB, sync: false, retain: 1h, parkedMaxBytes: 64MiB}
            portals: {file: p.yaml}
            replica: r-2
            shutdownDelay: 10s
            shutdownTimeout: 20s
            """
        )
        #expect(settings.http.port == 8081 && settings.http.path == "/hook" && settings.http.maxBodyBytes == 512 << 10)
        #expect(settings.http.allowedNetworks == ["10.0.0.0/8"] && settings.http.trustedProxies == ["::1/128"])
        #expect(settings.http.requestTimeout == .seconds(3) && settings.http.eventLoops == 3)
        #expect(settings.admin.host == "0.0.0.0" && settings.admin.port == 9091 && settings.admin.portalMetrics == 0)
        #expect(settings.kafka.mode == .binary && settings.kafka.properties == ["linger.ms": "7"])
        #expect(settings.kafka.maxRecordBytes == 5000 && settings.kafka.parkAfter == .seconds(5))
        #expect(
            settings.journal.retain == .seconds(3600) && !settings.journal.sync && settings.parkedMaxBytes == 64 << 20
        )
        #expect(settings.portalsFile == "p.yaml" && settings.replica == "r-2" && settings.kafka.deadLetterTopic == "dl")
        #expect(settings.shutdownDelay == .seconds(10) && settings.shutdownTimeout == .seconds(20))
    }

    @Test func `all faults are told together, each with its key`() throws {
        let yaml = """
            http: {port: 99999, path: b24/, requestTimeout: 1x, allowedNetworks: [10.0.0.1/8], trustedProxies: [proxy]}
            admin: {port: -1, portalMetrics: 100001}
            kafka: {topic: "x.{color}", key: "{", mode: both, maxRecordBytes: 1, deadLetterTopic: "a b"}
            journal: {maxBytes: 1, sync: maybe}
            replica: "a b"
            shutdownDelay: 2h
            surprise: 1
            """
        let error = #expect(throws: ConfigurationFaults.self) { try Self.settings(yaml) }
        let keys = Set(error?.faults.map(\.key) ?? [])
        let expected: Set<String> = [
            "http.port", "http.path", "http.requestTimeout", "http.allowedNetworks", "http.trustedProxies",
            "admin.port", "admin.portalMetrics",
            "kafka.topic", "kafka.key", "kafka.mode", "kafka.maxRecordBytes", "kafka.deadLetterTopic",
            "kafka.bootstrapServers", "journal.maxBytes", "journal.sync", "replica", "shutdownDelay", "surprise",
        ]
        #expect(keys == expected, "\(keys.symmetricDifference(expected))")
    }
}

@Suite struct ParkedQuotaTests {
    private static func settings(_ yaml: String) throws -> BridgeSettings {
        let reader = try ConfigurationReader.parse(
            yaml: "kafka: {bootstrapServers: \"b:1\"}\n" + yaml,
            name: "bridge.yaml"
        )
        let settings = try BridgeSettings(reading: reader, hostName: "host-1")
        try reader.finish()
        return settings
    }

    @Test(arguments: ["/b24/events", "/b24/events/install", "/b24", "install", "/b24/install/", "/i?x=1"])
    func `an install address that is no address of its own is a fault`(path: String) throws {
        let faults = try #require(throws: ConfigurationFaults.self) {
            try Self.settings("http: {installPath: \"\(path)\"}")
        }
        #expect("\(faults)".contains("http.installPath"))
    }

    @Test func `a quota that cannot park the largest record is a fault with its mend`() throws {
        let error = #expect(throws: ConfigurationFaults.self) {
            try Self.settings("journal: {parkedMaxBytes: 8MiB}")
        }
        let fault = try #require(error?.faults.first)
        #expect(error?.faults.count == 1 && fault.key == "journal.parkedMaxBytes")
        #expect("\(fault)".contains("8388608") && "\(fault)".contains("http.maxBodyBytes"), "\(fault)")
        // What it tells to do helps.
        let least = try #require("\(fault)".firstMatch(of: /at least (\d+MiB)/)?.1)
        _ = try Self.settings("journal: {parkedMaxBytes: \(least)}")
        _ = try Self.settings("journal: {parkedMaxBytes: 8MiB}\nhttp: {maxBodyBytes: 256KiB}")
        #expect(try Self.settings("journal: {maxBytes: 1MiB}").parkedMaxBytes > 1 << 20, "the default suffices as well")
    }

    @Test func `no body becomes a larger record than is reckoned with`() throws {
        var settings = try Self.settings("http: {maxBodyBytes: 64KiB}")
        settings.kafka.mode = .structured
        let room = settings.http.maxBodyBytes
        let head = "event=ONCRMDEALUPDATE&auth[member_id]=a&"
        let fills: [(String, String)] = [
            ("data[FIELDS][ID]=", "\u{1}"), ("data[x]=", "\u{1}"), ("data[FIELDS][ID]=", "\""),
            ("event_handler_id=", "\u{1}"), ("auth[domain]=", "\""), ("data[FIELDS][ID]=", "é"),
        ]
        var form = BracketForm()
        for mode in EnvelopeMode.allCases {
            var normalizer = Normalizer(topic: settings.kafka.topic, key: settings.kafka.key, mode: mode, replica: "r")
            for (name, fill) in fills {
                var body = head + name
                body += String(repeating: fill, count: (room - body.utf8.count) / fill.utf8.count)
                try Array(body.utf8).withUnsafeBytes { try form.decode($0) }
                guard case .event(let event) = InboundCall(form) else { throw WaitingEnded() }
                let now = Timestamp(milliseconds: 0)
                var ids = EnvelopeIDGenerator()
                let receipt = Receipt(id: ids.next(at: now), receivedAt: now, origin: .online)
                var record = EventRecord()
                var payload: [UInt8] = []
                try normalizer.normalize(event, of: form, domain: nil, receipt: receipt, into: &record)
                _ = StoredRecord.encode(record, flags: .oversized, into: &payload)
                #expect(
                    payload.count > room && payload.count <= settings.largestPayloadBytes,
                    "\(name) \(payload.count)"
                )
            }
        }
    }
}

@Suite struct PortalTests {
    private static let secret = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"

    @Test func `faults of the portals' file name the place and never a token`() throws {
        let directory = try TemporaryDirectory()
        let many = (0..<20).map { "\(Self.secret)\($0)" }.joined(separator: ", ")
        let cases: [(yaml: String, words: String)] = [
            ("portals: [{memberId: a, applicationTokens: \(Self.secret)}]", "applicationTokens"),
            ("portals: [{memberId: a, applicationTokens: [{x: \(Self.secret)}]}]", "applicationTokens"),
            ("portals: [{memberId: a, applicationTokens: [[\(Self.secret)]]}]", "applicationTokens"),
            ("portals: [{memberId: a, token: \(Self.secret), applicationTokens: [\(Self.secret)]}]", "token"),
            ("portals: [{memberId: a, applicationTokens: [\(many)]}]", "more than"),
            ("portals: [{memberId: a, applicationTokens: [\(Self.secret), \"\"]}]", "empty"),
            ("portals: [{memberId: a}]", "at least one token"),
            ("portals: [{applicationTokens: [\(Self.secret)]}]", "memberId"),
            (
                "portals: [{memberId: a, applicationTokens: [\(Self.secret)]}, {memberId: a, webhookTokens: [\(Self.secret)]}]",
                "twice"
            ),
            ("portals: [{memberId: \"a b\", webhookTokens: [\(Self.secret)]}]", "memberId"),
            ("portals: [{memberId: a, applicationTokens: [\"\(Self.secret)]}]", "portals.yaml"),
            ("portals: [{memberId: a, applicationTokens: [\(Self.secret)", "portals.yaml"),
            ("\(Self.secret)", "mapping"),
        ]
        for (yaml, words) in cases {
            let path = try directory.write(yaml, to: "portals.yaml")
            let error = #expect(throws: ConfigurationFaults.self, "\(yaml)") {
                try PortalFile.load(path, environment: [:])
            }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains(words), "\(text)")
            #expect(!text.contains(Self.secret), "\(yaml)")
        }
    }

    @Test func `a changed file is taken when it looks the same twice, a bad or empty one never`() throws {
        let directory = try TemporaryDirectory()
        let logs = LogLines()
        let token = try directory.write(Self.secret, to: "token")
        func entry(_ id: String) -> String { "  - {memberId: \(id), applicationTokens: [{file: \(token)}]}\n" }
        let path = try directory.write("portals:\n" + entry("a"), to: "portals.yaml")
        let first = try PortalFile.contents(path, environment: [:])
        let store = PortalStore(first.directory)
        let watcher = PortalFileWatcher(path: path, store: store, environment: [:], logger: logs.logger)
        var watch = PortalFileWatcher.Watch(known: first)
        func look(_ asked: Bool = false) -> Int {
            watch.look(watcher, isAsked: asked)
            return store.version
        }
        #expect(look() == 1 && look() == 1, "nothing has changed")

        _ = try directory.write("portals:\n" + entry("a") + entry("b"), to: "portals.yaml")
        #expect(look() == 1)
        #expect(look() == 2 && look() == 2)
        #expect(store.directory["b"] != nil)

        // The file that a value comes from counts as well.
        _ = try directory.write("another-" + Self.secret, to: "token")
        #expect(look() == 2)
        #expect(look() == 3)

        for text in ["portals: [{memberId: \(Self.secret)", "portals: []"] {
            _ = try directory.write(text, to: "portals.yaml")
            let count = logs.lines.count
            #expect(look() == 3 && look() == 3)
            #expect(logs.lines.count == count + 1, "said once")
            #expect(logs.lines.last?.contains("the old ones stay in force") == true)
            #expect(store.fileFault.map { !$0.isEmpty && !$0.contains(Self.secret) } == true)
        }
        #expect(store.directory["a"] != nil && store.directory.count == 2)
        #expect(look(true) == 4, "asked for, an empty one is taken")
        #expect(store.directory.count == 0 && store.fileFault == nil)
        #expect(!logs.lines.contains { $0.contains(Self.secret) })
    }
}
