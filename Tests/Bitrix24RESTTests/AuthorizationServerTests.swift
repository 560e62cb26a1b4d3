import AsyncHTTPClient
import Testing

@testable import Bitrix24REST

@Suite struct AuthorizationServerTests {
    @Test func `app info is asked by POST with the token in the body`() async throws {
        try await FakeBitrix24.with { _, _ in
            .result(appInfo(endpoint: "https://new.bitrix24.com/rest/"))
        } _: { server in
            try await withServer(server) { authorization in
                let info = try await authorization.appInfo(accessToken: "t0ken+/=", at: .russia)
                #expect(info.clientID == clientID)
                #expect(info.memberID == portal)
                #expect(info.domain == "new.bitrix24.com")
                #expect(info.clientEndpoint == "https://new.bitrix24.com/rest/")
                #expect(info.scope == ["crm", "task"])
                #expect(info.isInstalled)
                #expect(info.userID == "1")
            }
            let call = try #require(server.calls.first)
            #expect(call.path == "/rest/app.info")
            #expect(call.form == ["auth": "t0ken+/="])
            #expect(call.userAgent == "b24bridge")
        }
    }

    @Test func `a refresh sends the secret in the body and brings both new tokens`() async throws {
        let clock = TestClock()
        try await FakeBitrix24.with { _, _ in
            .json(200, newTokens(1))
        } _: { server in
            try await withServer(server, clock) { authorization in
                let refreshed = try await authorization.refresh(.first, of: portal, at: .world)
                #expect(refreshed.tokens.access == "access1-0123456789abcdef")
                #expect(refreshed.tokens.refresh == "refresh1-0123456789abcdef")
                #expect(refreshed.tokens.accessExpiresAt == clock.beginning + 3600)
                #expect(refreshed.scope == ["crm", "task"])
            }
            let call = try #require(server.calls.first)
            #expect(call.path == "/oauth/token/")
            #expect(
                call.form == [
                    "grant_type": "refresh_token", "client_id": clientID, "client_secret": clientSecret,
                    "refresh_token": OAuthTokens.first.refresh,
                ]
            )
        }
    }

    @Test func `tokens of another portal are not taken`() async throws {
        try await FakeBitrix24.with { _, _ in
            .json(200, newTokens(1, of: "another"))
        } _: { server in
            try await withServer(server) { authorization in
                let error = await #expect(throws: RESTError.self) {
                    try await authorization.refresh(.first, of: portal, at: .world)
                }
                #expect(error?.code == .foreign)
            }
        }
    }

    @Test func `an error names portal and code but neither tokens nor the secret that the answer repeats`() async throws
    {
        try await FakeBitrix24.with { call, _ in
            .error(
                400,
                "INVALID_GRANT",
                "refresh \(OAuthTokens.first.refresh) with \(clientSecret) and 0123456789abcdef0123 at /rest/1/s3cr3t/x"
            )
        } _: { server in
            try await withServer(server) { authorization in
                let error = await #expect(throws: RESTError.self) {
                    try await authorization.refresh(.first, of: portal, at: .world)
                }
                #expect(error?.code == .invalidGrant)
                #expect(error?.status == 400)
                #expect(error?.portal == portal)
                #expect(error?.meaning == .needsAuthorisation)
                let text = try #require(error).description
                for secret in [OAuthTokens.first.refresh, clientSecret, "0123456789abcdef0123", "s3cr3t"] {
                    #expect(!text.contains(secret))
                }
                #expect(text.contains("[redacted] with [redacted]"))
            }
        }
    }

    @Test func `a redirect of the authorization server is not followed`() async throws {
        try await FakeBitrix24.with { call, _ in
            call.path == "/elsewhere"
                ? .result(appInfo(endpoint: "https://evil.example/rest/"))
                : .text(302, "", [("Location", "/elsewhere")])
        } _: { server in
            try await withServer(server) { authorization in
                let error = await #expect(throws: RESTError.self) {
                    try await authorization.appInfo(accessToken: "token", at: .world)
                }
                #expect(error?.code == .moved)
            }
            #expect(server.calls.map(\.path) == ["/rest/app.info"])
        }
    }

    @Test func `the answer to an exchange is waited for longer than others, as it brings what is lost otherwise`()
        async throws
    {
        try await FakeBitrix24.with { _, _ in
            .held(200, newTokens(1))
        } _: { server in
            try await withServer(server, limit: .milliseconds(1)) { authorization in
                async let refreshed = authorization.refresh(.first, of: portal, at: .world)
                let asked = ContinuousClock.now
                try await until { !server.calls.isEmpty && .now - asked > .milliseconds(300) }
                server.release()
                #expect(try await refreshed.tokens.access == "access1-0123456789abcdef")
            }
        }
    }

    private func withServer(
        _ server: FakeBitrix24,
        _ clock: TestClock = TestClock(),
        limit: Duration = .seconds(20),
        _ body: (AuthorizationServer) async throws -> Void
    ) async throws {
        var settings = RESTSettings(clientID: clientID, clientSecret: clientSecret, standIn: server.address)
        settings.clock = clock.clock
        settings.authorizationTimeout = limit
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings.httpConfiguration)
        do {
            try await body(AuthorizationServer(http: http, settings: settings))
        } catch {
            try? await http.shutdown()
            throw error
        }
        try await http.shutdown()
    }
}
