/// What an authorization server gave for one portal. Never described: neither logs nor errors show it.
///
/// Source: b24restdocs, settings/oauth/auto-renewal.md
package struct OAuthTokens: Sendable, Equatable, CustomStringConvertible {
    package let access: String
    package let refresh: String
    /// Unix seconds. `access` is refused from then on.
    package let accessExpiresAt: Int64

    package init(access: String, refresh: String, accessExpiresAt: Int64) {
        self.access = access
        self.refresh = refresh
        self.accessExpiresAt = accessExpiresAt
    }

    package var description: String { "OAuthTokens([redacted])" }
}
