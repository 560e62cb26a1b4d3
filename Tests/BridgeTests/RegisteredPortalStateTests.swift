import Testing

@testable import Bridge

@Suite struct RegisteredPortalStateTests {
    @Test func `a portal goes from installing over its token to connected`() {
        var portal = RegisteredPortal(memberID: "a")
        #expect(portal.state == .installing)
        portal.installation = .sample(installedAt: 5)
        #expect(portal.state == .awaitingToken)
        portal.applicationTokens = .init(digests: [], nonce: "n")
        #expect(portal.state == .awaitingToken)
        portal.applicationTokens = .init(digests: ["00"], nonce: nil)
        #expect(portal.state == .installing)
        portal.bindings = .init(installedAt: 4, fingerprint: "", reconciledAt: 4, bound: 1, drift: 0, error: nil)
        #expect(portal.state == .installing, "the bindings are those of an earlier installation")
        portal.bindings?.installedAt = 5
        #expect(portal.state == .connected)
        portal.offline = .init(deniedSince: 6, code: "wrong_license", words: "w")
        #expect(portal.state == .offlineDenied, "its online events are taken all the same")
        portal.bindings?.error = "no"
        #expect(portal.state == .installing)
        portal.authorization = .init(sealed: nil, accessExpiresAt: 0, refreshedAt: 0, needed: "invalid_grant")
        #expect(portal.state == .needsAuthorization)
        portal.installation?.state = .gone
        #expect(portal.state == .gone)
    }

    @Test func `a portal that is only drained waits for no token`() {
        var portal = RegisteredPortal(memberID: "a")
        portal.installation = .sample(installedAt: 5)
        portal.bindings = .init(installedAt: 5, fingerprint: "", reconciledAt: 5, bound: 3, drift: 0)
        #expect(portal.state == .awaitingToken)
        portal.bindings?.isDrainedOnly = true
        #expect(portal.state == .connected && portal.awaitsToken, "it is learnt all the same if it comes")
        portal.bindings?.installedAt = 4
        #expect(portal.state == .installing)
    }

    @Test func `a portal of webhooks alone is connected`() {
        var portal = RegisteredPortal(memberID: "a")
        portal.webhooks = .init(digests: ["00"], domain: nil, sealedAddress: nil)
        #expect(portal.state == .connected && !portal.awaitsToken)
    }
}

extension RegisteredPortal.Installation {
    static func sample(installedAt: Int64 = 1) -> Self {
        Self(
            state: .installed,
            domain: "some.bitrix24.com",
            clientEndpoint: "https://some.bitrix24.com/rest/",
            authorizationServer: "oauth.bitrix.info",
            status: "L",
            scope: ["crm", "task"],
            installedAt: installedAt
        )
    }
}
