/// Parts of the status that tell what has gone on lately, as this replica saw it.
extension StatusReport {
    /// Events that were admitted, and rows of offline queues that Kafka has confirmed.
    package struct ActivityPart: Codable, Sendable, Equatable {
        /// Mean of the last minute.
        package var eventsPerSecond: Double
        /// Events in each of the last sixty seconds, the oldest first. Shorter after a start.
        package var lastMinute: [Int]
        /// Portals of which nothing was heard for longer than is usual there.
        package var silentPortals: Int

        package init(eventsPerSecond: Double = 0, lastMinute: [Int] = [], silentPortals: Int = 0) {
            self.eventsPerSecond = eventsPerSecond
            self.lastMinute = lastMinute
            self.silentPortals = silentPortals
        }
    }

    /// Requests that were not taken for one reason, and events that were lost for one.
    package struct RefusalPart: Codable, Sendable, Equatable {
        /// `BridgeMetrics.RefusalReason` or `BridgeMetrics.LossReason`.
        package var reason: String
        /// The events are lost: the answer was 503.
        package var lost: Bool
        /// Since the start. Never 0.
        package var count: Int
        package var lastSecondsAgo: Int

        package init(reason: String, lost: Bool, count: Int, lastSecondsAgo: Int) {
            self.reason = reason
            self.lost = lost
            self.count = count
            self.lastSecondsAgo = lastSecondsAgo
        }
    }

    /// A broker, as librdkafka's statistics have it.
    package struct BrokerPart: Codable, Sendable, Equatable {
        /// `host:port`.
        package var name: String
        /// Kafka's number of it. -1: an address of `kafka.bootstrapServers`, as long as the cluster has told of no brokers.
        package var id: Int
        /// librdkafka's word: `UP`, `DOWN`, `TRY_CONNECT`, `AUTH_REQ` and so on.
        package var state: String
        /// How long it has been so.
        package var seconds: Int
        /// Mean time of a request to its response. Absent: there was none lately.
        package var roundTripMilliseconds: Double?
        /// Requests that wait to be sent or answered.
        package var requestsUnderWay: Int

        package init(
            name: String,
            id: Int,
            state: String,
            seconds: Int,
            roundTripMilliseconds: Double?,
            requestsUnderWay: Int
        ) {
            self.name = name
            self.id = id
            self.state = state
            self.seconds = seconds
            self.roundTripMilliseconds = roundTripMilliseconds
            self.requestsUnderWay = requestsUnderWay
        }
    }
}

/// One portal, for the status page and for `/status/portals`. Only of portals that are known; never one that a call claimed.
package struct PortalStatus: Codable, Sendable, Equatable {
    package var memberId: String
    package var domain: String?
    /// `file` of a portal that only stands in the file or has only outgoing webhooks, else `RegisteredPortal.State`.
    package var state: String
    /// Since the start of this replica.
    package var events: Int
    /// Also of earlier runs. Absent: none that is remembered.
    package var lastEventSecondsAgo: Int?
    /// The longest pause of the last two weeks. Absent: it was not watched for a week yet.
    package var longestSilenceSeconds: Int?
    /// Nothing was heard for longer than is usual there.
    package var silent: Bool

    package init(
        memberId: String,
        domain: String? = nil,
        state: String,
        events: Int = 0,
        lastEventSecondsAgo: Int? = nil,
        longestSilenceSeconds: Int? = nil,
        silent: Bool = false
    ) {
        self.memberId = memberId
        self.domain = domain
        self.state = state
        self.events = events
        self.lastEventSecondsAgo = lastEventSecondsAgo
        self.longestSilenceSeconds = longestSilenceSeconds
        self.silent = silent
    }
}

/// Some of the portals, those first that need somebody, then those heard of lately.
package struct PortalPage: Codable, Sendable, Equatable {
    /// How many there are that match what was looked for.
    package var found: Int
    package var portals: [PortalStatus]

    package init(found: Int = 0, portals: [PortalStatus] = []) {
        self.found = found
        self.portals = portals
    }
}
