internal import AsyncHTTPClient
internal import Bitrix24
internal import Bitrix24REST
internal import Foundation

/// What an authorization server answers to a code (OAuth's authorization code flow): the way to a portal on which nobody can
/// have the application call its install address.
///
/// Source: b24restdocs, settings/oauth/index.md
package struct TokenAnswer: Sendable {
    package let memberID: String
    private let tokens: OAuthTokens
    private let server: AuthorizationHost

    private struct Fields: Decodable {
        var member_id: String
        var access_token: String
        var refresh_token: String
        var server_endpoint: String?
        var expires_in: Int64?
    }

    /// - Throws: `RegistryError`, which quotes nothing of it.
    package init(json: [UInt8]) throws(RegistryError) {
        guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(json)),
            RegistryRecord.isMemberID(fields.member_id), !fields.access_token.isEmpty, !fields.refresh_token.isEmpty
        else {
            throw RegistryError(
                .unreadable,
                "that is no token answer: a JSON object with member_id, access_token, refresh_token and server_endpoint"
            )
        }
        memberID = fields.member_id
        let now = WallClock.now().milliseconds / 1000
        tokens = OAuthTokens(
            access: fields.access_token,
            refresh: fields.refresh_token,
            accessExpiresAt: now + (fields.expires_in ?? 3600)
        )
        server = AuthorizationHost(endpoint: fields.server_endpoint)
    }

    /// Asks the authorization server whose tokens these are, and stores the portal as installed from now on, until Kafka has it.
    /// The owner of the REST work does the rest.
    ///
    /// - Returns: the portal's domain.
    /// - Throws: `RESTError`, `KeyringError`; `RegistryError` also when the tokens are of another portal or application.
    package func add(to registry: PortalRegistry, _ settings: BridgeSettings) async throws -> String {
        let sealed = try SealedTokens.seal(tokens, of: memberID, with: Keyring(settings.secrets))
        let info = try await verify(settings)
        try await store(info, sealed, in: registry)
        return info.domain
    }

    private func verify(_ settings: BridgeSettings) async throws -> AppInfo {
        let rest = settings.restSettings
        let info = try await HTTPClient.withHTTPClient(configuration: rest.httpConfiguration) { http in
            try await AuthorizationServer(http: http, settings: rest).appInfo(accessToken: tokens.access, at: server)
        }
        guard info.clientID == settings.application.clientID else {
            throw RegistryError("the tokens are of another application; compare application.clientId")
        }
        guard info.memberID == memberID else {
            throw RegistryError("the tokens are of another portal than member_id says")
        }
        return info
    }

    private func store(_ info: AppInfo, _ sealed: SealedText, in registry: PortalRegistry) async throws(RegistryError) {
        let (now, tokens, server) = (WallClock.now().milliseconds, tokens, server)
        try await registry.change(memberID) { portal in
            portal.installation = RegisteredPortal.Installation(
                state: .installed,
                domain: info.domain,
                clientEndpoint: info.clientEndpoint,
                authorizationServer: server.rawValue,
                status: info.status,
                scope: info.scope,
                version: info.version,
                userID: info.userID,
                installedAt: now
            )
            portal.authorization = RegisteredPortal.Authorization(
                sealed: sealed,
                accessExpiresAt: tokens.accessExpiresAt,
                refreshedAt: now,
                grantedAt: now
            )
        }
    }
}
