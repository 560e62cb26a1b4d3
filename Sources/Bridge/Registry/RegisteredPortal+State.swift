extension RegisteredPortal {
    /// What people and metrics are told of a portal.
    package enum State: String, Sendable, CaseIterable, Codable {
        /// Its events are taken, and what was declared is bound.
        case connected
        /// Its bindings are not made, or could not be.
        case installing
        /// Installed, and no token that proves its events is known yet.
        case awaitingToken = "awaiting-token"
        /// No REST call can be made in its name until an administrator installs the application again. Its events are taken.
        case needsAuthorization = "needs-authorization"
        /// Connected, but its offline events cannot be fetched until somebody changes something there.
        case offlineDenied = "offline-denied"
        /// The application was taken off it.
        case gone

        /// In the words of people.
        package var words: String {
            switch self {
            case .connected: "connected"
            case .installing: "installing"
            case .awaitingToken: "awaiting its application token"
            case .needsAuthorization: "needs authorisation"
            case .offlineDenied: "offline denied"
            case .gone: "gone"
            }
        }
    }

    /// The most serious of what holds. A portal of webhooks alone has nothing to install.
    package var state: State {
        guard let installation else { return webhooks == nil ? .installing : .connected }
        if installation.state == .gone { return .gone }
        if authorization?.needed != nil { return .needsAuthorization }
        if awaitsToken, bindings?.isDrainedOnly != true { return .awaitingToken }
        guard let bindings, bindings.installedAt >= installation.installedAt, bindings.error == nil else {
            return .installing
        }
        return offline == nil ? .connected : .offlineDenied
    }

    package var isInstalled: Bool { installation?.state == .installed }

    /// Installed, whatever else is the matter, and no application token is known by which its events could be told from forged
    /// ones.
    package var awaitsToken: Bool {
        isInstalled && (applicationTokens?.digests ?? []).isEmpty
    }
}
