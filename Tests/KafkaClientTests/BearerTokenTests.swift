import Foundation
import Testing

@testable import KafkaClient

@Suite struct BearerTokenTests {
    private static let login = [
        "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER", "debug": "security",
    ]

    private static func token(_ value: String, for life: Duration = .seconds(60)) -> BearerToken {
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        return BearerToken(
            value,
            expiresAt: now + life.components.seconds * 1000,
            principal: "p",
            extensions: ["a": "b"]
        )!
    }

    private final class Events {
        var all: [ProducerEvent] = []

        var tokensSet: Int {
            all.count {
                if case .log(_, _, let text) = $0 { text.contains("setting OAUTHBEARER token") } else { false }
            }
        }

        var failures: [String] {
            all.compactMap { if case .connectionError(let error) = $0 { error.message } else { nil } }
                .filter { $0.contains("Failed to acquire") }
        }
    }

    /// A producer that has nobody to talk to.
    private static func withProducer(
        _ tokens: BearerTokens,
        properties: [String: String] = login,
        _ body: (_ events: Events, _ poll: () -> Void) throws -> Void
    ) throws {
        let events = Events()
        let configuration = ProducerConfiguration(
            bootstrapServers: "127.0.0.1:9",
            properties: properties,
            tokens: tokens
        )
        let producer = try KafkaProducer(configuration) { events.all.append($0) }
        defer { producer.close() }
        try body(events) { _ = producer.poll(upTo: .milliseconds(20), maxReports: 1) { _ in } }
    }

    private static func wait(_ poll: () -> Void, until condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            poll()
        }
        return true
    }

    @Test func `librdkafka gets the token that is there, and each new one at once`() throws {
        let tokens = BearerTokens()
        tokens.use(Self.token("first"))
        try Self.withProducer(tokens) { events, poll in
            #expect(Self.wait(poll) { events.tokensSet == 1 })
            #expect(tokens.use(Self.token("second")) == nil)
            #expect(Self.wait(poll) { events.tokensSet == 2 })
            #expect(events.failures.isEmpty)
        }
        #expect(tokens.use(Self.token("third")) == nil, "the client is gone")
    }

    @Test func `without a token a client is told why, and takes the first that comes`() throws {
        let tokens = BearerTokens()
        tokens.fail("nobody answers")
        try Self.withProducer(tokens) { events, poll in
            #expect(Self.wait(poll) { events.failures.count == 1 })
            #expect(events.failures[0].contains("nobody answers") && events.tokensSet == 0)
            tokens.fail("nobody answers still")
            #expect(Self.wait(poll) { events.failures.count == 2 })
            tokens.use(Self.token("first"))
            #expect(Self.wait(poll) { events.tokensSet == 1 })
            #expect(tokens.failure == nil)
        }
    }

    @Test func `a failure is kept from clients as long as their token is good`() throws {
        let tokens = BearerTokens()
        tokens.use(Self.token("short", for: .seconds(1)))
        try Self.withProducer(tokens) { events, poll in
            tokens.fail("nobody answers")
            #expect(Self.wait(poll) { events.tokensSet == 1 })
            #expect(tokens.failure == "nobody answers")
            #expect(events.failures.isEmpty)
            #expect(
                Self.wait {
                    tokens.fail("nobody answers")
                    poll()
                } until: {
                    events.failures.count == 1
                }
            )
        }
    }

    @Test func `a client without OAUTHBEARER refuses, in words without the token`() throws {
        let tokens = BearerTokens()
        try Self.withProducer(tokens, properties: [:]) { _, _ in
            let refusal = try #require(tokens.use(Self.token("secret-token")))
            #expect(refusal.code == .state && refusal.message.contains("sasl.mechanism"))
            #expect(!"\(refusal)".contains("secret-token"))
        }
    }

    @Test func `consumers and questions get tokens too`() throws {
        let tokens = BearerTokens()
        tokens.fail("the token endpoint is away")
        let error = #expect(throws: KafkaError.self) {
            try clusterMetadata(
                of: ProducerConfiguration(bootstrapServers: "127.0.0.1:9", properties: Self.login, tokens: tokens),
                timeout: .milliseconds(300)
            )
        }
        #expect(error?.message.contains("the token endpoint is away") == true, "\(error.debugDescription)")
        var properties = Self.login
        properties["debug"] = nil
        let consumer = try KafkaConsumer(
            ConsumerConfiguration(
                bootstrapServers: "127.0.0.1:9",
                groupID: "g",
                properties: properties,
                tokens: tokens
            )
        )
        #expect(tokens.use(Self.token("first")) == nil)
        consumer.close()
    }

    @Test func `what cannot be a token or an extension is told before librdkafka quotes it`() {
        for text in ["", "two words", "line\n", "nul\0", "é"] {
            #expect(BearerToken(text, expiresAt: 1, principal: "p") == nil)
        }
        #expect(BearerToken.objection(toExtension: "logicalCluster", "lkc-1 x") == nil)
        for (name, value) in [("", "x"), ("auth", "x"), ("a_b", "x"), ("a", "é"), ("a", "\u{1}")] {
            #expect(BearerToken.objection(toExtension: name, value) != nil)
        }
    }

    @Test func `a token is in no description`() throws {
        let token = Self.token("secret-token")
        var dumped = ""
        dump(token, to: &dumped)
        #expect(!"\(token) \(String(reflecting: token)) \(dumped)".contains("secret-token"))
    }
}
