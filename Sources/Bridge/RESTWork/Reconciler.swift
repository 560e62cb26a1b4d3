internal import Bitrix24REST

/// Makes the bindings of one portal what is declared. Whatever ends it, doing it again completes it.
struct Reconciler: Sendable {
    struct Outcome: Sendable {
        /// What was found to be done.
        let plan: BindingPlan
        /// Bindings that were not as declared when it ended.
        var missing: [EventBinding] = []
        var surplus: [EventBinding] = []
        var failures: [(binding: EventBinding, error: RESTError)] = []
        /// Of all bindings of the bridge that exist now.
        var handlers: [String] = []
        /// Of all queues in which the bridge ever bound events here: one that nothing is bound to may hold rows still.
        var connectors: [String] = []

        var drift: Int { missing.count + surplus.count }

        /// A failure that may pass by itself.
        var passing: RESTError? {
            failures.first { [.passing, .later].contains($0.error.meaning) }?.error
        }
    }

    let client: RESTClient
    let desired: DesiredBindings
    let ownership: BindingOwnership
    private let knownConnectors: [String]

    init(_ client: RESTClient, _ settings: BridgeSettings, _ portal: RegisteredPortal) {
        self.client = client
        desired = DesiredBindings(settings, for: portal.memberID)
        knownConnectors = portal.bindings?.connectors ?? []
        ownership = BindingOwnership(
            settings,
            for: portal.memberID,
            handlers: portal.bindings?.handlers ?? [],
            connectors: knownConnectors
        )
    }

    func plan(_ memberID: String) async throws(RESTError) -> BindingPlan {
        let plan = plan(try await client.bindings(of: memberID))
        try await checkRights(memberID, for: plan)
        return plan
    }

    /// Who is no administrator sees his own bindings only, and what he binds is tied to him: he would bind everything a second
    /// time, and each event would come twice.
    ///
    /// Source: b24restdocs, api-reference/events/event-bind.md and event-get.md
    private func checkRights(_ memberID: String, for plan: BindingPlan) async throws(RESTError) {
        guard !plan.isEmpty else { return }
        if let profile = try await client.profile(of: memberID), profile.isAdministrator { return }
        throw RESTError(
            portal: memberID,
            method: "event.bind",
            code: Self.notAdministrator,
            message:
                "the user in whose name the bridge calls is no administrator of the portal; an administrator must open the "
                + "application there, or install it again"
        )
    }

    /// One of ours.
    static let notAdministrator = RESTError.Code("not_administrator")

    private func plan(_ present: [EventBinding]) -> BindingPlan {
        BindingPlan(desired: desired.all, present: present, ownership: ownership)
    }

    /// - Throws: what kept it from being done at all. What single bindings failed of is in the outcome.
    func reconcile(_ memberID: String) async throws(RESTError) -> Outcome {
        var present = try await client.bindings(of: memberID)
        var outcome = Outcome(plan: plan(present))
        try await checkRights(memberID, for: outcome.plan)
        if !outcome.plan.bind.isEmpty {
            let calls = outcome.plan.bind.map {
                BatchCall.bind($0, minTimeout: $0.event == EventSelection.wakeUp ? Int64(desired.minTimeout) : nil)
            }
            outcome.failures = failures(outcome.plan.bind, try await client.batch(calls, of: memberID))
            present = try await client.bindings(of: memberID)
        }
        let unbind = plan(present).dispensable
        if !unbind.isEmpty {
            outcome.failures += failures(unbind, try await client.batch(unbind.map(BatchCall.unbind), of: memberID))
            present = try await client.bindings(of: memberID)
        }
        let last = plan(present)
        outcome.missing = last.bind
        outcome.surplus = last.unbind
        let own = present.filter(ownership.owns)
        outcome.handlers = Set(own.compactMap(\.handler) + [desired.handler]).sorted()
        let bound = (own + unbind).filter(\.isOffline).map(\.connector)
        outcome.connectors = Set(bound + knownConnectors).sorted()
        return outcome
    }

    private func failures(
        _ bindings: [EventBinding],
        _ results: [Result<JSONValue, RESTError>]
    ) -> [(binding: EventBinding, error: RESTError)] {
        zip(bindings, results).compactMap { binding, result in
            if case .failure(let error) = result { (binding, error) } else { nil }
        }
    }
}

extension RegisteredPortal {
    /// The tokens are of a user who may not bind for everybody, or not read the queue of offline events. They are good, and of
    /// no use.
    var needsAdministrator: Bool {
        bindings?.errorCode == Reconciler.notAdministrator.text
            || standingDenial.map { OfflineDrain.needsAdministrator.contains($0.code) } == true
    }
}
