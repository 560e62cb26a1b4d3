internal import Locks
internal import Synchronization

/// The portals that applications and people brought, as all replicas agree on them. Any thread may read.
package final class PortalRegistry: Sendable {
    /// When a change counts as done.
    package enum Durability: Sendable {
        /// Durable on this replica's disk, or confirmed by Kafka if that is sooner; Kafka gets it as soon as it can.
        case here
        /// Confirmed by Kafka: every replica will know it.
        case kafka
    }

    private struct State {
        var registry: RegistryState
        var listeners: [Int: AsyncStream<String>.Continuation] = [:]
        var lastListener = 0
        /// Changed and not yet among the portals of `store`.
        var unpublished: Set<String> = []
    }

    private let state: Guarded<State>
    /// Two threads publish: what one took from the state must not come after what the other took later.
    private let publishing = Guarded(())
    /// The portals whose events are taken, which learn of each change.
    private let store: PortalStore?
    /// Where changes go that are to be kept. `nil`: they are forgotten with the process, in tests.
    let inbox: RegistryInbox?

    package convenience init() { self.init(replica: "here", store: nil, inbox: nil) }

    init(replica: String, store: PortalStore?, inbox: RegistryInbox?) {
        state = Guarded(State(registry: RegistryState(replica: replica)))
        self.store = store
        self.inbox = inbox
    }

    package func portal(_ memberID: String) -> RegisteredPortal? { state.withLock { $0.registry.portal(memberID) } }

    package var memberIDs: [String] {
        state.withLock { $0.registry.portalIDs }
    }

    /// Changes one portal, or makes it. `body` may set or clear parts. It is called once, on any thread and under the
    /// registry's lock, so it only computes.
    ///
    /// - Parameter isRefusal: It says only that Bitrix24 refused what is known here: what is newer elsewhere is not changed by it.
    /// - Throws: `unconfirmed` when Kafka did not answer in time: the change is kept and gets there later, so whatever was
    ///   changed must not be used as if it had not been. `refused`: nothing has changed.
    /// - Returns: the portal as it is now.
    @discardableResult
    package func change(
        _ memberID: String,
        until durability: Durability = .kafka,
        isRefusal: Bool = false,
        _ body: @escaping @Sendable (inout RegisteredPortal) -> Void
    ) async throws(RegistryError) -> RegisteredPortal {
        let entry = try await request(memberID, durability) { entry, clock in
            entry.change(&clock, isRefusal: isRefusal, body)
        }
        return entry.portal
    }

    /// Takes a portal out, for all replicas.
    ///
    /// - Throws: as `change` does.
    package func remove(_ memberID: String) async throws(RegistryError) {
        _ = try await request(memberID, .kafka) { entry, clock in
            guard !entry.isRemoved, !entry.stamps.isEmpty else { return false }
            entry.remove(at: clock.next())
            return true
        }
    }

    /// Takes in what `entry` knows that is newer, as from another cluster.
    ///
    /// - Returns: whether that was anything.
    /// - Throws: as `change` does.
    package func merge(_ entry: RegistryEntry) async throws(RegistryError) -> Bool {
        if state.withLock({ $0.registry.known(entry.memberID)?.covers(entry) ?? false }) { return false }
        _ = try await request(entry.memberID, .kafka) { known, clock in
            if let stamp = entry.newestStamp { clock.observe(stamp) }
            return known.merge(entry)
        }
        return true
    }

    /// Puts another form of the same in place of a part. See `RegistryEntry.rewrite`.
    ///
    /// - Throws: as `change` does.
    func rewrite(
        _ memberID: String,
        _ part: RegisteredPortal.Part,
        _ mark: String,
        _ body: @escaping @Sendable (inout RegisteredPortal) -> Void
    ) async throws(RegistryError) {
        _ = try await request(memberID, .kafka) { entry, _ in entry.rewrite(part, mark, body) }
    }

    private func request(
        _ memberID: String,
        _ durability: Durability,
        _ edit: @escaping RegistryEdit
    ) async throws(RegistryError) -> RegistryEntry {
        guard let inbox else {
            let entry = edited(memberID, edit).entry
            commit([entry])
            publish()
            return entry
        }
        return try await inbox.request(RegistryInbox.Request(memberID: memberID, durability: durability, edit: edit))
    }

    /// The member_id of each portal that changes from now on, here or at another replica. What nobody reads in time is
    /// dropped, oldest first: look at all portals now and then.
    package func changes() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(10_000))
        let number = state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = continuation
            return state.lastListener
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    // MARK: For the service and its threads

    /// A portal as it would be. Nothing has changed yet.
    ///
    /// - Parameter base: What an edit before this one made of it, that is not committed yet.
    func edited(
        _ memberID: String,
        on base: RegistryEntry? = nil,
        _ edit: RegistryEdit
    ) -> (entry: RegistryEntry, isChanged: Bool) {
        state.withLock { state in
            var entry = base ?? state.registry.entry(memberID)
            let isChanged = edit(&entry, &state.registry.clock)
            return (entry, isChanged)
        }
    }

    /// Takes in what was changed here. Readers see it from now on.
    func commit(_ entries: [RegistryEntry]) {
        notify(of: entries.map(\.memberID)) { registry in
            for entry in entries { registry.commit(entry) }
        }
    }

    /// Takes in records of the topic, in their order.
    func read(_ records: [RegistryEntry]) {
        var changed: [String] = []
        let listeners = state.withLock { state in
            for record in records where state.registry.read(record) { changed.append(record.memberID) }
            state.unpublished.formUnion(changed)
            return Array(state.listeners.values)
        }
        for listener in listeners { for memberID in changed { listener.yield(memberID) } }
    }

    func restore(_ entries: [RegistryEntry], unconfirmed: [RegistryEntry]) {
        notify(of: (entries + unconfirmed).map(\.memberID)) { $0.restore(entries, unconfirmed: unconfirmed) }
    }

    /// - Returns: the portals of the snapshot that the topic did not know.
    func reachedEnd(_ unheardAre: RegistryState.Unheard) -> [String] {
        let missing = state.withLock { $0.registry.reachedEnd(unheardAre) }
        notify(of: missing) { _ in }
        return missing
    }

    private func notify(of memberIDs: [String], after body: (inout RegistryState) -> Void) {
        let listeners = state.withLock { state in
            body(&state.registry)
            state.unpublished.formUnion(memberIDs)
            return Array(state.listeners.values)
        }
        for listener in listeners { for memberID in memberIDs { listener.yield(memberID) } }
    }

    /// Tells the portals whose events are taken what has changed. Costs a copy of all of them, so call it for many changes at
    /// once.
    func publish() {
        publishing.withLock { _ in
            let changed = state.withLock { state in
                defer { state.unpublished = [] }
                return state.unpublished
            }
            store?.registered(changed) { [weak self] in self?.portal($0) }
        }
    }

    /// What is to be sent to Kafka, of these or of all that is not confirmed.
    var unconfirmed: [RegistryEntry] {
        state.withLock { state in
            state.registry.unconfirmed.compactMap { state.registry.known($0) }
        }
    }

    var unconfirmedIDs: Set<String> { state.withLock { $0.registry.unconfirmed } }

    /// - Returns: whether that is all that is known of the portal.
    func confirmed(_ sent: RegistryEntry) -> Bool { state.withLock { $0.registry.confirmed(sent) } }

    /// - Returns: how many records are to be written again.
    func takeBehind() -> Int { state.withLock { $0.registry.takeBehind() } }

    func isUnconfirmed(_ memberID: String) -> Bool { state.withLock { $0.registry.unconfirmed.contains(memberID) } }

    package var isRead: Bool { state.withLock { $0.registry.isRead } }

    /// Grows with each change.
    var version: Int { state.withLock { $0.registry.version } }

    /// Also of portals that were taken out.
    var allIDs: [String] { state.withLock { Array($0.registry.memberIDs) } }

    func entry(_ memberID: String) -> RegistryEntry? { state.withLock { $0.registry.known(memberID) } }

    /// Also of portals that were taken out.
    package var entries: [RegistryEntry] {
        state.withLock { state in state.registry.memberIDs.compactMap { state.registry.known($0) } }
    }

    /// The state of each portal that the application is or was installed on. Cheap: nothing is unpacked.
    var applicationStates: [String: RegisteredPortal.State?] { state.withLock { $0.registry.applicationStates } }

    /// How many portals there are in each state, and how many changes are not confirmed.
    package func census() -> (states: [RegisteredPortal.State: Int], unconfirmed: Int) {
        state.withLock { ($0.registry.states.filter { $0.value > 0 }, $0.registry.unconfirmed.count) }
    }
}

/// Changes an entry under the registry's lock; returns whether it did.
typealias RegistryEdit = @Sendable (inout RegistryEntry, inout RegistryClock) -> Bool
