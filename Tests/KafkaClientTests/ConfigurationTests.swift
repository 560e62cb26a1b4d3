import Testing

@testable import KafkaClient

@Suite struct ConfigurationTests {
    private func faults(_ configuration: ProducerConfiguration) -> [KafkaPropertyFault] {
        do throws(KafkaConfigurationError) {
            try validate(configuration)
            return []
        } catch {
            return error.faults
        }
    }

    private func faults(_ properties: [String: String]) -> [KafkaPropertyFault] {
        faults(ProducerConfiguration(bootstrapServers: "broker:9092", properties: properties))
    }

    @Test func `the defaults are accepted`() {
        #expect(faults([:]) == [])
    }

    @Test func `a user's property wins over a default`() {
        #expect(faults(["linger.ms": "50", "queue.buffering.max.ms": "60", "compression.codec": "gzip"]) == [])
    }

    @Test func `all faults come together, each with its key and librdkafka's words`() throws {
        let found = faults(["no.such.property": "1", "linger.ms": "soon", "compression.type": "brotli"])
        #expect(found.map(\.property) == ["compression.type", "linger.ms", "no.such.property"])
        let unknown = try #require(found.last)
        #expect(unknown.reason.contains("No such configuration property"))
        #expect(unknown.value == "1")
        #expect(unknown.description.contains("no.such.property = \"1\": "))
        #expect(found[0].reason.contains("Invalid value"))
    }

    @Test func `what the promises rest on cannot be set`() {
        for (property, reason) in ProducerConfiguration.reserved {
            #expect(faults([property: "1"]).map(\.property) == [property])
            #expect(faults([property: "1"]).map(\.reason) == [reason])
        }
    }

    @Test func `each reserved key that is not internal exists in librdkafka`() {
        // A key misspelt in the list would reserve nothing.
        for property in ProducerConfiguration.reserved.keys {
            let settings = ClientSettings(redactor: SecretRedactor())
            settings.set(property, "no value at all")
            #expect(!settings.faults.contains { $0.reason.contains("No such") }, "\(property)")
        }
    }

    @Test func `a combination that librdkafka refuses names the key at fault`() throws {
        let found = faults(["max.in.flight": "6"])
        let fault = try #require(found.first)
        #expect(found.count == 1)
        #expect(fault.property == "max.in.flight")
        #expect(fault.reason.contains("enable.idempotence"))
    }

    @Test func `a secret is not in the text of any fault`() {
        let secret = "hunter2-very-secret"
        let found = faults([
            "sasl.password": "\(secret)\0", "sasl.mechanism": secret, "ssl.key.pem": secret,
            "security.protocol": "ssl", "linger.ms": "x",
        ])
        #expect(found.contains { $0.property == "sasl.password" && $0.value == nil })
        #expect(!found.map(\.description).joined().contains("hunter2"))
        #expect(found.contains { $0.property == "linger.ms" })
        // Alone, so that librdkafka gets as far as reading the key.
        let key = faults(["security.protocol": "ssl", "ssl.key.pem": secret])
        #expect(key.count == 1)
        #expect(!key.map(\.description).joined().contains("hunter2"))
    }

    @Test(arguments: [
        ("", "missing"), ("a:9092,", "missing"), ("host:0", "port"), ("host:70000", "port"), ("host:x", "port"),
        (":9092", "host:port"), ("a b:9092", "host:port"), ("[::1]:x", "port"),
    ])
    func `servers that cannot be read are refused`(servers: String, word: String) throws {
        let found = faults(ProducerConfiguration(bootstrapServers: servers))
        #expect(found.map(\.property) == ["bootstrap.servers"])
        #expect(try #require(found.first).reason.contains(word))
    }

    @Test(arguments: [
        "h", "h:1", "a:9092,b:9093", "a:1, b:2", "[::1]:9092", "[::1]", "SASL_SSL://h:9092", "10.0.0.1:9092",
    ])
    func `servers in any usual form are accepted`(servers: String) {
        #expect(faults(ProducerConfiguration(bootstrapServers: servers)) == [])
    }

    @Test func `bounds that cannot work are refused`() {
        var configuration = ProducerConfiguration(bootstrapServers: "h")
        configuration.maxQueuedMessages = 0
        configuration.maxMessageBytes = 10
        #expect(faults(configuration).map(\.property) == ["queue.buffering.max.messages", "message.max.bytes"])
        configuration = ProducerConfiguration(bootstrapServers: "h")
        configuration.maxQueuedBytes = 1000
        #expect(faults(configuration).map(\.property) == ["queue.buffering.max.kbytes"])
    }

    @Test func `a producer refuses what validation refuses`() {
        #expect(throws: KafkaConfigurationError.self) {
            try KafkaProducer(ProducerConfiguration(bootstrapServers: "h", properties: ["linger.ms": "x"])).close()
        }
    }

    @Test func `pieces of a long secret are taken out, short secrets whole`() {
        let redactor = SecretRedactor(properties: [
            "sasl.password": "pw1", "sasl.oauthbearer.config": "scope=0123456789",
        ])
        #expect(redactor.redact("bad pw1.") == "bad [redacted].")
        #expect(redactor.redact("beginning at: 23456789") == "beginning at: [redacted]")
        #expect(redactor.redact("scope is 345") == "scope is 345")
        #expect(redactor.redact("") == "")
    }

    @Test func `the library tells its version and features`() {
        #expect(Librdkafka.version.split(separator: ".").count >= 3)
        #expect(Librdkafka.versionNumber >= 0x0200_0000)
        #expect(!Librdkafka.isBelow(2, 0, 0))
        #expect(Librdkafka.isBelow(200, 0, 0))
        #expect(Librdkafka.builtinFeatures.contains("ssl"))
    }
}
