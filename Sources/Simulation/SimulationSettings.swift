package import Bitrix24
package import KafkaClient

/// What a run of the simulation needs to know.
package struct SimulationSettings: Sendable {
    /// Where Kafka is, and what reading it needs.
    package struct Kafka: Sendable {
        package var bootstrapServers: String
        /// librdkafka's properties; those for producers do no harm.
        package var properties: [String: String]
        package var tokens: BearerTokens?

        package init(bootstrapServers: String, properties: [String: String] = [:], tokens: BearerTokens? = nil) {
            self.bootstrapServers = bootstrapServers
            self.properties = properties
            self.tokens = tokens
        }
    }

    /// `http://` or `https://`. Each portal's member_id takes the place of `{portal}`.
    package var url: String
    package var portals: [SimulatedPortal]
    package var mix = EventMix.usual
    /// The bridge's templates and mode.
    package var topic: TopicTemplate
    package var key: KeyTemplate
    package var mode: EnvelopeMode = .structured
    /// Distinct objects for each portal and event code.
    package var entities = 10
    package var connections = 16
    /// Events a second; `nil`: as fast as the connections allow.
    package var rate: Double?
    /// The run ends with whichever comes first. Both `nil`: with `stop()`.
    package var count: Int?
    package var duration: Duration?
    /// Posted once, and given up after this.
    package var requestTimeout: Duration = .seconds(10)
    /// Go on although nobody answers.
    package var isHolding = false
    /// Without holding, how long nobody may answer.
    package var patience: Duration = .seconds(10)
    /// Where the records are to arrive. `nil`: that is not verified.
    package var kafka: Kafka?
    /// Without a new record for so long, what is missing counts as missing.
    package var arrivalTimeout: Duration = .seconds(60)

    package init(url: String, portals: [SimulatedPortal], topic: TopicTemplate, key: KeyTemplate) {
        self.url = url
        self.portals = portals
        self.topic = topic
        self.key = key
    }

    /// `url` for people.
    package var shownURL: String { ShownAddress.text(url) }
}
