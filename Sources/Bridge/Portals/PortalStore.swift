package import Bitrix24
internal import Locks
internal import Synchronization

/// The portals of this moment, of the file and of the registry. Any thread may read and replace them.
///
/// A reader keeps its own copy and compares `version`, one relaxed load, to see whether there is a newer one.
package final class PortalStore: Sendable {
    private struct State {
        var file: PortalDirectory
        /// Tells of a portal of the registry.
        var registered: (@Sendable (String) -> RegisteredPortal?)?
        /// What is in force.
        var joined: PortalDirectory
    }

    private let state: Guarded<State>
    private let counter = Atomic<Int>(1)
    private let fault = Guarded<String?>(nil)

    package init(_ directory: PortalDirectory) { state = Guarded(State(file: directory, joined: directory)) }

    /// Grows with each replacement. Never 0.
    package var version: Int { counter.load(ordering: .acquiring) }

    package var directory: PortalDirectory { state.withLock { $0.joined } }

    /// How many portals the file names.
    package var fileCount: Int { state.withLock { $0.file.count } }

    /// What is wrong with the file as it is now, while an earlier one stays in force. `nil`: nothing.
    package var fileFault: String? {
        get { fault.withLock { $0 } }
        set { fault.withLock { $0 = newValue } }
    }

    /// Replaces those of the file.
    package func replace(with directory: PortalDirectory) {
        state.withLock { state in
            let concerned = Set(state.file.memberIDs).union(directory.memberIDs)
            state.file = directory
            for memberID in concerned {
                let registered = state.registered?(memberID).map(Portal.init)
                state.joined[memberID] = Portal.joined(directory[memberID], registered)
            }
        }
        counter.add(1, ordering: .releasing)
    }

    /// Takes in what has changed in the registry.
    ///
    /// - Parameter portal: `nil` for a portal that is not in the registry any more. Asked now, and for those of the file when that
    ///   changes; not the same call each time, but of the same registry.
    package func registered(
        _ memberIDs: some Sequence<String>,
        _ portal: @escaping @Sendable (String) -> RegisteredPortal?
    ) {
        // One by one: of thousands, all that is known at once would take much more memory than what is needed of it.
        let changed = memberIDs.map { ($0, portal($0).map(Portal.init)) }
        guard !changed.isEmpty else { return }
        state.withLock { state in
            state.registered = portal
            for (memberID, portal) in changed {
                state.joined[memberID] = Portal.joined(state.file[memberID], portal)
            }
        }
        counter.add(1, ordering: .releasing)
    }
}

extension Portal {
    /// A portal of the registry, as far as taking its events goes.
    init(_ portal: RegisteredPortal) {
        let isGone = portal.installation?.state == .gone
        // Whatever is left of them: an application that was taken off sends no more events.
        let application = isGone ? [] : Self.digests(portal.applicationTokens?.digests)
        let webhook = Self.digests(portal.webhooks?.digests)
        self.init(
            memberID: portal.memberID,
            domain: portal.installation?.domain ?? portal.webhooks?.domain,
            applicationTokens: application,
            webhookTokens: Array(webhook.prefix(TokenSet.capacity - application.count)),
            standing: isGone ? .gone : portal.awaitsToken ? .awaitingToken : .known
        )
    }

    private static func digests(_ texts: [String]?) -> [TokenDigest] {
        (texts ?? []).prefix(TokenSet.capacity).compactMap { TokenDigest(hexadecimal: $0.utf8) }
    }
}
