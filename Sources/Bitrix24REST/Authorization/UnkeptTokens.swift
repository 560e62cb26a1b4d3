internal import Locks
internal import Synchronization

/// Tokens that an exchange brought and whoever keeps the portals could not keep yet.
final class UnkeptTokens: Sendable {
    private struct Entry {
        let old: OAuthTokens
        let new: RefreshedTokens
    }

    private let entries = Guarded<[String: Entry]>([:])

    /// What `old` was exchanged for.
    func tokens(for old: OAuthTokens, of memberID: String) -> RefreshedTokens? {
        entries.withLock { entries in
            guard let entry = entries[memberID] else { return nil }
            if entry.old == old { return entry.new }
            // An installation brought others.
            entries[memberID] = nil
            return nil
        }
    }

    func add(_ new: RefreshedTokens, for old: OAuthTokens, of memberID: String) {
        entries.withLock { $0[memberID] = Entry(old: old, new: new) }
    }

    func remove(_ memberID: String) {
        entries.withLock { $0[memberID] = nil }
    }
}
