internal import Ingress
internal import Locks
internal import Synchronization

/// The networks that may send events at this moment: those of the configuration, and what the published lists hold that it
/// names. Any thread may read and replace them.
///
/// A reader keeps its own copy and compares `version`, one load, to see whether there is a newer one.
final class SenderNetworks: Sendable {
    /// What is known of one published list.
    struct Knowledge: Sendable {
        fileprivate(set) var networks: AddressRanges?
        /// Of the fetch before: an address that is taken off the list may send for as long as that lasts.
        fileprivate var previous: AddressRanges?
        fileprivate(set) var fetchedAt: ContinuousClock.Instant?
        /// Why the last fetch failed.
        fileprivate(set) var failure: String?
    }

    /// What a fetch has changed, for the log.
    enum Change: Sendable, Equatable {
        case none
        /// The list is known for the first time.
        case first
        /// It has other entries than before.
        case entries
    }

    /// As the configuration names them, each once.
    let lists: [SenderList]
    private let fixed: AddressRanges
    private let state: Guarded<[SenderList: Knowledge]>
    private let counter = Atomic<Int>(1)

    /// - Parameter entries: networks, and names of published lists.
    init(_ entries: [String]) throws(AddressRangeError) {
        let parts = Self.split(entries)
        fixed = try AddressRanges(parts.networks)
        lists = SenderList.allCases.filter(parts.lists.contains)
        state = Guarded([:])
    }

    /// Tells names of published lists from what has to be a network.
    static func split(_ entries: [String]) -> (networks: [String], lists: Set<SenderList>) {
        let lists = entries.compactMap(SenderList.init(rawValue:))
        return (entries.filter { SenderList(rawValue: $0) == nil }, Set(lists))
    }

    /// Grows with each change. Never 0.
    var version: Int { counter.load(ordering: .acquiring) }

    /// `nil`: everybody may send, since no network is named, or since a list that is named was never fetched.
    var allowed: AddressRanges? {
        guard !fixed.isEmpty || !lists.isEmpty else { return nil }
        return state.withLock { state in
            var allowed = fixed
            for list in lists {
                guard let known = state[list], let networks = known.networks else { return nil }
                allowed.formUnion(networks)
                if let previous = known.previous { allowed.formUnion(previous) }
            }
            return allowed
        }
    }

    /// The lists that were never fetched; while there is one, everybody may send.
    var missing: [SenderList] {
        state.withLock { state in lists.filter { state[$0]?.networks == nil } }
    }

    func knowledge(of list: SenderList) -> Knowledge { state.withLock { $0[list] ?? Knowledge() } }

    /// - Returns: `wasFailing` if the fetch before this one had failed.
    func take(_ networks: AddressRanges, of list: SenderList, at now: ContinuousClock.Instant)
        -> (change: Change, wasFailing: Bool)
    {
        let result = state.withLock { state in
            var known = state[list] ?? Knowledge()
            let old = known
            known = Knowledge(networks: networks, previous: old.networks, fetchedAt: now)
            state[list] = known
            let change: Change = old.networks == nil ? .first : old.networks == networks ? .none : .entries
            let isSame = change == .none && old.previous == known.previous
            return (change: change, wasFailing: old.failure != nil, isSame: isSame)
        }
        if !result.isSame { counter.add(1, ordering: .releasing) }
        return (result.change, result.wasFailing)
    }

    /// What was known stays in force.
    ///
    /// - Returns: `false` if the same was told the last time.
    func fail(_ words: String, of list: SenderList) -> Bool {
        state.withLock { state in
            defer { state[list, default: Knowledge()].failure = words }
            return state[list]?.failure != words
        }
    }
}

extension SenderNetworks.Knowledge {
    /// Seconds since the list was fetched.
    var age: Double? {
        fetchedAt.map { max(0, (ContinuousClock.now - $0) / .seconds(1)) }
    }
}

extension SenderNetworks {
    /// For `/status`.
    var status: StatusReport.SendersPart {
        StatusReport.SendersPart(
            allowedNetworks: allowed?.count,
            lists: lists.map { list in
                let known = knowledge(of: list)
                return StatusReport.SendersPart.List(
                    name: list.rawValue,
                    entries: known.networks?.count ?? 0,
                    ageSeconds: known.age.map { Int($0) },
                    failure: known.failure
                )
            }
        )
    }
}
