/// What each metric is and means.
extension BridgeMetrics {
    package enum Kind: Sendable {
        case counter, histogram
        /// Set from a snapshot at each scrape, as all gauges are.
        case gauge
        /// There where there is a registry.
        case registryGauge
        /// For each list of senders that the configuration names.
        case listGauge
        /// With labels of its own.
        case labelledGauge
    }

    /// Names without `prefix`, and what the exposition's HELP lines say.
    package static let descriptions: [(kind: Kind, name: String, text: String)] = [
        (.counter, "requests_total", "HTTP requests received at the event listener."),
        (.counter, "answers_total", "Answers given, by HTTP status."),
        (.histogram, "answer_seconds", "Time from the end of a request to its answer, of events that were taken."),
        (.counter, "events_admitted_total", "Events whose portal and token were right, by what vouched for them."),
        (.counter, "requests_refused_total", "Requests that were not taken, by reason."),
        (.counter, "calls_not_events_total", "Calls of Bitrix24 that are no events, by kind."),
        (.counter, "texts_repaired_total", "Places in events that were not UTF-8 and became U+FFFD."),
        (
            .counter, "events_unknown_total",
            "Events with a code that the catalog does not know. They are published all the same."
        ),
        (
            .counter, "events_lost_total",
            "Events lost, by reason: answered 503, and Bitrix24 will not send them again; or taken and no longer readable."
        ),
        (.counter, "dead_letters_total", "Dead letters written, by reason."),
        (.counter, "dead_letters_dropped_total", "Dead letters left out because their budget was used up."),
        (
            .counter, "events_awaiting_token_total",
            "Events parked until their portal's application token is known. Later they are admitted or refused."
        ),
        (
            .counter, "installs_verified_total",
            "Calls about installations that the authorization server confirmed, by kind."
        ),
        (
            .counter, "installs_refused_total",
            "Calls about installations that were not taken or not believed, by reason."
        ),
        (.gauge, "awaiting_token_records", "Events that wait for their portal's application token."),
        (.gauge, "awaiting_token_bytes", "Their bytes on disk, of 64 MiB."),
        (.gauge, "install_inbox_calls", "Calls about installations that wait to be verified."),
        (.counter, "records_committed_total", "Records made durable in the journal."),
        (.histogram, "journal_commit_seconds", "Time of one commit: write and sync."),
        (.histogram, "journal_sync_seconds", "Time of one fdatasync."),
        (.counter, "journal_segments_abandoned_total", "Segments given up after a failed write or sync."),
        (
            .counter, "journal_maintenance_failures_total",
            "Checkpoints, deletions and copies that failed and are tried again."
        ),
        (.counter, "journal_damaged_bytes_total", "Bytes of the journal that could not be read at recovery."),
        (
            .counter, "journal_findings_total",
            "Files of the journal that were not as they were left, found at the start, by kind."
        ),
        (.counter, "records_recovered_total", "Records of earlier runs found undelivered in the journal."),
        (.counter, "records_delivered_total", "Records that Kafka confirmed."),
        (.counter, "parked_records_delivered_total", "Of these, records that had been parked."),
        (
            .counter, "records_moved_to_parked_total",
            "Records moved to the parked journal because their topic refuses them."
        ),
        (.counter, "records_unreadable_total", "Records read once that the journal's disk could not read again; lost."),
        (
            .counter, "delivery_failures_total",
            "Delivery reports that said no. The records are kept and sent again or parked."
        ),
        (.counter, "producer_rebuilds_total", "Producers made anew after a fatal error."),
        (.gauge, "records_waiting", "Records in the journal that are neither delivered nor parked."),
        (.gauge, "records_parked", "Records in the parked journal."),
        (.gauge, "oldest_undelivered_seconds", "Age of the oldest record that is neither delivered nor parked."),
        (.gauge, "journal_bytes", "Bytes of the journal's segment files."),
        (.gauge, "journal_max_bytes", "Quota of the journal."),
        (.gauge, "journal_pending_bytes", "Bytes appended and not yet committed."),
        (.gauge, "journal_segments", "Segment files of the journal."),
        (
            .gauge, "journal_fill_ratio",
            "Share of the journal's quota that undelivered records hold; at 1 events wait and are lost."
        ),
        (
            .gauge, "journal_until_full_seconds",
            "Time until then at the net growth of the last minute; +Inf: not growing."
        ),
        (.gauge, "parked_journal_bytes", "Bytes of the parked journal's segment files."),
        (
            .gauge, "parked_journal_fill_ratio",
            "Share of their quota that parked records hold; at 1 events of refusing topics are lost."
        ),
        (
            .gauge, "parked_journal_until_full_seconds",
            "Time until then at the net growth of the last minute; +Inf: not growing."
        ),
        (.gauge, "producer_queue_records", "Records handed to librdkafka and not reported yet."),
        (.gauge, "producer_queue_bytes", "Their bytes."),
        (.gauge, "topics_refusing", "Topics that refuse records at this moment."),
        (.gauge, "connections", "Open connections of the event listener."),
        (.gauge, "portals", "Portals known."),
        (.gauge, "portals_file_faulty", "1 while the portals' file has faults and an earlier one stays in force."),
        (
            .labelledGauge, portalSilence,
            "Time since the last event or confirmed offline row of the portal that this replica heard of, without that in which it was down."
        ),
        (
            .labelledGauge, portalLongestSilence,
            "Longest pause of the portal's events in the fourteen days up to the last one; from a week of them on."
        ),
        (.counter, portalEvents, "Events and confirmed offline rows of the portal."),
        (
            .gauge, "portals_without_series",
            "Portals that have no metrics of their own, as there are more than admin.portalMetrics; they are those heard of least lately."
        ),
        (
            .gauge, "portals_silent",
            "Portals silent at this replica for longer than an hour and 1.5 times their longest silence. Another replica may hear them."
        ),
        (
            .labelledGauge, kafkaBrokers,
            "Kafka's brokers by state: up: connected; down: not, although it should be. One of which nothing is asked is neither. Absent while librdkafka tells nothing."
        ),
        (.gauge, "kafka_unreachable", "1 while librdkafka says that all of Kafka's brokers are down."),
        (.gauge, "ready", "1 when events can be accepted and synced."),
        (.counter, "kafka_token_failures_total", "Requests for a token for Kafka (kafka.oauth) that failed."),
        (.gauge, "kafka_token_seconds_left", "Time until the token for Kafka expires; +Inf: kafka.oauth is not set."),
        (.gauge, "sender_lists_missing", "Lists of Bitrix24's senders never fetched; above 0 everybody may send."),
        (.counter, "sender_list_failures_total", "Fetches of a list of Bitrix24's senders that failed."),
        (.listGauge, "sender_list_age_seconds", "Time since the list was fetched; +Inf: never."),
        (.listGauge, "sender_list_entries", "Networks on the list."),
        (.labelledGauge, buildInfo, "1; the labels tell the version of the bridge and of librdkafka."),
        (.labelledGauge, registeredPortals, "Portals of the registry, by state."),
        (.registryGauge, "registry_read", "1 when the registry of portals was read to its end since the start."),
        (.registryGauge, "registry_unconfirmed", "Portals with changes made here that Kafka has not confirmed."),
        (.registryGauge, "registry_owner", "1 at the replica that does the REST work."),
        (
            .registryGauge, "registry_snapshot_age_seconds",
            "Time since the registry's snapshot was written; +Inf: there is none."
        ),
    ]

    package static func names(_ kind: Kind) -> [String] { descriptions.filter { $0.kind == kind }.map(\.name) }

    /// A gauge for each state of a connection.
    static let kafkaBrokers = "kafka_brokers"
    /// Of single portals.
    static let portalSilence = "portal_silence_seconds"
    static let portalLongestSilence = "portal_longest_silence_seconds"
    static let portalEvents = "portal_events_total"
    /// A gauge for each state.
    static let registeredPortals = "registered_portals"
    static let buildInfo = "build_info"
}
