/// Parts of the status that tell what has gone on lately, as this replica saw it.
extension StatusReport {
    /// Events that were admitted, and rows of offline queues that Kafka has confirmed.
    package struct ActivityPart: Codable, Sendable, Equatable {
        /// Mean of the last minute.
        var eventsPerSecond: Double = 0
        /// Events in each of the last sixty seconds, the oldest first. Shorter after a start.
        var lastMinute: [Int] = []
        /// Portals of which nothing was heard for longer than is usual there.
        var silentPortals = 0
    }

    /// Requests that were not taken for one reason, and events that were lost for one.
    package struct RefusalPart: Codable, Sendable, Equatable {
        /// `BridgeMetrics.RefusalReason` or `BridgeMetrics.LossReason`.
        var reason: String
        /// The events are lost: they were answered 503, or taken and are no longer readable.
        var lost: Bool
        /// Since the start. Never 0.
        var count: Int
        var lastSecondsAgo: Int
    }

    /// A broker, as librdkafka's statistics have it.
    package struct BrokerPart: Codable, Sendable, Equatable {
        /// What librdkafka's words mean to people, see `BrokerStates`.
        enum Standing: String, Codable {
            case up
            /// Not connected, although it should be.
            case down
            /// Not connected, as nothing is asked of it.
            case idle
        }

        /// `host:port`.
        var name: String
        /// Kafka's number of it. -1: an address of `kafka.bootstrapServers`, as long as the cluster has told of no brokers.
        var id: Int
        var standing: Standing
        /// librdkafka's word: `UP`, `INIT`, `TRY_CONNECT`, `AUTH_REQ` and so on.
        var state: String
        /// How long it has been in that state.
        var seconds: Int
        /// Mean time of a request to its response. Absent: there was none lately.
        var roundTripMilliseconds: Double?
        /// Requests that wait to be sent or answered.
        var requestsUnderWay: Int
    }
}

/// One portal, for the status page and for `/status/portals`. Only of portals that are known; never one that a call claimed.
struct PortalStatus: Codable, Sendable, Equatable {
    var memberId: String
    var domain: String?
    /// `file` of a portal that only stands in the file or has only outgoing webhooks, else `RegisteredPortal.State`.
    var state: String
    /// Since the start of this replica.
    var events = 0
    /// Also of earlier runs. Absent: none that is remembered.
    var lastEventSecondsAgo: Int?
    /// The longest pause of the last two weeks. Absent: it was not watched for a week yet.
    var longestSilenceSeconds: Int?
    /// Nothing was heard for longer than is usual there.
    var silent = false
}

/// Some of the portals, those first that need somebody, then those heard of lately.
struct PortalPage: Codable, Sendable, Equatable {
    /// How many there are that match what was looked for.
    var found = 0
    var portals: [PortalStatus] = []
}
