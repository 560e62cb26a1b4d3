internal import CoreMetrics
package import Metrics

/// What the owner counts of offline events, and each replica of what may make it look for them.
package struct OfflineMetrics: Sendable {
    private let deliveredRows: Counter
    private let deadLetteredRows: Counter
    private let recoveredRows: Counter
    private let errors: CodeCounters
    private let drains: [OfflineSchedule.Trigger: Counter]
    private let lag: Meter
    private let rowsHeld: Meter
    private let waiting: [OfflineWaiting.Cause: Meter]
    private let callsLeft: Meter
    /// Counted up and down.
    let pushChannels: Meter
    private let receptionGap: Meter

    private static let codes = [
        "access_denied", "insufficient_scope", "internal_server_error", "kafka", "no_tokens", "not_json",
        "operation_time_limit", "overload_limit", "query_limit_exceeded", "too_large", "unreachable", "wrong_auth_type",
        "wrong_license",
    ]

    package init(factory: any MetricsFactory) {
        func counter(_ name: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: "\(BridgeMetrics.prefix)offline_\(name)_total", dimensions: dimensions, factory: factory)
        }
        func gauge(_ name: String, _ dimensions: [(String, String)] = []) -> Meter {
            Meter(label: "\(BridgeMetrics.prefix)offline_\(name)", dimensions: dimensions, factory: factory)
        }
        deliveredRows = counter("rows", [("outcome", "delivered")])
        deadLetteredRows = counter("rows", [("outcome", "dead_letter")])
        recoveredRows = counter("recovered_rows")
        errors = CodeCounters("offline_errors_total", Self.codes, factory: factory)
        drains = Dictionary(
            uniqueKeysWithValues: OfflineSchedule.Trigger.allCases.map {
                ($0, counter("drains", [("trigger", $0.rawValue)]))
            }
        )
        lag = gauge("lag_seconds")
        rowsHeld = gauge("rows_held")
        waiting = Dictionary(
            uniqueKeysWithValues: OfflineWaiting.Cause.allCases.map {
                ($0, gauge("portals_waiting", [("for", $0.rawValue)]))
            }
        )
        callsLeft = gauge("budget_left_calls")
        pushChannels = gauge("push_channels")
        pushChannels.set(0)
        receptionGap = Meter(label: BridgeMetrics.prefix + "reception_gap_seconds", factory: factory)
        receptionGap.set(0)
    }

    func delivered(_ rows: Int) { if rows > 0 { deliveredRows.increment(by: rows) } }

    func deadLettered(_ rows: Int) { if rows > 0 { deadLetteredRows.increment(by: rows) } }

    func recovered(_ rows: Int) { recoveredRows.increment(by: rows) }

    func failed(_ code: String) { errors.increment(code) }

    func began(_ trigger: OfflineSchedule.Trigger) { drains[trigger]?.increment() }

    func found(_ gap: ReceptionGap) { receptionGap.set(gap.seconds) }

    /// For a scrape.
    ///
    /// - Parameter drain: `nil`: another replica drains, or none.
    func setGauges(_ drain: OfflineDrain?, burst: Int) {
        let waits = drain?.waiting ?? OfflineWaiting()
        lag.set(waits.lag)
        rowsHeld.set(Double(waits.heldRows))
        for (cause, gauge) in waiting { gauge.set(Double(waits.portals[cause] ?? 0)) }
        callsLeft.set(Double(waits.callsLeft ?? burst))
    }

    /// For the exposition's HELP lines.
    package static let descriptions: [(name: String, text: String)] = [
        (
            "offline_rows_total",
            "Rows of portals' offline queues of which Kafka has confirmed the record, by what it is; counted by the owner."
        ),
        (
            "offline_recovered_rows_total",
            "Delivered rows that somebody had reserved and not come to clear, or that were marked; counted by the owner."
        ),
        ("offline_errors_total", "Turns at portals' offline queues that failed, by code; counted by the owner."),
        (
            "offline_lag_seconds",
            "Age of the oldest change that was read from an offline queue and is not cleared there. 0: none."
        ),
        ("offline_rows_held", "Rows that lie reserved in the portals for this replica and are not cleared."),
        (
            "offline_portals_waiting",
            "Portals whose offline queue is to be drained: budget: the portal's rate is used up; turn: others are drained; "
                + "gate: Kafka or the journal takes no more."
        ),
        ("offline_budget_left_calls", "Calls that are left at the portal that has the fewest."),
        ("offline_drains_total", "Drains that were begun, by what caused them; counted by the owner."),
        ("offline_push_channels", "Push channels of portals that are followed; at the owner."),
        (
            "reception_gap_seconds",
            "Length of the last time without any event in which this replica was down or could not be reached; 0: none yet."
        ),
    ]
}

/// What waits, for a scrape.
struct OfflineWaiting: Sendable {
    enum Cause: String, Sendable, CaseIterable { case budget, turn, gate }

    /// Seconds.
    var lag: Double = 0
    var heldRows = 0
    var portals: [Cause: Int] = [:]
    /// `nil`: no portal is known.
    var callsLeft: Int?
}
