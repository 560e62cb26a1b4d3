/// Where a portal's REST calls go and in whose name.
package struct PortalPlace: Sendable, Equatable {
    package let memberID: String
    package let domain: String
    /// Ends with `/rest/`.
    package let clientEndpoint: String
    package let authorizationServer: AuthorizationHost

    package init(memberID: String, domain: String, clientEndpoint: String, authorizationServer: AuthorizationHost) {
        self.memberID = memberID
        self.domain = domain
        self.clientEndpoint = clientEndpoint
        self.authorizationServer = authorizationServer
    }
}

/// What the client must know of the portals and tell of them. Whoever keeps the portals implements it.
package protocol PortalAccess: Sendable {
    func place(of memberID: String) async throws(RESTError) -> PortalPlace

    /// - Throws: `noTokens`.
    func tokens(of memberID: String) async throws(RESTError) -> OAuthTokens

    /// The tokens were refreshed: the old refresh token is worth nothing any more. Durable for all replicas when it returns;
    /// the new ones are not used before.
    func keep(_ tokens: OAuthTokens, of memberID: String) async throws(RESTError)

    /// The authorization server names another address of the portal.
    func moved(_ memberID: String, to info: AppInfo) async throws(RESTError)

    /// Bitrix24 refused `tokens` for good: `error.meaning` is `needsAuthorisation` or `uninstalled`. Others may have come since.
    func refused(_ tokens: OAuthTokens, of memberID: String, because error: RESTError) async
}

extension PortalAccess {
    package func refused(_ tokens: OAuthTokens, of memberID: String, because error: RESTError) async {}
}
