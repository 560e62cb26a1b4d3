/// How a producer reaches its cluster and how much it may hold. Checked by `validate` and by `KafkaProducer.init`.
package struct ProducerConfiguration: Sendable {
    /// `host:port`, comma-separated; the port may be left out (9092).
    package var bootstrapServers: String
    /// Shown in the brokers' logs and quotas.
    package var clientID: String
    /// The user's librdkafka properties (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md). They
    /// win over `defaults`. Those in `reserved` are refused.
    package var properties: [String: String]
    /// With the mechanism OAUTHBEARER, where the tokens come from.
    package var tokens: BearerTokens?
    /// Records that may be in the queue or in flight, reports not yet handed out included. Beyond it `send` answers
    /// `.queueFull`.
    package var maxQueuedMessages: Int
    /// The same in bytes of values, rounded up to KiB. Keys, headers and librdkafka's own memory
    /// for each record are not counted.
    package var maxQueuedBytes: Int
    /// Key, value, headers and framing of one record, at least 1000. A larger one is rejected by `send` with
    /// `messageSizeTooLarge`.
    package var maxMessageBytes: Int

    package init(
        bootstrapServers: String,
        clientID: String = "kafka-client",
        properties: [String: String] = [:],
        tokens: BearerTokens? = nil,
        maxQueuedMessages: Int = 100_000,
        maxQueuedBytes: Int = 64 << 20,
        maxMessageBytes: Int = 1_000_000
    ) {
        self.bootstrapServers = bootstrapServers
        self.clientID = clientID
        self.properties = properties
        self.tokens = tokens
        self.maxQueuedMessages = maxQueuedMessages
        self.maxQueuedBytes = maxQueuedBytes
        self.maxMessageBytes = maxMessageBytes
    }

    /// What is set unless the user sets it otherwise, and why.
    package static let defaults: [(key: String, value: String)] = [
        // A broker or a connection may fail at any moment of a request: sequence numbers keep a repeated request from
        // writing twice and a later one from overtaking it. Reserved.
        ("enable.idempotence", "true"),
        // A report of delivery means that every in-sync replica has the record. Reserved.
        ("acks", "all"),
        // Never give a record up for its age: whoever sends keeps it on disk and decides. Reserved.
        ("message.timeout.ms", "0"),
        // A report for each record, not only for failures. Reserved.
        ("delivery.report.only.error", "false"),
        // The same partition as the Java clients pick for the same key.
        ("partitioner", "murmur2_random"),
        // A short wait gathers a burst into one request, which saves work on both sides; nobody waits for the record but
        // the next consumer.
        ("linger.ms", "20"),
        // Readable by every consumer without a codec to install; thin records in small batches gain little.
        ("compression.type", "none"),
        // First pause after a refused request, and the pauses between attempts to connect. The upper bound decides how
        // soon after an outage records flow again; librdkafka's own is 10 s.
        ("retry.backoff.ms", "100"),
        ("reconnect.backoff.ms", "100"),
        ("reconnect.backoff.max.ms", "2000"),
        // Firewalls and load balancers forget idle connections silently; keep-alive notices.
        ("socket.keepalive.enable", "true"),
        // A small request is sent at once rather than held back until the last one is acknowledged.
        ("socket.nagle.disable", "true"),
        // A host that does not answer is given up after this, rather than after 30 s.
        ("socket.connection.setup.timeout.ms", "10000"),
        // How soon new partitions of a topic that works are noticed; librdkafka's own is 5 min. Topics that do not work
        // are asked for every second whatever this says.
        ("topic.metadata.refresh.interval.ms", "60000"),
        // How long records wait for a topic that does not exist (it may just be being created) before they come back;
        // librdkafka's own is 30 s. They take room in the queue all that time.
        ("topic.metadata.propagation.max.ms", "10000"),
        // Brokers close idle connections; that is no news.
        ("log.connection.close", "false"),
        // Costs time on librdkafka's main thread; the sender has its own counters.
        ("statistics.interval.ms", "0"),
    ]
}

extension ProducerConfiguration: CustomStringConvertible, CustomReflectable {
    /// Whatever prints a configuration must not print credentials: of the properties the names only.
    package var description: String {
        "\(bootstrapServers) as \(clientID) with \(properties.keys.sorted().joined(separator: ", "))"
    }

    package var customMirror: Mirror { Mirror(self, children: [("description", description)]) }
}
