internal import Bitrix24REST
internal import Foundation
internal import Logging

extension RESTWork {
    /// Makes the bindings what is declared, and writes down what became of them.
    ///
    /// - Throws: also what of single bindings may pass by itself: it is to be tried again.
    func reconcile(_ portal: RegisteredPortal) async throws(Failure) -> Reconciler.Outcome {
        let reconciler = Reconciler(client, settings, portal)
        let outcome: Reconciler.Outcome
        do throws(RESTError) {
            outcome = try await reconciler.reconcile(portal.memberID)
        } catch {
            guard !Task.isCancelled else { throw .rest(error) }
            metrics.reconciled(.failed)
            try await write(error, portal)
            throw .rest(error)
        }
        try await write(outcome, reconciler.desired, portal)
        if let error = outcome.passing { throw .rest(error) }
        return outcome
    }

    private func write(
        _ outcome: Reconciler.Outcome,
        _ desired: DesiredBindings,
        _ portal: RegisteredPortal
    ) async throws(Failure) {
        let before = portal.bindings
        let error = Self.error(outcome, desired)
        let bindings = RegisteredPortal.Bindings(
            installedAt: portal.installation?.installedAt ?? 0,
            // What may pass by itself is not done with.
            fingerprint: outcome.passing == nil ? fingerprints[portal.memberID] : "",
            reconciledAt: now(),
            bound: desired.all.count - outcome.missing.count,
            drift: outcome.drift,
            error: error,
            handlers: outcome.handlers,
            connectors: outcome.connectors.isEmpty ? nil : outcome.connectors,
            isDrainedOnly: desired.isDrainedOnly ? true : nil
        )
        try await change(portal.memberID) { $0.bindings = bindings }
        metrics.reconciled(
            error != nil ? .failed : outcome.drift > 0 ? .drift : outcome.plan.isEmpty ? .unchanged : .mended
        )
        for failure in outcome.failures { metrics.failed(failure.error.code.text) }
        let bound = outcome.plan.bind.count - outcome.missing.count
        if bound > 0 || !outcome.plan.unbind.isEmpty {
            logger.info(
                "bindings made as declared",
                metadata: [
                    "portal": "\(portal.memberID)", "bound": "\(max(bound, 0))",
                    "unbound": "\(max(outcome.plan.unbind.count - outcome.surplus.count, 0))",
                ]
            )
        }
        if outcome.drift > 0, outcome.drift != before?.drift || error != before?.error {
            logger.warning(
                "bindings differ from what is declared",
                metadata: [
                    "portal": "\(portal.memberID)", "missing": "\(Self.names(outcome.missing))",
                    "surplus": "\(Self.names(outcome.surplus))", "reasons": "\(Self.reasons(outcome))",
                ]
            )
        }
    }

    /// What keeps a portal from being connected: without one of the events that the bridge lives by it is not, nor without any
    /// of those that are declared.
    private static func error(_ outcome: Reconciler.Outcome, _ desired: DesiredBindings) -> String? {
        let missing = Set(outcome.missing.map(\.event))
        guard outcome.missing.count == desired.all.count || !missing.isDisjoint(with: EventSelection.always) else {
            return nil
        }
        let reasons = reasons(outcome)
        return "not bound: \(names(outcome.missing))" + (reasons.isEmpty ? "" : "; \(reasons)")
    }

    /// A failure of the whole is written down only where it keeps the portal from being connected.
    private func write(_ error: RESTError, _ portal: RegisteredPortal) async throws(Failure) {
        let isBound = portal.bindings.map { $0.installedAt >= portal.installation?.installedAt ?? 0 } ?? false
        switch error.meaning {
        // Written down already, as what became of the portal.
        case .needsAuthorisation where error.code != .noTokens, .uninstalled: return
        case .passing where isBound, .later where isBound: return
        case .needsAuthorisation, .permanent, .later, .passing: break
        }
        let words = "\(error.method.isEmpty ? "" : "\(error.method): ")\(error.code.text): \(error.message)"
        guard portal.bindings?.error != words else { return }
        try await change(portal.memberID) { portal in
            var bindings =
                portal.bindings
                ?? RegisteredPortal.Bindings(installedAt: 0, fingerprint: "", reconciledAt: 0, bound: 0, drift: 0)
            bindings.error = words
            bindings.errorCode = error.code.text
            portal.bindings = bindings
        }
    }

    /// Asks the portal for an event, which brings the token that proves its events.
    func requestToken(_ portal: RegisteredPortal) async throws(Failure) {
        let nonce = portal.applicationTokens?.nonce ?? UUID().uuidString.lowercased()
        try await change(portal.memberID) { portal in
            guard portal.awaitsToken else { return }
            portal.applicationTokens = RegisteredPortal.ApplicationTokens(digests: [], nonce: nonce)
        }
        do throws(RESTError) {
            try await client.testEvent([Self.nonceName: .string(nonce)], of: portal.memberID)
        } catch {
            throw .rest(error)
        }
        logger.info("token asked for with event.test", metadata: ["portal": "\(portal.memberID)"])
    }

    /// Under which ONAPPTEST brings the nonce back, in `data[QUERY]`.
    package static let nonceName = "nonce"

    private static func names(_ bindings: [EventBinding]) -> String {
        let names = bindings.map { $0.isOffline ? "\($0.event) (offline)" : $0.event }
        return names.prefix(10).joined(separator: ", ") + (names.count > 10 ? " and \(names.count - 10) more" : "")
    }

    /// Each once, the most frequent first.
    private static func reasons(_ outcome: Reconciler.Outcome) -> String {
        var counts: [String: Int] = [:]
        for failure in outcome.failures {
            counts["\(failure.error.code.text): \(failure.error.message)", default: 0] += 1
        }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(3).map(\.key).joined(separator: "; ")
    }
}
