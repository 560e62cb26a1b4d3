/// What one replica knows of the registry, and what of it Kafka has not confirmed. Pure: who reads the topic and who writes
/// it tell it what they see.
struct RegistryState {
    /// An entry, and what is asked of all of them at once, so that it need not be unpacked for that.
    private struct Kept {
        let packed: PackedEntry
        /// `nil`: it was taken out.
        let state: RegisteredPortal.State?
        let isWebhookOnly: Bool

        init(_ entry: RegistryEntry) {
            packed = PackedEntry(entry)
            state = entry.isRemoved ? nil : entry.portal.state
            isWebhookOnly = entry.portal.installation == nil && entry.portal.webhooks != nil
        }
    }

    private var kept: [String: Kept] = [:]
    /// How many portals there are in each state; a state may stand there with 0.
    private(set) var states: [RegisteredPortal.State: Int] = [:]
    /// Changed here, and not confirmed.
    private(set) var unconfirmed: Set<String> = []
    /// Their newest record in the topic lacks something that is known here: two replicas wrote at the same time. The owner
    /// writes them again.
    private(set) var behind: Set<String> = []
    var clock: RegistryClock
    /// The topic was read to its end since the start.
    private(set) var isRead = false
    /// Portals of the snapshot that no record has spoken of yet.
    private var unheard: Set<String> = []
    private(set) var version = 0

    init(replica: String) { clock = RegistryClock(replica: replica) }

    func portal(_ memberID: String) -> RegisteredPortal? {
        guard let entry = known(memberID), !entry.isRemoved else { return nil }
        return entry.portal
    }

    func known(_ memberID: String) -> RegistryEntry? { kept[memberID]?.packed.entry(memberID: memberID) }

    /// Also of those that were taken out.
    var memberIDs: some Collection<String> { kept.keys }

    /// Of those that are there.
    var portalIDs: [String] { kept.compactMap { $1.state == nil ? nil : $0 } }

    /// Of each portal that is or was there; `nil`: it was taken out, or has outgoing webhooks only.
    var applicationStates: [String: RegisteredPortal.State?] {
        kept.mapValues { $0.isWebhookOnly ? nil : $0.state }
    }

    // MARK: Changes made here

    /// As it is, for a change; an empty one if there is none.
    func entry(_ memberID: String) -> RegistryEntry { known(memberID) ?? RegistryEntry(memberID: memberID) }

    /// Takes in what was changed here.
    mutating func commit(_ entry: RegistryEntry) {
        merge(entry)
        unconfirmed.insert(entry.memberID)
    }

    /// Kafka has this entry.
    ///
    /// - Returns: whether it is all that is known of the portal.
    mutating func confirmed(_ sent: RegistryEntry) -> Bool {
        guard let known = known(sent.memberID), !sent.covers(known) else {
            unconfirmed.remove(sent.memberID)
            return true
        }
        return false
    }

    // MARK: What comes from elsewhere

    /// Takes in a record of the topic, which is the newest of its portal so far.
    ///
    /// - Returns: whether anything is different now.
    mutating func read(_ record: RegistryEntry) -> Bool {
        unheard.remove(record.memberID)
        let isChanged = merge(record)
        if let known = known(record.memberID), !record.covers(known) {
            behind.insert(record.memberID)
        } else {
            behind.remove(record.memberID)
        }
        return isChanged
    }

    /// Takes in the snapshot, before anything was read.
    mutating func restore(_ entries: [RegistryEntry], unconfirmed: [RegistryEntry]) {
        for entry in entries {
            merge(entry)
            unheard.insert(entry.memberID)
        }
        for entry in unconfirmed { commit(entry) }
    }

    enum Unheard: Sendable {
        /// The topic has lost them.
        case lost
        /// They were taken out, so long ago that the topic has forgotten that too.
        case removed
    }

    /// The topic's end was reached for the first time. What the snapshot knows and the topic does not is dealt with.
    ///
    /// A record that takes a portal out stays in the topic for `delete.retention.ms`, a day by default. A younger snapshot's
    /// portal that is not there was lost, and is written again; so it is if the topic holds nothing at all.
    ///
    /// - Returns: the portals of the snapshot that the topic did not know.
    mutating func reachedEnd(_ unheardAre: Unheard) -> [String] {
        guard !isRead else { return [] }
        isRead = true
        let missing = unheard.subtracting(unconfirmed).filter { portal($0) != nil }
        let isTopicEmpty = missing.count == kept.keys.count { portal($0) != nil && !unconfirmed.contains($0) }
        unheard = []
        for memberID in missing {
            if unheardAre == .lost || isTopicEmpty {
                behind.insert(memberID)
            } else {
                if let state = kept[memberID]?.state { states[state, default: 0] -= 1 }
                kept[memberID] = nil
                version += 1
            }
        }
        return missing.sorted()
    }

    /// Whoever owns the REST work writes again what the topic lacks.
    mutating func takeBehind() -> Int {
        guard isRead, !behind.isEmpty else { return 0 }
        let count = behind.count
        unconfirmed.formUnion(behind)
        behind = []
        return count
    }

    @discardableResult
    private mutating func merge(_ entry: RegistryEntry) -> Bool {
        if let stamp = entry.newestStamp { clock.observe(stamp) }
        var known = self.entry(entry.memberID)
        guard known.merge(entry) else { return false }
        if let state = kept[entry.memberID]?.state { states[state, default: 0] -= 1 }
        let kept = Kept(known)
        if let state = kept.state { states[state, default: 0] += 1 }
        self.kept[entry.memberID] = kept
        version += 1
        return true
    }
}
