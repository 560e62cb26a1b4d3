/// What an authorization server gave for a refresh token, which is worth nothing from then on.
package struct RefreshedTokens: Sendable, Equatable {
    package let tokens: OAuthTokens
    /// Where the portal is now; ends with `/rest/`.
    package let clientEndpoint: String
    /// As in `AppInfo`.
    package let status: String
    package let scope: [String]
    package let userID: String?

    package init(tokens: OAuthTokens, clientEndpoint: String, status: String, scope: [String], userID: String? = nil) {
        self.tokens = tokens
        self.clientEndpoint = clientEndpoint
        self.status = status
        self.scope = scope
        self.userID = userID
    }
}
