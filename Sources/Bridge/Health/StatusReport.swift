internal import Bitrix24
internal import Ingress
internal import Journal
internal import KafkaClient

/// What `/status` tells: the state of one replica.
package struct StatusReport: Codable, Sendable {
    package struct JournalPart: Codable, Sendable {
        package var state: String
        package var bytes: Int
        package var maxBytes: Int
        /// How much of the room for new records is taken; 1 is full. Retained segments take none of it.
        package var fillRatio: Double
        /// At the net growth of the last minute. Absent: not growing.
        package var secondsUntilFull: Double?
        package var pendingBytes: Int
        package var segments: Int
        /// The next record's position.
        package var next: String
        /// Everything below is delivered or parked.
        package var checkpoint: String
        package var damagedBytes: Int
        package var setAsideFiles: Int
    }

    package struct KafkaPart: Codable, Sendable {
        package struct RefusingTopic: Codable, Sendable {
            package var topic: String
            package var parked: Bool
            package var error: String
            package var seconds: Int
        }

        /// With `kafka.oauth`.
        package struct Token: Codable, Sendable {
            /// Below 0: it has expired. Absent: there was none yet.
            package var secondsLeft: Int?
            /// Why the last request for one failed.
            package var failure: String?
        }

        package var bootstrapServers: String
        package var library: String
        /// Set while no broker can be reached.
        package var unreachable: String?
        package var token: Token?
        package var waitingRecords: Int
        package var oldestUndeliveredSeconds: Double?
        package var queuedRecords: Int
        package var queuedBytes: Int
        package var parkedRecords: Int
        package var refusingTopics: [RefusingTopic]
        /// Empty until librdkafka has told.
        package var brokers: [BrokerPart]
    }

    package struct SendersPart: Codable, Sendable {
        package struct List: Codable, Sendable {
            package var name: String
            package var entries: Int
            /// Absent: never fetched.
            package var ageSeconds: Int?
            /// Why the last fetch failed.
            package var failure: String?
        }

        /// How many networks may send, union of all. Absent: everybody may.
        package var allowedNetworks: Int?
        /// The published lists that `http.allowedNetworks` names.
        package var lists: [List]
    }

    package struct RegistryPart: Codable, Sendable {
        package var topic: String
        /// Read to its end since the start.
        package var read: Bool
        /// This replica does the REST work.
        package var owner: Bool
        /// Number of portals by state.
        package var states: [String: Int]
        /// Portals with changes made here that Kafka has not confirmed.
        package var unconfirmed: Int
        /// Absent: there is none.
        package var snapshotAgeSeconds: Double?
        /// Set while the topic cannot be read.
        package var fault: String?
    }

    package struct InstallationsPart: Codable, Sendable {
        /// In the inbox.
        package var callsToVerify: Int
        /// Events of portals whose application token is not known yet.
        package var awaitingTokenRecords: Int
        package var awaitingTokenBytes: Int
    }

    /// The queues of offline events, of whichever replica drains them.
    package struct OfflinePart: Codable, Sendable {
        /// Portals with a queue that is drained.
        package var portals: Int
        /// Of them those whose queue may not be read.
        package var portalsDenied: Int
        /// Rows that Kafka has confirmed since this replica does the work.
        package var drainedRows: Int
        /// Rows that are reserved and not cleared yet.
        package var heldRows: Int
        /// Rows that could not be published, since this replica does the work.
        package var deadLetteredRows: Int
        /// How long ago the oldest row was changed that was seen and is not cleared. Absent: there is none.
        package var lagSeconds: Double?
        /// Why nothing is drained at present. Absent: it is.
        package var paused: String?
    }

    package var version: String
    package var replica: String
    package var ready: Bool
    /// Why not, in words.
    package var obstacles: [String]
    package var uptimeSeconds: Int
    package var connections: Int
    package var portals: Int
    /// What is wrong with the portals' file, which was not taken again for it. Absent: nothing.
    package var portalsFileFault: String?
    package var activity: ActivityPart
    /// Those that occurred since the start, the latest first.
    package var refusals: [RefusalPart]
    package var senders: SendersPart
    /// Absent: portals are in the file only.
    package var registry: RegistryPart?
    /// Absent: the bridge is no application.
    package var installations: InstallationsPart?
    /// Absent: this replica drains no queues.
    package var offline: OfflinePart?
    package var journal: JournalPart
    package var parked: JournalPart
    package var kafka: KafkaPart
}

extension StatusReport.RegistryPart {
    init(_ parts: RegistryParts) {
        let census = parts.registry.census()
        topic = parts.topic.name
        read = parts.registry.isRead
        owner = parts.inbox.isOwner
        states = Dictionary(uniqueKeysWithValues: census.states.map { ($0.rawValue, $1) })
        unconfirmed = census.unconfirmed
        snapshotAgeSeconds = parts.status.snapshotAt.map { max(0, Double(WallClock.now().milliseconds - $0) / 1000) }
        fault = parts.status.fault
    }
}

extension StatusReport.OfflinePart {
    /// - Parameters:
    ///   - denied: Number of portals in the state `offline-denied`.
    ///   - now: Milliseconds since 1970.
    init(_ status: OfflineStatus, denied: Int, now: Int64) {
        portals = status.portals
        portalsDenied = denied
        drainedRows = status.drained
        heldRows = status.held
        deadLetteredRows = status.deadLettered
        lagSeconds = status.lag(at: now)
        paused = status.pause
    }
}

extension StatusReport.KafkaPart.Token {
    init(_ tokens: BearerTokens) {
        secondsLeft = tokens.secondsLeft.map { Int($0) }
        failure = tokens.failure
    }
}

extension StatusReport.JournalPart {
    /// - Parameter maxBytes: the quota, of which `bytes` are used.
    init(_ statistics: JournalStatistics, _ fill: JournalFill, maxBytes: Int) {
        state =
            switch statistics.state {
            case .accepting: "accepting"
            case .full: "full"
            case .failing(let error): "failing: \(error)"
            case .closed: "closed"
            }
        bytes = statistics.diskBytes
        self.maxBytes = maxBytes
        fillRatio = fill.ratio
        secondsUntilFull = fill.secondsUntilFull
        pendingBytes = statistics.pendingBytes
        segments = statistics.segments
        next = "\(statistics.next)"
        checkpoint = "\(statistics.confirmedBelow)"
        damagedBytes = statistics.recovery.damagedBytes
        setAsideFiles = statistics.recovery.setAsideFiles
    }
}
