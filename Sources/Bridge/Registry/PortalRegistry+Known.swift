extension PortalRegistry {
    /// Portals on which the application is installed, in order of their ids.
    package var installedPortals: [RegisteredPortal] {
        memberIDs.sorted().compactMap { portal($0) }.filter(\.isInstalled)
    }

    /// Changes a portal that is there: one that was taken out meanwhile is not brought back. In force here at least when it
    /// returns: a change that Kafka has not confirmed is on its way.
    ///
    /// - Throws: as `change` does, but for `unconfirmed`.
    func changeKnown(
        _ memberID: String,
        _ body: @escaping @Sendable (inout RegisteredPortal) -> Void
    ) async throws(RegistryError) {
        do throws(RegistryError) {
            try await change(memberID) { portal in
                if !portal.isEmpty { body(&portal) }
            }
        } catch  where error.code == .unconfirmed {
            return
        }
    }
}
