package import AsyncHTTPClient
internal import Foundation

/// The two authorization servers, or the stand-in. One call is one request: repeating is the caller's business, and
/// `RetryPolicy.authorization` says how patiently.
package struct AuthorizationServer: Sendable {
    private let transport: Transport
    private var settings: RESTSettings { transport.settings }

    /// - Parameter http: made with `settings.httpConfiguration`; whoever made it ends it.
    package init(http: HTTPClient, settings: RESTSettings) {
        transport = Transport(http: http, settings: settings)
    }

    /// Whose token it is. The one source of a portal's address that can be believed: whoever asks compares `clientID`,
    /// `memberID` and `domain` with what he expects.
    ///
    /// Source: b24restdocs, api-reference/common/system/app-info.md
    package func appInfo(accessToken: String, at host: AuthorizationHost) async throws(RESTError) -> AppInfo {
        try await appInfo(accessToken: accessToken, at: host, portal: "")
    }

    func appInfo(
        accessToken: String,
        at host: AuthorizationHost,
        portal: String
    ) async throws(RESTError) -> AppInfo {
        let call = CallName(portal: portal, method: "app.info at \(host.rawValue)")
        let answer = try await post(call, at: host, path: "rest", method: "app.info", ["auth": .string(accessToken)])
        guard let info = answer.result.flatMap(AppInfo.init) else {
            throw call.error(.notJSON, status: 200, "answered without what it is asked for")
        }
        return info
    }

    /// New tokens for old. Even when this throws, the refresh token may have been exchanged: only its next use tells.
    ///
    /// - Throws: `invalidGrant` when the refresh token is expired, used or foreign; `foreign` when the answer is of another
    ///   portal.
    ///
    /// Source: b24restdocs, settings/oauth/auto-renewal.md
    package func refresh(
        _ tokens: OAuthTokens,
        of memberID: String,
        at host: AuthorizationHost
    ) async throws(RESTError) -> RefreshedTokens {
        let call = CallName(portal: memberID, method: "oauth/token at \(host.rawValue)")
        guard !tokens.refresh.isEmpty else { throw call.error(.noTokens, "there is no refresh token") }
        let answer = try await post(
            call,
            at: host,
            path: "oauth/token",
            method: nil,
            [
                "grant_type": "refresh_token",
                "client_id": .string(settings.clientID),
                "client_secret": .string(settings.clientSecret),
                "refresh_token": .string(tokens.refresh),
            ],
            // Who gives the answer up loses the tokens in it: it is waited for as long as Bitrix24 works on anything.
            within: max(settings.authorizationTimeout, settings.portalTimeout)
        )
        let json = answer.json
        guard let access = json["access_token"]?.text, !access.isEmpty,
            let refresh = json["refresh_token"]?.text, !refresh.isEmpty
        else {
            throw call.error(.notJSON, status: 200, "answered without tokens")
        }
        guard json["member_id"]?.text == memberID else {
            throw call.error(.foreign, status: 200, "answered for another portal")
        }
        // By this machine's clock, which it will be compared with. A clock that is wrong then does no harm.
        let now = settings.clock.wall()
        let expiresAt = json["expires_in"]?.integer.map { now + max($0, 0) } ?? json["expires"]?.integer ?? now + 3600
        return RefreshedTokens(
            tokens: OAuthTokens(access: access, refresh: refresh, accessExpiresAt: expiresAt),
            clientEndpoint: json["client_endpoint"]?.text ?? "",
            status: json["status"]?.text ?? "",
            scope: AppInfo.scopes(json["scope"]),
            userID: json["user_id"]?.text
        )
    }

    private func post(
        _ call: CallName,
        at host: AuthorizationHost,
        path: String,
        method: String?,
        _ form: [String: JSONValue],
        within timeout: Duration? = nil
    ) async throws(RESTError) -> Answer {
        let base = (settings.standIn.isEmpty ? "https://\(host.rawValue)" : settings.standIn) + "/\(path)/"
        return try await transport.post(
            Transport.Request(
                call: call,
                address: CallAddress(base: base, method: method, settings: settings, of: call),
                body: .form(FormQuery.text(form)),
                timeout: timeout ?? settings.authorizationTimeout,
                secrets: ["auth", "client_secret", "refresh_token"].compactMap { form[$0]?.text }
            )
        )
    }
}

extension AppInfo {
    /// `nil` when something is missing that must be there.
    init?(_ json: JSONValue) {
        guard let install = json["install"], let clientID = json["client_id"]?.text,
            let memberID = install["member_id"]?.text, !memberID.isEmpty, let domain = install["domain"]?.text,
            let clientEndpoint = install["client_endpoint"]?.text
        else { return nil }
        self.init(
            clientID: clientID,
            memberID: memberID,
            domain: domain,
            clientEndpoint: clientEndpoint,
            status: install["status"]?.text ?? "",
            scope: Self.scopes(json["scope"] ?? install["scope"]),
            isInstalled: install["installed"]?.flag ?? false,
            version: install["version"]?.text,
            userID: json["user_id"]?.text
        )
    }

    /// Separated by commas on the wire and by blanks in places; from some methods a list.
    static func scopes(_ json: JSONValue?) -> [String] {
        if let list = json?.elements { return list.compactMap(\.text) }
        return (json?.text ?? "").split { $0 == "," || $0.isWhitespace }.map(String.init)
    }
}
