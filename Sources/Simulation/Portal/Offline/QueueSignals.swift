/// ONOFFLINEEVENT: the queue has something (b24restdocs, api-reference/events/on-offline-event.md). The Push & Pull server tells
/// of it as well.
extension PortalWorld {
    /// What waits for its time.
    struct DueSignal: Sendable {
        enum What: Sendable {
            case post(binding: Int, user: Int?)
            /// By the Push & Pull server.
            case push
        }

        /// Seconds of the monotonic clock.
        var at: Double
        var portal: Int
        var what: What
    }

    struct SignalPlace: Hashable, Sendable {
        var portal: Int
        var binding: Int
    }

    /// Signals what was put into the portal's queue since the last call: one hit.
    mutating func signalOffline(of index: Int, by user: Int?) {
        guard !offlineHit.isEmpty else { return }
        let hit = offlineHit
        offlineHit = [:]
        tellOffline(hit, of: index)
        let bindings = portals[index].bindings.filter { $0.event == "ONOFFLINEEVENT" && !$0.isOffline }
        for binding in bindings {
            let place = SignalPlace(portal: index, binding: binding.id)
            guard !waitingSignals.contains(place) else { continue }
            let (now, timeout) = (Self.steadyNow, Double(max(0, binding.minTimeout ?? 1)))
            if timeout > 0, let last = signalledAt[place], now - last < timeout {
                // The platform's module forgets what comes too early; here it is signalled late, so that no row lies there
                // unsignalled unless the play is about that.
                guard settings.signalsLate else { continue }
                addDue(DueSignal(at: last + timeout, portal: index, what: .post(binding: binding.id, user: user)))
                waitingSignals.insert(place)
            } else {
                signal(through: binding, of: index, by: user)
            }
        }
    }

    /// Seconds of the monotonic clock; `nil`: nothing waits.
    var nextDue: Double? { dueSignals.first?.at }

    /// Does what is due.
    mutating func strike() {
        let now = Self.steadyNow
        let due = dueSignals.prefix { $0.at <= now }
        dueSignals.removeFirst(due.count)
        for signal in due {
            let index = signal.portal
            switch signal.what {
            case .push: tellOffline(of: index)
            case .post(let id, let user):
                waitingSignals.remove(SignalPlace(portal: index, binding: id))
                guard let binding = portals[index].bindings.first(where: { $0.id == id }) else { continue }
                self.signal(through: binding, of: index, by: user)
            }
        }
    }

    mutating func addDue(_ due: DueSignal) {
        let place = dueSignals.lastIndex { $0.at <= due.at }.map { $0 + 1 } ?? 0
        dueSignals.insert(due, at: place)
    }

    private mutating func signal(through binding: PortalState.Binding, of index: Int, by user: Int?) {
        guard portals[index].makesEvents else { return }
        signalledAt[SignalPlace(portal: index, binding: binding.id)] = Self.steadyNow
        post(
            "ONOFFLINEEVENT",
            data: .emptyMap,
            of: index,
            through: binding,
            by: binding.user == 0 ? user : binding.user
        )
    }
}
