internal import Foundation

/// The authorization server: `oauth.bitrix.info` and `oauth.bitrix24.tech` in one (b24restdocs, settings/oauth/index.md).
extension PortalWorld {
    mutating func authorizationCall(_ method: String, _ request: StandInRequest) -> StandInAnswer {
        let parameters = request.parameters
        var call = RESTCall(method: method, parameters: parameters ?? .emptyMap)
        let token = parameters.flatMap { request.accessToken(in: $0) }
        if method == "oauth/token" {
            call.portal = refreshTokens[call.parameters["refresh_token"]?.text ?? ""]?.portal
        } else {
            call.portal = token.flatMap { accessTokens[$0] }?.portal
        }
        return answerWithFaults(&call) { world, call in
            guard parameters != nil else { return Self.refused(400, "invalid_request", "Malformed request") }
            return method == "oauth/token" ? world.tokens(call.parameters) : world.applicationInfo(token)
        }
    }

    private static func refused(_ status: Int, _ code: String, _ words: String) -> (StandInAnswer, String?) {
        (.error(status, code, words), code)
    }

    /// b24restdocs, settings/oauth/auto-renewal.md
    private mutating func tokens(_ parameters: PHPValue) -> (answer: StandInAnswer, error: String?) {
        func text(_ name: String) -> String { parameters[name]?.text ?? "" }
        guard text("client_id") == settings.clientID, text("client_secret") == settings.clientSecret else {
            return Self.refused(401, "invalid_client", "Invalid client")
        }
        let owner: (portal: Int, user: Int)
        switch text("grant_type") {
        case "refresh_token":
            guard let token = refreshTokens[text("refresh_token")] else {
                return Self.refused(400, "invalid_grant", "Invalid grant")
            }
            guard portals[token.portal].hasApplication else {
                return Self.refused(401, "NOT_INSTALLED", "Application not installed")
            }
            spend(refreshToken: text("refresh_token"), of: token.portal)
            owner = (token.portal, token.user)
        case "authorization_code":
            guard let code = codes.removeValue(forKey: text("code")), code.expiresAt > now,
                portals[code.portal].hasApplication
            else {
                return Self.refused(400, "invalid_grant", "Invalid grant")
            }
            owner = (code.portal, code.user)
        default:
            return Self.refused(400, "invalid_request", "Unknown grant_type")
        }
        if portals[owner.portal].isPaymentExpired {
            return Self.refused(401, "PAYMENT_REQUIRED", "Payment required")
        }
        let access = makeAccessToken(of: owner.portal, user: owner.user)
        let refresh = makeRefreshToken(of: owner.portal, user: owner.user)
        let portal = portals[owner.portal]
        return (
            .json([
                "access_token": .text(access),
                "client_endpoint": .text(clientEndpoint(portal)),
                // In a token's answer it is the authorization server's own.
                "domain": .text(URL(string: portal.serverEndpoint)?.host ?? ""),
                "expires": .int(now + settings.accessTokenLife),
                "expires_in": .int(settings.accessTokenLife),
                "member_id": .text(portal.memberID),
                "refresh_token": .text(refresh),
                "scope": .text(settings.scope.joined(separator: ",")),
                "server_endpoint": .text(portal.serverEndpoint),
                "status": .text(settings.status),
                "user_id": .int(owner.user),
            ]), nil
        )
    }

    /// b24restdocs, settings/how-to-call-rest-api/app-info.md: whose the token is, from somebody who knows.
    private mutating func applicationInfo(_ token: String?) -> (answer: StandInAnswer, error: String?) {
        guard let token, let known = accessTokens[token] else {
            return Self.refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
        }
        let portal = portals[known.portal]
        guard portal.hasApplication else { return Self.refused(401, "NOT_INSTALLED", "Application not installed") }
        guard known.expiresAt > now else {
            return Self.refused(401, "expired_token", "The access token provided has expired.")
        }
        if portal.isPaymentExpired { return Self.refused(401, "PAYMENT_REQUIRED", "Payment required") }
        let install: PHPValue = [
            // The server's own register; whether a setup page is done is known to the portal only.
            "installed": true,
            "version": .text("\(portal.version)"),
            "status": .text(settings.status),
            "scope": .text(settings.scope.joined(separator: ",")),
            "domain": .text(portal.domain),
            "uri": .text("https://\(portal.domain)/"),
            "client_endpoint": .text(clientEndpoint(portal)),
            "member_id": .text(portal.memberID),
            "member_type": "b24",
        ]
        return (
            .json([
                "result": [
                    "client_id": .text(settings.clientID),
                    "scope": .text(settings.scope.joined(separator: ",")),
                    "expires": .text(Self.date(Double(known.expiresAt))),
                    "install": install,
                    "user_id": .int(known.user),
                ]
            ]), nil
        )
    }

    /// As `2026-08-05T09:02:13+00:00`.
    static func date(_ seconds: Double) -> String {
        let text = Date(timeIntervalSince1970: seconds.rounded(.down)).formatted(.iso8601)
        return text.hasSuffix("Z") ? text.dropLast() + "+00:00" : text
    }
}
