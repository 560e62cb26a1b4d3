internal import Bitrix24REST

/// What the authorization server confirmed of a call, ready to be written into the portal's record.
struct VerifiedCall: Sendable {
    let kind: UnverifiedCall.Kind
    /// Milliseconds since 1970.
    let receivedAt: Int64
    let info: AppInfo
    let authorizationServer: AuthorizationHost
    let tokens: SealedText?
    let accessExpiresAt: Int64
    /// SHA-256 of the application token that the call brought, in hexadecimal.
    let applicationToken: String?
}

extension RegisteredPortal {
    /// So many application tokens of one installation are believed. A new one stands beside the old: events that were under way
    /// carry the old one, and a call that only proved to be of somebody on the portal does not shut the genuine events out.
    static let believedTokens = 4

    /// Writes down what was verified. Doing it twice is doing it once, and what is older than what is known changes nothing.
    mutating func take(_ call: VerifiedCall) {
        switch call.kind {
        case .installation, .reinstallation:
            if call.receivedAt > lastWord { install(call) }
        case .page:
            guard call.receivedAt > lastWord else { return }
            // People open the page of an application that is installed; that is no new installation.
            if isInstalled, authorization?.sealed != nil, authorization?.needed == nil, call.info.isInstalled {
                installation?.seenAt = call.receivedAt
                if awaitsToken { learn(call.applicationToken) }
                // An administrator was asked to do this. If it was somebody else, the next who does it counts.
                if needsAdministrator { authorize(call) }
            } else {
                install(call)
            }
        case .test, .renewal:
            guard isInstalled, call.receivedAt > lastWord else { return }
            installation?.domain = call.info.domain
            installation?.clientEndpoint = call.info.clientEndpoint
            if call.kind == .test { learn(call.applicationToken) }
            if authorization?.sealed == nil || authorization?.needed != nil { authorize(call) }
        case .farewell: break
        }
    }

    /// The application was taken off the portal. Its tokens are worth nothing and are forgotten, also those that proved events:
    /// should it be installed again, they may be others, and nobody would ask for them while these are known.
    ///
    /// - Parameter time: When that was received, in milliseconds since 1970. An installation that is later stays.
    mutating func end(because reason: String, at time: Int64) {
        guard let installation, time > installation.installedAt, installation.state == .installed else { return }
        self.installation?.state = .gone
        self.installation?.goneReason = reason
        self.installation?.goneAt = time
        authorization = nil
        applicationTokens = nil
        bindings = nil
    }

    /// When the last installation, or its end, was received.
    private var lastWord: Int64 { max(installation?.installedAt ?? 0, installation?.goneAt ?? 0) }

    private mutating func install(_ call: VerifiedCall) {
        installation = Installation(
            state: .installed,
            domain: call.info.domain,
            clientEndpoint: call.info.clientEndpoint,
            authorizationServer: call.authorizationServer.rawValue,
            status: call.info.status,
            scope: call.info.scope,
            version: call.info.version,
            userID: call.info.userID,
            installedAt: call.receivedAt
        )
        authorize(call)
        learn(call.applicationToken)
    }

    private mutating func authorize(_ call: VerifiedCall) {
        guard let tokens = call.tokens else { return }
        authorization = Authorization(
            sealed: tokens,
            accessExpiresAt: call.accessExpiresAt,
            refreshedAt: call.receivedAt,
            needed: nil,
            grantedAt: call.receivedAt
        )
    }

    private mutating func learn(_ token: String?) {
        guard let token else { return }
        let older = (applicationTokens?.digests ?? []).filter { $0 != token }
        applicationTokens = ApplicationTokens(digests: Array(([token] + older).prefix(Self.believedTokens)), nonce: nil)
    }
}
