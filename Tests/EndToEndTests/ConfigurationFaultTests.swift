import Foundation
import Testing

@Suite struct ConfigurationFaultTests {
    static let secret = "correct-horse-battery-staple"

    private func write(_ yaml: String, portals: String = SampleEvent.portals()) throws -> Folder {
        let folder = try Folder()
        try folder.write(yaml, to: "b24bridge.yaml")
        try folder.write(portals, to: "portals.yaml")
        return folder
    }

    /// Both commands read the configuration alike.
    private func faults(
        _ yaml: String,
        portals: String = SampleEvent.portals(),
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> [Substring] {
        let folder = try write(yaml, portals: portals)
        let arguments = ["--config", "b24bridge.yaml"]
        let serve = try await runBridge(["serve"] + arguments, environment: environment, folder: folder)
        let check = try await runBridge(["check"] + arguments, environment: environment, folder: folder)
        #expect(serve.end == .exit(2), "\(serve)", sourceLocation: sourceLocation)
        #expect(check.end == .exit(2), sourceLocation: sourceLocation)
        #expect(check.errors == serve.errors, sourceLocation: sourceLocation)
        #expect(serve.output.isEmpty && check.output.isEmpty, sourceLocation: sourceLocation)
        #expect(!serve.errors.contains(Self.secret), sourceLocation: sourceLocation)
        return serve.errorLines
    }

    /// Exactly these lines: each with its key right behind the file's name, and with what to do.
    private func expect(
        _ lines: [Substring],
        _ wanted: [(key: String, word: String)],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(lines.count == wanted.count, "\(lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
        for (key, word) in wanted {
            let line = lines.first { $0.contains(".yaml: \(key): ") }
            #expect(line != nil, "\(key) in \(lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
            if let line {
                #expect(line.contains(word), "\(word) in \(line)", sourceLocation: sourceLocation)
                #expect(line.contains(/[;?]|: write/), "no mend in \(line)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test func allFaultsOfTheFileComeTogether() async throws {
        let lines = try await faults(
            """
            htp: {port: 1}
            http: {port: 99999, maxBodySize: 1, requestTimeout: soon, path: b24, allowedNetworks: ["10.0.0.0/99"]}
            admin: {port: x}
            kafka:
              topic: "b24/{entity}"
              key: "{portal}/{nonsense}"
              mode: both
              deadLetterTopic: "dead letters"
            journal: {maxBytes: 1KiB, sync: maybe, retain: -1s}
            shutdownTimeout: 25
            """
        )
        expect(
            lines,
            [
                ("htp", "http"), ("http.port", "65535"), ("http.maxBodySize", "maxBodyBytes"),
                ("http.requestTimeout", "10s"), ("http.path", "/b24/events"), ("http.allowedNetworks", "10.0.0.0/99"),
                ("admin.port", "\"x\""), ("kafka.bootstrapServers", "B24_KAFKA_BOOTSTRAP_SERVERS"),
                ("kafka.topic", "letters, digits"), ("kafka.key", "{portal}, {entity}, {id}"),
                ("kafka.mode", "structured"),
                ("kafka.deadLetterTopic", "letters, digits"), ("journal.maxBytes", "1MiB"), ("journal.sync", "true"),
                ("journal.retain", "-1s"), ("shutdownTimeout", "25"),
            ]
        )
    }

    @Test func propertiesThatLibrdkafkaRefusesAreNamedInItsWords() async throws {
        let lines = try await faults(
            """
            kafka:
              bootstrapServers: "localhost:9092"
              properties:
                linger.ms: abc
                acks: 1
                enable.idempotence: false
                bootstrap.servers: "elsewhere:9092"
                compression.type: rar
                no.such.property: 1
                sasl.pasword: \(Self.secret)
            """
        )
        expect(
            lines,
            [
                ("kafka.properties.linger.ms", "Invalid value"), ("kafka.properties.acks", "leave it out"),
                ("kafka.properties.enable.idempotence", "leave it out"),
                ("kafka.properties.bootstrap.servers", "leave it out"),
                ("kafka.properties.compression.type", "Invalid value"),
                ("kafka.properties.no.such.property", "No such configuration property"),
                ("kafka.properties.sasl.pasword", "No such configuration property"),
            ]
        )
    }

    @Test func propertiesThatDoNotGoTogetherAreRefused() async throws {
        let lines = try await faults(
            """
            kafka:
              bootstrapServers: "localhost:9092"
              properties: {security.protocol: sasl_ssl, sasl.mechanism: NONSENSE, sasl.password: \(Self.secret)}
            """
        )
        #expect(lines.count == 1)
        #expect(
            lines.first?.contains("b24bridge.yaml: kafka.properties: Unsupported SASL mechanism: NONSENSE; ") == true,
            "\(lines)"
        )
    }

    @Test func filesAndVariablesThatDoNotExistAreNamed() async throws {
        let lines = try await faults(
            """
            kafka:
              bootstrapServers: {env: NO_SUCH_VARIABLE}
              properties: {sasl.password: {file: no-such-file}, sasl.username: {env: SECRET_OF_ANOTHER_KIND, x: 1}}
            journal: {maxBytes: {env: THE_SECRET}}
            portals: {file: no-such-portals.yaml}
            """,
            environment: ["THE_SECRET": Self.secret]
        )
        expect(
            lines,
            [
                ("kafka.bootstrapServers", "NO_SUCH_VARIABLE"), ("kafka.properties.sasl.password", "no-such-file"),
                ("kafka.properties.sasl.username", "found a mapping"), ("journal.maxBytes", "size"),
                ("portals.file", "no-such-portals.yaml"),
            ]
        )
    }

    @Test func faultsOfThePortalsComeWithTheOthers() async throws {
        let lines = try await faults(
            "http: {port: 99999}\nkafka: {bootstrapServers: \"localhost:9092\"}\n",
            portals: """
                portals:
                  - memberId: a
                    applicationToken: [\(Self.secret)]
                  - memberId: a
                    applicationTokens: [{env: NO_SUCH_VARIABLE}, \(Self.secret)]
                  - applicationTokens: [\(Self.secret)]
                """
        )
        expect(
            lines,
            [
                ("http.port", "65535"), ("portals[0].applicationTokens", "at least one"),
                ("portals[0].applicationToken", "did you mean"), ("portals[1].memberId", "twice"),
                ("portals[1].applicationTokens[0]", "NO_SUCH_VARIABLE"), ("portals[2].memberId", "missing"),
            ]
        )
    }

    @Test func variablesAreHeldToTheSameRules() async throws {
        let folder = try write("kafka: {bootstrapServers: \"localhost:9092\"}\n")
        let result = try await runBridge(
            ["serve", "--config", "b24bridge.yaml"],
            environment: ["B24_HTTP_PORT": "eighty"],
            folder: folder
        )
        #expect(result.end == .exit(2))
        #expect(result.errorLines.count == 1 && result.errors.contains("B24_HTTP_PORT"), "\(result.errors)")
    }

    @Test func aFileThatIsNotThereIsNamed() async throws {
        let result = try await runBridge(["serve", "--config", "nowhere.yaml"])
        #expect(result.end == .exit(2))
        #expect(result.errorLines.count == 1 && result.errors.contains("nowhere.yaml"), "\(result.errors)")
    }

    @Test func withoutAnyConfigurationItTeaches() async throws {
        let result = try await runBridge(["serve"])
        #expect(result.end == .exit(2))
        for word in ["kafka.bootstrapServers", "B24_KAFKA_BOOTSTRAP_SERVERS", "--config", "b24bridge serve --dev"] {
            #expect(result.errors.contains(word), "\(word) in \(result.errors)")
        }
    }

    @Test func aJournalThatCannotBeWrittenIsNamedWithStatusOne() async throws {
        let folder = try write(
            "kafka: {bootstrapServers: \"localhost:9092\"}\njournal: {directory: /proc/journal}\nhttp: {port: 0}\nadmin: {port: 0}"
        )
        let result = try await runBridge(["serve", "--config", "b24bridge.yaml"], folder: folder)
        #expect(result.end == .exit(1))
        #expect(result.errors.contains("/proc/journal"), "\(result.errors)")
    }
}
