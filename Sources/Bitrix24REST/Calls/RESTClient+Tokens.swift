extension RESTClient {
    /// Tokens that are worth trying.
    func currentTokens(of memberID: String) async throws(RESTError) -> OAuthTokens {
        let tokens = try await access.tokens(of: memberID)
        if settings.clock.wall() < tokens.accessExpiresAt { return tokens }
        return try await refreshed(tokens, of: memberID)
    }

    /// Exchanges the portal's refresh token, so that it lives another 180 days. Not more often than its age demands: for each
    /// call, or daily, may get the application blocked.
    ///
    /// Source: b24restdocs, settings/oauth/auto-renewal.md
    package func renewTokens(of memberID: String) async throws(RESTError) {
        _ = try await refreshed(access.tokens(of: memberID), of: memberID)
    }

    /// Other tokens than `stale`, kept. All who ask for one portal at the same time share one refresh.
    func refreshed(_ stale: OAuthTokens, of memberID: String) async throws(RESTError) -> OAuthTokens {
        let cancelled = CallName(portal: memberID, method: "oauth/token").cancelled
        return try await flights.run(memberID, cancelled: cancelled) { () throws(RESTError) in
            try await patiently(cancelled) { () throws(RESTError) in
                // Somebody may have brought others: a refresh before this one, or an installation.
                let tokens = try await access.tokens(of: memberID)
                if tokens.access != stale.access, settings.clock.wall() < tokens.accessExpiresAt { return tokens }
                do throws(RESTError) {
                    return try await exchange(tokens, of: memberID).get()
                } catch {
                    if error.isWorthRepeating || error.code == .cancelled { throw error }
                    // An installation may have come in between, with tokens that are good.
                    if let newer = try? await access.tokens(of: memberID), newer.access != tokens.access {
                        return newer
                    }
                    await report(error, with: tokens, of: memberID)
                    throw error
                }
            }
        }
    }

    /// Repeats what asks an authorization server.
    func patiently<Value: Sendable>(
        _ cancelled: RESTError,
        _ work: () async throws(RESTError) -> Value
    ) async throws(RESTError) -> Value {
        var attempt = 0
        while true {
            do throws(RESTError) {
                return try await work()
            } catch {
                if Task.isCancelled { throw cancelled }
                guard error.isWorthRepeating, attempt < settings.retry.authorizationAttempts else { throw error }
                let time = settings.retry.authorization.delay(attempt, random: settings.clock.random())
                attempt += 1
                do { try await settings.clock.sleep(time) } catch { throw cancelled }
            }
        }
    }

    /// One exchange, and the new tokens kept.
    ///
    /// A task of its own, awaited here: whoever cancels the caller must not cancel this, as the exchange makes the old refresh
    /// token worthless and the new one would be lost on the way. It lasts one request and one `keep`. New tokens that could not
    /// be kept are kept by the next exchange, in place of one more that would be refused.
    private func exchange(
        _ tokens: OAuthTokens,
        of memberID: String
    ) async -> Result<OAuthTokens, RESTError> {
        if Task.isCancelled { return .failure(CallName(portal: memberID, method: "oauth/token").cancelled) }
        return await Task { [self] () -> Result<OAuthTokens, RESTError> in
            do throws(RESTError) {
                let place = try await access.place(of: memberID)
                let refreshed: RefreshedTokens
                if let unkept = unkept.tokens(for: tokens, of: memberID) {
                    refreshed = unkept
                } else {
                    refreshed = try await authorization.refresh(tokens, of: memberID, at: place.authorizationServer)
                    unkept.add(refreshed, for: tokens, of: memberID)
                }
                try await access.keep(refreshed.tokens, of: memberID)
                unkept.remove(memberID)
                // It saves a redirect. Should it fail, the next call learns it by that.
                if !refreshed.clientEndpoint.isEmpty, refreshed.clientEndpoint != place.clientEndpoint {
                    try? await ask(memberID, refreshed.tokens, place)
                }
                return .success(refreshed.tokens)
            } catch {
                return .failure(error)
            }
        }.value
    }

    /// Learns where the portal is now, after its old address answered with a redirect.
    ///
    /// - Throws: `error` when it is where it was.
    func relocate(_ memberID: String, from old: PortalPlace, because error: RESTError) async throws(RESTError) {
        let place = try await access.place(of: memberID)
        // Somebody else was told the same.
        if place.clientEndpoint != old.clientEndpoint { return }
        try await withCurrentTokens(of: memberID) { tokens throws(RESTError) in
            try await ask(memberID, tokens, place)
        }
        if try await access.place(of: memberID).clientEndpoint == place.clientEndpoint { throw error }
    }

    private func ask(_ memberID: String, _ tokens: OAuthTokens, _ place: PortalPlace) async throws(RESTError) {
        let info = try await authorization.appInfo(
            accessToken: tokens.access,
            at: place.authorizationServer,
            portal: memberID
        )
        guard info.memberID == memberID, info.clientID == settings.clientID else {
            throw CallName(portal: memberID, method: "app.info").error(.foreign, "answered for another portal")
        }
        if info.clientEndpoint != place.clientEndpoint { try await access.moved(memberID, to: info) }
    }

    /// What the authorization server says of the portal's token.
    package func appInfo(of memberID: String) async throws(RESTError) -> AppInfo {
        let place = try await access.place(of: memberID)
        return try await withCurrentTokens(of: memberID) { tokens throws(RESTError) in
            try await authorization.appInfo(
                accessToken: tokens.access,
                at: place.authorizationServer,
                portal: memberID
            )
        }
    }

    /// Asks an authorization server, patiently, and with new tokens once when it does not like these.
    private func withCurrentTokens<Value: Sendable>(
        of memberID: String,
        _ work: (OAuthTokens) async throws(RESTError) -> Value
    ) async throws(RESTError) -> Value {
        let cancelled = CallName(portal: memberID, method: "app.info").cancelled
        var tokens = try await currentTokens(of: memberID)
        var isRefreshed = false
        while true {
            do throws(RESTError) {
                return try await patiently(cancelled) { () throws(RESTError) in try await work(tokens) }
            } catch {
                guard error.remedy == .refresh, !isRefreshed else {
                    await report(error, with: tokens, of: memberID)
                    throw error
                }
                isRefreshed = true
                tokens = try await refreshed(tokens, of: memberID)
            }
        }
    }

    /// Tells whoever keeps the portals that these tokens are of no use any more.
    func report(_ error: RESTError, with tokens: OAuthTokens, of memberID: String) async {
        switch error.meaning {
        case .needsAuthorisation, .uninstalled: await access.refused(tokens, of: memberID, because: error)
        case .permanent, .later, .passing: break
        }
    }
}
