package import Bitrix24
internal import Journal

/// Everything that can be set. Plain values with their defaults; `BridgeSettings+Reader` reads them.
package struct BridgeSettings: Sendable {
    package struct HTTP: Sendable {
        package var host = "0.0.0.0"
        package var port = 8080
        /// Events come here and at any address below.
        package var path = "/b24/events"
        /// Bitrix24 installs the application here.
        package var installPath = "/b24/install"
        package var maxBodyBytes = 1 << 20
        /// From the first byte of a request to its last.
        package var requestTimeout: Duration = .seconds(10)
        /// Networks (CIDR) that may send events, and names of published lists (`SenderList`). Empty: all.
        package var allowedNetworks: [String] = []
        /// Networks of proxies whose forwarded address is believed.
        package var trustedProxies: [String] = []
        /// Event loops. 0: one for each core.
        package var eventLoops = 0
    }

    package struct Admin: Sendable {
        package var host = "127.0.0.1"
        package var port = 9090
        /// How many portals have metrics of their own, those heard of last: 0…100,000. 0: none.
        package var portalMetrics = 1000
    }

    package struct Kafka: Sendable {
        package var bootstrapServers = ""
        package var topic: TopicTemplate
        package var key: KeyTemplate
        package var mode: EnvelopeMode = .structured
        /// Largest record, in bytes of key, headers and value, that is sent.
        package var maxRecordBytes = 900_000
        package var deadLetterTopic = "bitrix24.dead-letter"
        /// Compacted, with one partition: the portals that all replicas share.
        package var registryTopic = "bitrix24.bridge.portals"
        /// Any librdkafka property.
        package var properties: [String: String] = [:]
        /// Log in by OAUTHBEARER.
        package var oauth: OAuth?
        /// How long a topic may refuse its records before they are parked.
        package var parkAfter: Duration = .seconds(60)
    }

    package struct JournalSettings: Sendable {
        package var directory = "data/journal"
        package var maxBytes = 8 << 30
        package var segmentBytes = 64 << 20
        package var sync = true
        /// How long segments are kept whose records are all delivered or parked.
        package var retain: Duration = .zero
        /// Quota of the parked records, beside `maxBytes`. It is kept by refusing events: what is in the journal already
        /// moves over beyond it. 0: a quarter of `maxBytes`, or what the largest record needs.
        package var parkedMaxBytes = 0

        package init() {}
    }

    package var http = HTTP()
    package var admin = Admin()
    package var kafka: Kafka
    package var journal = JournalSettings()
    package var application = Application()
    package var secrets = Secrets()
    package var subscriptions = Subscriptions()
    package var offline = Offline()
    /// File of the static portals. Empty: there is none, as by default for an application.
    package var portalsFile = "portals.yaml"
    /// Whether portals are also kept in `kafka.registryTopic`.
    package var keepsRegistry = false
    /// First half of the attribute `sequence`; tells replicas apart.
    package var replica: String
    /// How long events are accepted after SIGTERM.
    package var shutdownDelay: Duration = .zero
    /// How long delivering goes on after that.
    package var shutdownTimeout: Duration = .seconds(25)

    package init(topic: TopicTemplate, key: KeyTemplate, replica: String) {
        kafka = Kafka(topic: topic, key: key)
        self.replica = replica
    }

    package var parkedDirectory: String { Self.parkedDirectory(of: journal.directory) }

    /// Where the parked records lie when the main journal's directory is this.
    static func parkedDirectory(of directory: String) -> String { "\(directory)/\(parkedName)" }

    static let parkedName = "parked"

    /// Where the registry's files lie.
    var registryDirectory: String { "\(journal.directory)/registry" }

    /// Where calls about installations wait to be verified.
    var installsDirectory: String { Self.installsDirectory(of: journal.directory) }

    static func installsDirectory(of directory: String) -> String { "\(directory)/installs" }

    /// Where events wait whose portal's application token is not known yet.
    var waitingDirectory: String { Self.waitingDirectory(of: journal.directory) }

    static func waitingDirectory(of directory: String) -> String { "\(directory)/waiting" }

    /// Quota of the events that wait there.
    static let waitingMaxBytes = 64 << 20

    var parkedMaxBytes: Int {
        journal.parkedMaxBytes > 0 ? journal.parkedMaxBytes : max(journal.maxBytes / 4, leastParkedMaxBytes)
    }

    /// Bytes of parked records from which on new events that would be parked are refused: seven eighths of the quota. The
    /// rest is for records that were taken before that, and for those that only move to the parked journal's end.
    var parkingLimit: Int { parkedMaxBytes - parkedMaxBytes / 8 }

    /// Quota below which a record may be that can never be parked. It would stay in the journal for ever, and all behind it.
    var leastParkedMaxBytes: Int { (largestPayloadBytes + 4096) / 7 * 8 + 8 }

    /// No event becomes a larger record in the journal. A byte of a body takes at most six in `data`, as `\u0001`, and if it
    /// is part of the event's id, three more in each of two attributes, as U+FFFD.
    var largestPayloadBytes: Int {
        min(http.maxBodyBytes * 12 + (16 << 10), JournalConfiguration(directory: "").maxPayloadBytes)
    }
}
