import Bitrix24
import Configuration
import Foundation
import Ingress
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

@Suite struct KafkaTokenTests {
    private static let secret = "s3cr3t/+ of the client"

    private static func oauth(_ server: LoopbackServer) -> BridgeSettings.OAuth {
        BridgeSettings.OAuth(
            tokenEndpoint: server.url("/oauth2/token"),
            clientID: "b24 bridge",
            clientSecret: Secret(secret)
        )
    }

    private static func granted(_ token: String, for seconds: Int) -> Response {
        .json(#"{"access_token":"\#(token)","token_type":"Bearer","expires_in":\#(seconds)}"#)
    }

    // MARK: When

    @Test func `a token is replaced when at least a fifth of its life is left`() {
        var schedule = TokenSchedule()
        for (random, seconds) in [(0.0, 210.0), (0.5, 225), (1, 240)] {
            let pause = schedule.pause(afterTokenFor: .seconds(300), random: random) / .seconds(1)
            #expect(abs(pause - seconds) < 0.001)
        }
        #expect(schedule.pause(afterTokenFor: .milliseconds(10), random: 0) == .seconds(1), "never in a tight loop")
    }

    @Test func `failures are tried again later and later, up to a minute`() {
        var schedule = TokenSchedule()
        let pauses = (0..<9).map { _ in schedule.pauseAfterFailure(random: 0) / .seconds(1) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 48, 48, 48])
        #expect(schedule.pauseAfterFailure(random: 1) == .seconds(60))
        _ = schedule.pause(afterTokenFor: .seconds(300), random: 0)
        #expect(schedule.pauseAfterFailure(random: 0) == .seconds(1))
    }

    /// Lets a service go on one pause at a time, and keeps how long it meant to wait.
    private final class Pacer: Sendable {
        private let asked = Guarded<[Duration]>([])
        private let steps = AsyncStream<Void>.makeStream()

        @Sendable func sleep(_ duration: Duration) async throws {
            asked.withLock { $0.append(duration) }
            for await _ in steps.stream { return }
            throw CancellationError()
        }

        var pauses: [Duration] { asked.withLock { $0 } }

        func step() { steps.continuation.yield() }
    }

    @Test func `tokens are asked for ahead of their expiry, failures are told once and back off`() async throws {
        try await LoopbackServer.with({ _ in Self.granted("first", for: 300) }) { server in
            let oauth = Self.oauth(server)
            let logs = LogLines()
            let pacer = Pacer()
            let service = KafkaTokenService(oauth: oauth, failures: nil, logger: logs.logger, sleep: pacer.sleep)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                func next(_ answer: Response?) async throws {
                    server.answer { _ in answer }
                    let before = pacer.pauses.count
                    pacer.step()
                    try await wait(for: "a request") { pacer.pauses.count > before }
                }
                try await wait(for: "a token") { pacer.pauses.count == 1 }
                let first = try #require(oauth.tokens.current)
                let left = try #require(oauth.tokens.secondsLeft)
                #expect(left > 290 && left <= 300)
                #expect(logs.contains("info", "there is a token for Kafka", "lifetime=300 s"))
                try await next(.json(#"{"error":"invalid_client","error_description":"\#(Self.secret)"}"#, status: 401))
                #expect(oauth.tokens.current == first, "it is good still")
                #expect(oauth.tokens.failure?.contains("invalid_client; check kafka.oauth.clientId") == true)
                #expect(logs.contains("error", "there is no new token", "the last token is good for"))
                let said = logs.lines.count
                try await next(.json(#"{"error":"invalid_client"}"#, status: 401))
                #expect(logs.lines.count == said, "told once")
                try await next(Self.granted("second", for: 3600))
                #expect(oauth.tokens.failure == nil && oauth.tokens.current != first)
                #expect(logs.contains("notice", "there are tokens for Kafka again"))
                try await next(Self.granted("third", for: 3600))
                #expect(logs.lines.count == said + 1, "a refresh is no news")
                group.cancelAll()
            }
            let seconds = pacer.pauses.map { $0 / .seconds(1) }
            #expect((210...240).contains(seconds[0]) && (2520...2880).contains(seconds[3]))
            #expect((1...1.25).contains(seconds[1]) && (2...2.5).contains(seconds[2]))
            #expect(!logs.lines.contains { $0.contains("s3cr3t") || $0.contains("first") })
        }
    }

    // MARK: What is asked, and what is an answer

    @Test func `the request is a client credentials grant`() async throws {
        try await LoopbackServer.with({ _ in Self.granted("t", for: 60) }) { server in
            var settings = try RunningBridge.settings(servers: "h:1", directory: TemporaryDirectory(), prefix: "x")
            settings.kafka.oauth = Self.oauth(server)
            settings.kafka.oauth?.scope = "kafka/.default more"
            try await settings.withKafkaTokens { #expect(settings.kafka.oauth?.tokens.current != nil) }
            let call = try #require(server.calls.first)
            #expect(call.method == "POST" && call.path == "/oauth2/token")
            #expect(call.body == "grant_type=client_credentials&scope=kafka%2F.default%20more")
            let credentials = call.authorization?.split(separator: " ").last.flatMap { Data(base64Encoded: String($0)) }
            #expect(
                String(decoding: credentials ?? Data(), as: UTF8.self)
                    == "b24%20bridge:s3cr3t%2F%2B%20of%20the%20client"
            )
        }
    }

    @Test func `a command's token is renewed while the command works, and its errors name the mend`() async throws {
        try await LoopbackServer.with({ _ in Self.granted("t", for: 2) }) { server in
            var settings = try RunningBridge.settings(servers: "h:1", directory: TemporaryDirectory(), prefix: "x")
            settings.kafka.oauth = Self.oauth(server)
            try await settings.withKafkaTokens {
                // As commands do, it waits without letting the thread go.
                let deadline = ContinuousClock.now + .seconds(10)
                while server.calls.count < 2, ContinuousClock.now < deadline { usleep(10_000) }
                #expect(server.calls.count >= 2)
            }
            let cases: [(Response, String)] = [
                (.json(#"{"error":"invalid_scope"}"#, status: 400), "check kafka.oauth.scope"),
                (.json(#"{"error":"unauthorized_client"}"#, status: 400), "allow this client"),
                (
                    .json(#"{"error":"\#(Self.secret)"}"#, status: 400),
                    "answers HTTP 400; correct kafka.oauth.tokenEndpoint"
                ),
                (Response(status: 404, text: "nothing"), "answers HTTP 404; correct kafka.oauth.tokenEndpoint"),
                (Response(status: 302, headers: [("Location", server.url("/x"))]), "redirect"),
                (Response(status: 200, text: "<html>"), "without an access_token"),
                (.json(#"{"access_token":"\#(Self.secret)","expires_in":60}"#), "characters"),
                (.json(#"{"access_token":"t"}"#), "expires_in"),
                (.json(#"{"access_token":"t","expires_in":0}"#), "expires_in"),
                (.json(#"{"access_token":"t","token_type":"mac","expires_in":60}"#), "Bearer"),
            ]
            for (answer, words) in cases {
                server.answer { _ in answer }
                let fault = await #expect(throws: TokenFault.self) { try await settings.withKafkaTokens {} }
                #expect(fault?.description.contains(words) == true, "\(fault.debugDescription)")
                #expect(fault?.description.contains("s3cr3t") == false)
            }
            // As text, as some servers write it.
            server.answer { _ in .json(#"{"access_token":"t","token_type":"bearer","expires_in":"3599"}"#) }
            try await settings.withKafkaTokens {}
        }
    }

    @Test func `a command that reads the registry asks for a token first`() async throws {
        try await LoopbackServer.with({ _ in Self.granted("t", for: 60) }) { server in
            var settings = try RunningBridge.settings(
                servers: "127.0.0.1:1",
                directory: TemporaryDirectory(),
                prefix: "x"
            )
            settings.kafka.oauth = Self.oauth(server)
            settings.kafka.properties["sasl.mechanism"] = "OAUTHBEARER"
            settings.kafka.properties["security.protocol"] = "SASL_PLAINTEXT"
            await #expect(throws: RegistryError.self) {
                try await RegistrySession.run(settings, timeout: .milliseconds(50), logger: LogLines().logger) { _ in }
            }
            #expect(server.calls.count == 1)
        }
    }

    // MARK: On the wire

    @Test func `a bridge starts without the token server, and logs in at Kafka with each token that comes`()
        async throws
    {
        let broker = try FakeSASLBroker()
        defer { broker.close() }
        let isThere = Atomic<Bool>(false)
        let number = Atomic<Int>(0)
        try await LoopbackServer.with({ _ in
            guard isThere.load(ordering: .relaxed) else { return Response(status: 503, text: "not yet") }
            return Self.granted("token-\(number.add(1, ordering: .relaxed).newValue)", for: 2)
        }) { server in
            let adjust: (inout BridgeSettings) throws -> Void = {
                var oauth = Self.oauth(server)
                oauth.extensions = ["logicalCluster": "lkc-1"]
                $0.kafka.oauth = oauth
                $0.kafka.properties["security.protocol"] = "SASL_PLAINTEXT"
                $0.kafka.properties["sasl.mechanism"] = "OAUTHBEARER"
                // Else the pause after many failed attempts is as long as this test waits.
                $0.kafka.properties["reconnect.backoff.max.ms"] = "1000"
                $0.shutdownTimeout = .milliseconds(100)
            }
            try await RunningBridge.with(servers: "127.0.0.1:\(broker.port)", adjust: adjust) { bridge in
                #expect(try await bridge.post(event(id: "1")).status == 200)
                #expect(try await bridge.get("/readyz").status == 200)
                try await wait(for: "the failure") { try await bridge.status().kafka.token?.failure != nil }
                #expect(
                    bridge.logs.contains("error", "there is no new token", "HTTP 503", "events wait in the journal")
                )
                #expect(broker.logins.isEmpty && bridge.metric("kafka_token_failures_total") >= 1)
                #expect(try await bridge.get("/").body.contains("<b>Token for Kafka</b> · "))
                isThere.store(true, ordering: .relaxed)
                try await wait(for: "a login; \(bridge.logs.lines.suffix(4))") { !broker.logins.isEmpty }
                #expect(broker.logins[0] == "n,,\u{1}auth=Bearer token-1\u{1}logicalCluster=lkc-1\u{1}\u{1}")
                // librdkafka has long lost the connection; it comes back with the newest token.
                try await wait(for: "a login with the next token") { broker.logins.contains { $0.contains("token-2") } }
                let token = try #require(try await bridge.status().kafka.token)
                #expect(token.failure == nil && (token.secondsLeft ?? 0) >= 0)
                // Each is good for few seconds, and in its last one the page calls it expired.
                try await wait(for: "a token that is good on the page") {
                    try await bridge.get("/").body.contains("<dt>Token</dt><dd>good for ")
                }
                #expect(!bridge.logs.lines.contains { $0.contains("token-1") || $0.contains("s3cr3t") })
            }
        }
    }

    @Test func `check asks for a token and for the lists, and says what is to be mended`() async throws {
        let broker = try FakeSASLBroker()
        defer { broker.close() }
        try await LoopbackServer.with({ call in
            call.path == "/list" ? .json(#"{"nodes":["192.0.2.1"]}"#) : Self.granted("token", for: 60)
        }) { server in
            var settings = try RunningBridge.settings(
                servers: "127.0.0.1:\(broker.port)",
                directory: TemporaryDirectory(),
                prefix: "x"
            )
            settings.kafka.oauth = Self.oauth(server)
            settings.kafka.properties["security.protocol"] = "SASL_PLAINTEXT"
            settings.kafka.properties["sasl.mechanism"] = "OAUTHBEARER"
            settings.http.allowedNetworks = ["bitrix24-world", "bitrix24-russia"]
            var check = BridgeCheck(settings: settings, portals: .empty, timeout: .milliseconds(500))
            check.senderListAddress = { server.url($0 == .world ? "/list" : "/oauth2/token") }
            let findings = await check.runOutbound()
            func text(_ subject: String, _ grade: BridgeCheck.Finding.Grade) -> String {
                findings.filter { $0.subject == subject && $0.grade == grade }.map(\.text).joined(separator: "\n")
            }
            #expect(text("kafka.oauth", .good).hasSuffix("gives tokens that are good for 60 s"))
            #expect(text("http.allowedNetworks", .good) == "bitrix24-world holds 1 network")
            #expect(
                text("http.allowedNetworks", .warning).contains(
                    "bitrix24-russia cannot be fetched: it is not of the form"
                )
            )
            #expect(text("http.trustedProxies", .warning).contains("every event is refused"))
            // The cluster is asked with the token, and with the words of the failure where there is none.
            _ = check.run()
            #expect(broker.logins.contains { $0.contains("token") })
            server.answer { _ in .json(#"{"error":"invalid_client"}"#, status: 401) }
            check = BridgeCheck(settings: settings, portals: .empty, timeout: .milliseconds(500))
            let failed = await check.runOutbound()
            #expect(failed.contains { $0.subject == "kafka.oauth" && $0.grade == .failure })
        }
    }
}

@Suite struct OAuthSettingsTests {
    private static func read(_ kafka: String) throws -> (BridgeSettings, [String]) {
        let reader = try ConfigurationReader.parse(
            yaml: "kafka: {bootstrapServers: \"b:1\", \(kafka)}",
            name: "bridge.yaml"
        )
        let settings = try BridgeSettings(reading: reader, hostName: "host-1")
        do throws(ConfigurationFaults) {
            try reader.finish()
            return (settings, [])
        } catch {
            return (settings, error.faults.map { "\($0)" })
        }
    }

    private static let good = "tokenEndpoint: \"https://login.example/token\", clientId: b, clientSecret: s3cr3t"
    private static let login = "properties: {security.protocol: SASL_SSL}"

    @Test func `kafka oauth implies the mechanism and gives its tokens to every client`() throws {
        let (settings, faults) = try Self.read(
            "oauth: {\(Self.good), scope: kafka, extensions: {logicalCluster: lkc-1}}, \(Self.login)"
        )
        #expect(faults.isEmpty, "\(faults)")
        let oauth = try #require(settings.kafka.oauth)
        #expect(oauth.tokenEndpoint == "https://login.example/token" && oauth.clientID == "b" && oauth.scope == "kafka")
        #expect(oauth.clientSecret.text == "s3cr3t" && oauth.extensions == ["logicalCluster": "lkc-1"])
        #expect(settings.kafka.properties["sasl.mechanism"] == "OAUTHBEARER")
        #expect(settings.producerConfiguration.tokens === oauth.tokens)
        #expect(settings.consumerConfiguration("x", groupID: "g").tokens === oauth.tokens)
        try validate(settings.producerConfiguration)
        #expect(!"\(settings)".contains("s3cr3t"))
        #expect(try Self.read("mode: binary").0.kafka.oauth == nil)
    }

    @Test func `what cannot work is told together with its mend, and never the secret`() throws {
        let cases: [(String, [String])] = [
            ("oauth: {clientSecret: s3cr3t}", ["tokenEndpoint", "clientId", "security.protocol to SASL_SSL"]),
            ("oauth: {\(Self.good)}", ["security.protocol to SASL_SSL"]),
            (
                "oauth: {\(Self.good)}, properties: {security.protocol: SSL, sasl.mechanism: PLAIN}",
                ["kafka.properties.sasl.mechanism contradict", "security.protocol to SASL_SSL"]
            ),
            (
                "oauth: {\(Self.good), extensions: {auth: x}}, properties: {security.protocol: sasl_ssl, "
                    + "sasl.oauthbearer.method: oidc}",
                ["extensions.auth", "leave kafka.properties.sasl.oauthbearer.method out"]
            ),
            (
                "oauth: {tokenEndpoint: \"http://login.example/t\", clientId: b, clientSecret: s3cr3t}, \(Self.login)",
                ["https://"]
            ),
            (
                "oauth: {tokenEndpoint: \"https://u:s3cr3t@h/t\", clientId: b, clientSecret: s3cr3t}, \(Self.login)",
                ["clientSecret"]
            ),
            ("oauth: {\(Self.good), scopes: x}, \(Self.login)", ["scopes"]),
        ]
        for (yaml, words) in cases {
            let faults = try Self.read(yaml).1
            #expect(faults.count == words.count, "\(yaml): \(faults)")
            for word in words { #expect(faults.contains { $0.contains(word) }, "\(word): \(faults)") }
            #expect(!faults.contains { $0.contains("s3cr3t") })
        }
        for host in ["127.0.0.1:8080", "localhost", "[::1]:1"] {
            let yaml = "oauth: {tokenEndpoint: \"http://\(host)/t\", clientId: b, clientSecret: s}, \(Self.login)"
            #expect(try Self.read(yaml).1.isEmpty)
        }
    }
}
