internal import CoreMetrics
package import Metrics

/// What the owner of the REST work counts.
package struct RESTWorkMetrics: Sendable {
    package enum Reconciled: String, Sendable, CaseIterable { case unchanged, mended, drift, failed }
    package enum Refreshed: String, Sendable, CaseIterable {
        case renewed, refused
        /// New tokens came, and could not be stored for all replicas at once.
        case unkept
    }

    private let reconciles: [Reconciled: Counter]
    private let refreshes: [Refreshed: Counter]
    private let errors: CodeCounters
    private let drift: Meter

    /// Source: b24restdocs, _includes/system-errors.md and settings/oauth/error-codes.md
    private static let codes = [
        "access_denied", "application_not_found", "error_event_not_found", "error_oauth", "expired_token",
        "forbidden_address", "insufficient_scope", "internal_server_error", "invalid_client", "invalid_credentials",
        "invalid_grant", "moved", "no_tokens", "not_administrator", "not_installed", "not_json", "operation_time_limit",
        "overload_limit",
        "payment_required", "portal_deleted", "query_limit_exceeded", "unreachable", "user_access_error",
        "wrong_license",
    ]

    package init(factory: any MetricsFactory) {
        func counter(_ name: String, _ label: String, _ value: String) -> Counter {
            Counter(label: "\(BridgeMetrics.prefix)\(name)_total", dimensions: [(label, value)], factory: factory)
        }
        reconciles = Dictionary(
            uniqueKeysWithValues: Reconciled.allCases.map { ($0, counter("reconciles", "outcome", $0.rawValue)) }
        )
        refreshes = Dictionary(
            uniqueKeysWithValues: Refreshed.allCases.map { ($0, counter("token_refreshes", "outcome", $0.rawValue)) }
        )
        errors = CodeCounters("rest_errors_total", Self.codes, factory: factory)
        drift = Meter(label: BridgeMetrics.prefix + "bindings_drift", factory: factory)
    }

    func reconciled(_ outcome: Reconciled) { reconciles[outcome]?.increment() }

    func refreshed(_ outcome: Refreshed) { refreshes[outcome]?.increment() }

    func failed(_ code: String) { errors.increment(code) }

    /// For a scrape.
    package func setGauges(_ registry: PortalRegistry) {
        let portals = registry.memberIDs.lazy.compactMap(registry.portal).filter(\.isInstalled)
        drift.set(Double(portals.reduce(0) { $0 + ($1.bindings?.drift ?? 0) }))
    }

    /// For the exposition's HELP lines.
    package static let descriptions: [(name: String, text: String)] = [
        (
            "reconciles_total",
            "Comparisons of a portal's bindings with the declared ones, by outcome; counted by the owner."
        ),
        ("token_refreshes_total", "Exchanges of a refresh token, by outcome; counted by the owner."),
        ("rest_errors_total", "REST work that failed, by Bitrix24's code; counted by the owner."),
        ("bindings_drift", "Bindings that are not as declared and could not be mended. The same at each replica."),
    ]
}
