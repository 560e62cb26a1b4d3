internal import Bitrix24
internal import CoreMetrics
internal import Ingress
internal import Journal
internal import KafkaClient
package import Metrics

/// The metrics, made once. Counting costs an atomic addition.
///
/// Two sums hold whenever nothing is under way: requests = answers over all statuses, and
/// `records_committed` + `records_recovered` = `records_delivered` + `records_waiting` + `records_parked` +
/// `records_unreadable`.
package struct BridgeMetrics: Sendable {
    package static let prefix = "b24bridge_"

    let requests: Counter
    private let answers: [Int: Counter]
    private let otherAnswers: Counter
    /// From the end of the request to the answer of an event that was taken.
    let answerTime: Timer
    let admitted: [String: Counter]
    private let refused: [RefusalReason: ReasonCounter]
    let notEvents: [String: Counter]
    let repairedTexts: Counter
    let unknownEvents: Counter
    private let lost: [LossReason: ReasonCounter]
    let deadLetters: [String: Counter]
    let deadLettersDropped: Counter
    let senderListFailures: [String: Counter]

    let awaitingToken: Counter
    let installsVerified: [String: Counter]
    let installsRefused: [String: Counter]

    let committed: Counter
    let commitTime: Timer
    let syncTime: Timer
    let abandonedSegments: Counter
    let maintenanceFailures: Counter
    let damagedBytes: Counter
    let journalFindings: [String: Counter]

    let recovered: Counter
    let delivered: Counter
    let deliveredParked: Counter
    let parked: Counter
    let unreadable: Counter
    let deliveryFailures: Counter
    let producerRebuilds: Counter
    let kafkaTokenFailures: Counter

    static let statuses = [200, 400, 403, 404, 405, 408, 413, 431, 501, 503, 505]
    enum RefusalReason: String, CaseIterable {
        case unknownPortal = "unknown-portal"
        case badToken = "bad-token"
        case gonePortal = "gone-portal"
        case address
        case undecodable
        case malformedEvent = "malformed-event"
        case malformedRequest = "malformed-request"
        case tooSlow = "too-slow"
        case bodyTooLarge = "body-too-large"
    }
    enum LossReason: String, CaseIterable {
        case journalFull = "journal-full"
        case parkedFull = "parked-full"
        case waitingFull = "waiting-full"
        case diskFailure = "disk-failure"
        case overload
        case shutdown
    }

    package init(factory: any MetricsFactory) {
        func counter(_ name: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: Self.prefix + name + "_total", dimensions: dimensions, factory: factory)
        }
        func counters(_ name: String, _ label: String, _ values: some Sequence<String>) -> [String: Counter] {
            Dictionary(uniqueKeysWithValues: values.map { ($0, counter(name, [(label, $0)])) })
        }
        func reasons<Reason: RawRepresentable<String> & CaseIterable>(_ name: String) -> [Reason: ReasonCounter] {
            Dictionary(
                uniqueKeysWithValues: Reason.allCases.map {
                    ($0, ReasonCounter(counter(name, [("reason", $0.rawValue)])))
                }
            )
        }
        func timer(_ name: String) -> Timer { Timer(label: Self.prefix + name + "_seconds", factory: factory) }

        requests = counter("requests")
        answers = Dictionary(
            uniqueKeysWithValues: Self.statuses.map { ($0, counter("answers", [("status", "\($0)")])) }
        )
        otherAnswers = counter("answers", [("status", "other")])
        answerTime = timer("answer")
        admitted = counters("events_admitted", "origin", ["online", "webhook", "offline"])
        refused = reasons("requests_refused")
        notEvents = counters(
            "calls_not_events",
            "kind",
            InboundCall.OtherCall.allCases.map(\.rawValue) + ["payment-without-token"]
        )
        repairedTexts = counter("texts_repaired")
        unknownEvents = counter("events_unknown")
        lost = reasons("events_lost")
        deadLetters = counters("dead_letters", "reason", DeadLetterReason.allCases.map(\.rawValue))
        deadLettersDropped = counter("dead_letters_dropped")
        senderListFailures = counters("sender_list_failures", "list", SenderList.allCases.map(\.rawValue))
        awaitingToken = counter("events_awaiting_token")
        installsVerified = counters("installs_verified", "kind", UnverifiedCall.Kind.allCases.map(\.rawValue))
        installsRefused = counters("installs_refused", "reason", InstallRefusal.allCases.map(\.rawValue))
        committed = counter("records_committed")
        commitTime = timer("journal_commit")
        syncTime = timer("journal_sync")
        abandonedSegments = counter("journal_segments_abandoned")
        maintenanceFailures = counter("journal_maintenance_failures")
        damagedBytes = counter("journal_damaged_bytes")
        journalFindings = counters("journal_findings", "kind", JournalFinding.Kind.allCases.map(\.rawValue))
        recovered = counter("records_recovered")
        delivered = counter("records_delivered")
        deliveredParked = counter("parked_records_delivered")
        parked = counter("records_moved_to_parked")
        unreadable = counter("records_unreadable")
        deliveryFailures = counter("delivery_failures")
        producerRebuilds = counter("producer_rebuilds")
        kafkaTokenFailures = counter("kafka_token_failures")
    }

    static func tellBuild(version: String, factory: any MetricsFactory) {
        let versions = [("version", version), ("librdkafka", Librdkafka.version)]
        Meter(label: prefix + buildInfo, dimensions: versions, factory: factory).set(1)
    }

    func answered(_ status: Int) { (answers[status] ?? otherAnswers).increment() }

    func refused(_ reason: RefusalReason) { refused[reason]?.increment() }

    /// Of an event that was not admitted.
    func refused(_ reason: DeadLetterReason) {
        if let reason = RefusalReason(rawValue: reason.rawValue) { refused(reason) }
    }

    func lost(_ reason: LossReason, events: Int = 1) { lost[reason]?.increment(by: events) }

    /// What was refused or lost since the start, the latest first.
    var refusals: [StatusReport.RefusalPart] {
        let now = WallClock.now().milliseconds
        let all = refused.map { ($0.rawValue, false, $1) } + lost.map { ($0.rawValue, true, $1) }
        return all.compactMap { reason, isLost, counter -> (part: StatusReport.RefusalPart, at: Int64)? in
            guard counter.count > 0 else { return nil }
            let seconds = Int(max(0, now - counter.lastAt) / 1000)
            let count = counter.count
            return (.init(reason: reason, lost: isLost, count: count, lastSecondsAgo: seconds), counter.lastAt)
        }.sorted { ($1.at, $0.part.reason) < ($0.at, $1.part.reason) }.map(\.part)
    }

    /// What each metric means, for the exposition's HELP lines. Also those that are set from a snapshot at each scrape.
    package static let descriptions: [(name: String, text: String)] = [
        ("requests_total", "HTTP requests received at the event listener."),
        ("answers_total", "Answers given, by HTTP status."),
        ("answer_seconds", "Time from the end of a request to its answer, of events that were taken."),
        ("events_admitted_total", "Events whose portal and token were right, by what vouched for them."),
        ("requests_refused_total", "Requests that were not taken, by reason."),
        ("calls_not_events_total", "Calls of Bitrix24 that are no events, by kind."),
        ("texts_repaired_total", "Places in events that were not UTF-8 and became U+FFFD."),
        ("events_unknown_total", "Events with a code that the catalog does not know. They are published all the same."),
        ("events_lost_total", "Events answered 503: Bitrix24 will not send them again."),
        ("dead_letters_total", "Dead letters written, by reason."),
        ("dead_letters_dropped_total", "Dead letters left out because their budget was used up."),
        (
            "events_awaiting_token_total",
            "Events parked until their portal's application token is known. Later they are admitted or refused."
        ),
        ("installs_verified_total", "Calls about installations that the authorization server confirmed, by kind."),
        ("installs_refused_total", "Calls about installations that were not taken or not believed, by reason."),
        ("waiting_records", "Events that wait for their portal's application token."),
        ("waiting_bytes", "Their bytes on disk, of 64 MiB."),
        ("install_inbox_calls", "Calls about installations that wait to be verified."),
        ("records_committed_total", "Records made durable in the journal."),
        ("journal_commit_seconds", "Time of one commit: write and sync."),
        ("journal_sync_seconds", "Time of one fdatasync."),
        ("journal_segments_abandoned_total", "Segments given up after a failed write or sync."),
        ("journal_maintenance_failures_total", "Checkpoints, deletions and copies that failed and are tried again."),
        ("journal_damaged_bytes_total", "Bytes of the journal that could not be read at recovery."),
        (
            "journal_findings_total",
            "Files of the journal that were not as they were left, found at the start, by kind."
        ),
        ("records_recovered_total", "Records of earlier runs found undelivered in the journal."),
        ("records_delivered_total", "Records that Kafka confirmed."),
        ("parked_records_delivered_total", "Of these, records that had been parked."),
        ("records_moved_to_parked_total", "Records moved to the parked journal because their topic refuses them."),
        ("records_unreadable_total", "Records read once that the journal's disk could not read again; lost."),
        ("delivery_failures_total", "Delivery reports that said no. The records are kept and sent again or parked."),
        ("producer_rebuilds_total", "Producers made anew after a fatal error."),
        ("records_waiting", "Records in the journal that are neither delivered nor parked."),
        ("records_parked", "Records in the parked journal."),
        ("oldest_undelivered_seconds", "Age of the oldest record that is neither delivered nor parked."),
        ("journal_bytes", "Bytes of the journal's segment files."),
        ("journal_max_bytes", "Quota of the journal."),
        ("journal_pending_bytes", "Bytes appended and not yet committed."),
        ("journal_segments", "Segment files of the journal."),
        (
            "journal_fill_ratio",
            "Share of the journal's quota that undelivered records hold; at 1 events wait and are lost."
        ),
        ("journal_until_full_seconds", "Time until then at the net growth of the last minute; +Inf: not growing."),
        ("parked_journal_bytes", "Bytes of the parked journal's segment files."),
        (
            "parked_journal_fill_ratio",
            "Share of their quota that parked records hold; at 1 events of refusing topics are lost."
        ),
        (
            "parked_journal_until_full_seconds",
            "Time until then at the net growth of the last minute; +Inf: not growing."
        ),
        ("producer_queue_records", "Records handed to librdkafka and not reported yet."),
        ("producer_queue_bytes", "Their bytes."),
        ("topics_refusing", "Topics that refuse records at this moment."),
        ("connections", "Open connections of the event listener."),
        ("portals", "Portals known."),
        ("portals_file_faulty", "1 while the portals' file has faults and an earlier one stays in force."),
        (
            portalLastEvent,
            "Unix time of the last event or confirmed offline row of the portal that this replica heard of, also in earlier runs."
        ),
        (
            portalLongestSilence,
            "Longest pause of the portal's events in the fourteen days up to the last one; from a week of them on."
        ),
        (portalEvents, "Events and confirmed offline rows of the portal."),
        (
            "portals_without_series",
            "Portals that have no metrics of their own, as there are more than admin.portalMetrics; they are those heard of least lately."
        ),
        (
            "portals_silent",
            "Portals silent at this replica for longer than an hour and 1.5 times their longest silence. Another replica may hear them."
        ),
        (
            kafkaBrokers,
            "Kafka's brokers by state: up: connected; down: not, although it should be. One that nothing is asked of is neither."
        ),
        ("ready", "1 when events can be accepted and synced."),
        ("kafka_token_failures_total", "Requests for a token for Kafka (kafka.oauth) that failed."),
        ("kafka_token_seconds_left", "Time until the token for Kafka expires; +Inf: kafka.oauth is not set."),
        ("sender_lists_missing", "Lists of Bitrix24's senders never fetched; above 0 everybody may send."),
        ("sender_list_failures_total", "Fetches of a list of Bitrix24's senders that failed."),
        ("sender_list_age_seconds", "Time since the list was fetched; +Inf: never."),
        ("sender_list_entries", "Networks on the list."),
        (buildInfo, "1; the labels tell the version of the bridge and of librdkafka."),
        (registeredPortals, "Portals of the registry, by state."),
        ("registry_read", "1 when the registry of portals was read to its end since the start."),
        ("registry_unconfirmed", "Portals with changes made here that Kafka has not confirmed."),
        ("registry_owner", "1 at the replica that does the REST work."),
        ("registry_snapshot_age_seconds", "Time since the registry's snapshot was written; +Inf: there is none."),
    ]
    /// Metrics set from a snapshot at each scrape.
    package static let gauges = descriptions.map(\.name).filter {
        !$0.hasSuffix("_total") && !histograms.contains($0) && !listGauges.contains($0) && !registryGauges.contains($0)
            && !labelled.contains($0)
    }
    private static let labelled = [
        registeredPortals, kafkaBrokers, buildInfo, portalLastEvent, portalLongestSilence,
    ]
    /// The same where there is a registry.
    static let registryGauges = [
        "registry_read", "registry_unconfirmed", "registry_owner", "registry_snapshot_age_seconds",
    ]
    /// A gauge for each state of a connection.
    static let kafkaBrokers = "kafka_brokers"
    /// Of single portals.
    static let portalLastEvent = "portal_last_event_timestamp_seconds"
    static let portalLongestSilence = "portal_longest_silence_seconds"
    static let portalEvents = "portal_events_total"
    /// The same for each list of senders that the configuration names.
    static let listGauges = ["sender_list_age_seconds", "sender_list_entries"]
    /// A gauge for each state.
    static let registeredPortals = "registered_portals"
    private static let buildInfo = "build_info"
    package static let histograms = ["answer_seconds", "journal_commit_seconds", "journal_sync_seconds"]
}
