package import Bitrix24REST
internal import Foundation

/// How a portal's OAuth tokens lie in its `Authorization` part: JSON with `access`, `refresh` and `expires` (Unix seconds),
/// sealed for this portal alone.
package enum SealedTokens {
    private struct Plain: Codable {
        var access: String
        var refresh: String
        var expires: Int64
    }

    /// Sealed under this, tokens cannot be moved to another portal's record.
    static func context(of memberID: String) -> String { "portal/\(memberID)/tokens" }

    /// Under which a portal's incoming webhook is sealed.
    static func webhookContext(of memberID: String) -> String { "portal/\(memberID)/webhook" }

    /// - Throws: `noKey`.
    package static func seal(_ tokens: OAuthTokens, of memberID: String, with keyring: Keyring) throws(KeyringError)
        -> SealedText
    {
        let plain = Plain(access: tokens.access, refresh: tokens.refresh, expires: tokens.accessExpiresAt)
        guard let json = try? JSONEncoder().encode(plain) else {
            preconditionFailure("texts and a number can always be written as JSON")
        }
        return try keyring.seal(json, context: context(of: memberID))
    }

    /// - Throws: `missingKey` or `damaged`.
    package static func open(_ sealed: SealedText, of memberID: String, with keyring: Keyring) throws(KeyringError)
        -> OAuthTokens
    {
        let context = context(of: memberID)
        let json = try keyring.open(sealed, context: context)
        guard let plain = try? JSONDecoder().decode(Plain.self, from: json) else { throw .damaged(context) }
        return OAuthTokens(access: plain.access, refresh: plain.refresh, accessExpiresAt: plain.expires)
    }
}
