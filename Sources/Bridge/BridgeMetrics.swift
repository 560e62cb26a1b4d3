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
}
