internal import Bitrix24
package import Bitrix24REST
package import Logging

/// The registry as REST calls see it: where portals are and their tokens, which lie sealed there.
package struct RegistryAccess: PortalAccess {
    private let registry: PortalRegistry
    private let keyring: Keyring
    private let metrics: RESTWorkMetrics
    /// Milliseconds since 1970.
    private let now: @Sendable () -> Int64
    private let logger: Logger

    package init(
        registry: PortalRegistry,
        keyring: Keyring,
        metrics: RESTWorkMetrics,
        now: @escaping @Sendable () -> Int64 = { WallClock.now().milliseconds },
        logger: Logger
    ) {
        self.registry = registry
        self.keyring = keyring
        self.metrics = metrics
        self.now = now
        self.logger = logger
    }

    package func place(of memberID: String) async throws(RESTError) -> PortalPlace {
        guard let installation = registry.portal(memberID)?.installation else {
            throw noTokens(memberID, "the application is not installed there")
        }
        guard installation.state == .installed else {
            throw noTokens(memberID, "the application was taken off it")
        }
        return PortalPlace(
            memberID: memberID,
            domain: installation.domain,
            clientEndpoint: installation.clientEndpoint,
            authorizationServer: AuthorizationHost(rawValue: installation.authorizationServer) ?? .world
        )
    }

    package func tokens(of memberID: String) async throws(RESTError) -> OAuthTokens {
        _ = try await place(of: memberID)
        let authorization = registry.portal(memberID)?.authorization
        guard let sealed = authorization?.sealed else {
            throw noTokens(memberID, authorization?.needed ?? "no token of it is known; install the application again")
        }
        do throws(KeyringError) {
            return try SealedTokens.open(sealed, of: memberID, with: keyring)
        } catch {
            throw noTokens(memberID, "its tokens cannot be opened: \(error)")
        }
    }

    package func keep(_ tokens: OAuthTokens, of memberID: String) async throws(RESTError) {
        let sealed: SealedText
        do throws(KeyringError) {
            sealed = try SealedTokens.seal(tokens, of: memberID, with: keyring)
        } catch {
            throw noTokens(memberID, "\(error)")
        }
        let now = now()
        do throws(RegistryError) {
            try await registry.change(memberID) { portal in
                // Gone while Bitrix24 was asked: nothing of it is to stay.
                guard portal.isInstalled else { return }
                portal.authorization = RegisteredPortal.Authorization(
                    sealed: sealed,
                    accessExpiresAt: tokens.accessExpiresAt,
                    refreshedAt: now,
                    grantedAt: portal.authorization?.grantedAt
                )
            }
        } catch {
            metrics.refreshed(.unkept)
            throw RESTError(
                portal: memberID,
                method: "oauth/token",
                code: .unreachable,
                message: "the new tokens are not stored for all replicas: \(error)"
            )
        }
        metrics.refreshed(.renewed)
        logger.debug("tokens renewed", metadata: ["portal": "\(memberID)"])
    }

    package func moved(_ memberID: String, to info: AppInfo) async throws(RESTError) {
        do throws(RegistryError) {
            let before = registry.portal(memberID)?.installation?.domain ?? ""
            try await registry.change(memberID) { $0.installation?.take(info) }
            logger.info(
                "portal moved",
                metadata: ["portal": "\(memberID)", "from": "\(before)", "to": "\(info.domain)"]
            )
        } catch  where error.code == .unconfirmed {
            // In force here, and everywhere in time.
        } catch {
            throw RESTError(
                portal: memberID,
                method: "app.info",
                code: .unreachable,
                message: "the portal's new address is not stored: \(error)"
            )
        }
    }

    package func refused(_ tokens: OAuthTokens, of memberID: String, because error: RESTError) async {
        let isGone = error.meaning == .uninstalled
        if !isGone { metrics.refreshed(.refused) }
        let reason = isGone ? error.code.text : Self.need(error)
        let now = now()
        let keyring = keyring
        do throws(RegistryError) {
            let before = registry.portal(memberID)?.state
            let portal = try await registry.change(memberID, isRefusal: true) { portal in
                // Others may have come since, with an installation.
                guard let sealed = portal.authorization?.sealed,
                    let known = try? SealedTokens.open(sealed, of: memberID, with: keyring),
                    known.refresh == tokens.refresh || known.access == tokens.access
                else { return }
                if isGone {
                    // Also where clocks disagree: the tokens are of this installation.
                    let installedAt = portal.installation?.installedAt ?? 0
                    portal.end(because: reason, at: max(now, installedAt + 1))
                } else {
                    portal.authorization?.needed = reason
                    // It is spent. What another reason refuses may be of use again.
                    if error.code == .invalidGrant { portal.authorization?.sealed = nil }
                }
            }
            guard portal.state != before else { return }
            logger.warning(
                isGone ? "portal gone: the application is no longer installed there" : "portal needs authorisation",
                metadata: ["portal": "\(memberID)", "reason": "\(reason)"]
            )
        } catch {
            logger.error(
                "what became of a portal could not be stored",
                metadata: ["portal": "\(memberID)", "reason": "\(reason)", "error": "\(error)"]
            )
        }
    }

    private static func need(_ error: RESTError) -> String {
        let words =
            error.code == .invalidGrant
            ? "its refresh token is expired or used" : "the user in whose name the bridge calls lost his rights"
        return
            "\(words) (\(error.code.text)); an administrator must open the application in the portal, or install it again"
    }

    private func noTokens(_ memberID: String, _ words: String) -> RESTError {
        RESTError(portal: memberID, method: "", code: .noTokens, message: words)
    }
}

extension RegisteredPortal.Installation {
    /// What the authorization server says of the portal today.
    mutating func take(_ info: AppInfo) {
        domain = info.domain
        clientEndpoint = info.clientEndpoint
        if !info.status.isEmpty { status = info.status }
        if !info.scope.isEmpty { scope = info.scope }
        if let version = info.version { self.version = version }
    }
}
