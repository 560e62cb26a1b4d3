import Bitrix24
import Bitrix24REST
import Foundation
import Simulation
import Testing

@testable import Bridge

/// What becomes of a portal after its first installation.
@Suite struct InstallationLifeTests {
    private static func digest(_ token: String) -> String {
        String(decoding: TokenDigest(token: Array(token.utf8)).hexadecimal, as: UTF8.self)
    }

    private static func install(_ standIn: StandIn, _ bridge: RunningBridge) async throws -> String {
        standIn.holdOwner()
        let portal = standIn.first
        #expect(await standIn.install(portal, at: bridge.installURL)?.status == 200)
        try await bridge.waitForStanding(.known, of: portal)
        return portal
    }

    @Test func `a new installation brings new tokens, and the old application token is believed beside the new one`()
        async throws
    {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            let old = try #require(standIn.applicationToken(of: portal))
            let first = try #require(bridge.registered(portal))
            standIn.changeApplicationToken(of: portal)
            let new = try #require(standIn.applicationToken(of: portal))
            #expect(await standIn.install(portal, at: bridge.url + "/b24/events")?.status == 200)
            try await wait(for: "the new token") {
                bridge.registered(portal)?.applicationTokens?.digests == [Self.digest(new), Self.digest(old)]
            }
            let second = try #require(bridge.registered(portal))
            #expect(try #require(second.installation).installedAt > #require(first.installation).installedAt)
            #expect(second.authorization?.sealed != first.authorization?.sealed)
            try await wait(for: "the new token to be in force") {
                try await bridge.post(event(member: portal, token: new)).status == 200
            }
            try await bridge.take([event(member: portal, token: old)])
            try await bridge.waitForDelivery(of: 2, to: "app")
        }
    }

    @Test func `an update whose token is known is published at once and installs anew`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            let first = try #require(bridge.registered(portal)?.installation?.installedAt)
            #expect(await standIn.update(portal, at: bridge.url + "/b24/events")?.status == 200)
            try await wait(for: "it to be verified") { bridge.verified(.reinstallation) == 1 }
            #expect(try #require(bridge.registered(portal)?.installation?.installedAt) > first)
            try await bridge.waitForDelivery(of: 2, to: "app")
            #expect(Set(bridge.delivered(to: "app").map(\.id)).count == 2)
        }
    }

    @Test func `ONAPPUNINSTALL erases all that could be used, and what still comes is a dead letter`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            let token = try #require(standIn.applicationToken(of: portal))
            func uninstall(_ token: String) -> String {
                event("ONAPPUNINSTALL", member: portal, token: token).replacingOccurrences(
                    of: "data[FIELDS][ID]=1",
                    with: "data[CLEAN]=1"
                )
            }
            // A forged one deletes nothing.
            let forged = try await bridge.post(uninstall("00000000000000000000000000000000"))
            #expect(forged.status == 403)
            #expect(bridge.state(of: portal) == .installed)
            // It is published when it was verified, which is after the portal is known.
            try await bridge.waitForDelivery(of: 1, to: "app")
            try await bridge.take([uninstall(token)])
            try await wait(for: "the portal to be gone") { bridge.state(of: portal) == .gone }
            let registered = try #require(bridge.registered(portal))
            #expect(registered.authorization == nil && registered.applicationTokens == nil)
            #expect(registered.installation?.goneReason != nil)
            try await bridge.waitForDelivery(of: 2, to: "app")
            #expect(bridge.delivered(to: "app")[1].attribute("b24event") == "ONAPPUNINSTALL")
            try await bridge.waitForStanding(.gone, of: portal)
            let late = try await bridge.post(event(member: portal, token: token))
            #expect(late.status == 403)
            try await bridge.waitForDelivery(of: 2, to: "dead-letter")
            #expect(bridge.deadLetters.last?.headers["b24_reason"] == "gone-portal")
            // And it comes back.
            #expect(await standIn.install(portal, at: bridge.installURL)?.status == 200)
            try await bridge.waitForStanding(.known, of: portal)
            #expect(bridge.registered(portal)?.applicationTokens?.digests == [Self.digest(token)])
            try await bridge.take([event(id: "9", member: portal, token: token)])
        }
    }

    @Test func `an event with tokens restores a portal that needs authorisation`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            try await #require(bridge.bridge.registry).change(portal, until: .here) {
                $0.authorization = .init(sealed: nil, accessExpiresAt: 0, refreshedAt: 0, needed: "invalid_grant")
            }
            let body = try standIn.body("ONCRMDEALUPDATE", of: portal, address: try await standIn.address)
            try await bridge.take([body])
            try await wait(for: "authorisation") { bridge.registered(portal)?.authorization?.needed == nil }
            let sealed = try #require(bridge.registered(portal)?.authorization?.sealed)
            let tokens = try SealedTokens.open(sealed, of: portal, with: InstallationScene.keyring)
            #expect(body.contains(tokens.refresh))
            // Once in a minute is enough.
            try await bridge.take([try standIn.body("ONCRMDEALUPDATE", of: portal, address: try await standIn.address)])
            #expect(bridge.verified(.renewal) == 1)
        }
    }

    @Test func `a payment without a token, or another domain, makes the owner look, once in a minute`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            try await bridge.take([event("ONAPPPAYMENT", member: portal, token: nil)])
            try await wait(for: "an order") { bridge.registered(portal)?.order?.kind == .check }
            let order = bridge.registered(portal)?.order
            // The domain of these is not the portal's.
            try await bridge.take([event(member: portal, token: standIn.applicationToken(of: portal))])
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
            #expect(bridge.registered(portal)?.order == order)
        }
    }

    // MARK: The record alone

    private static func call(_ kind: UnverifiedCall.Kind, at time: Int64, installed: Bool = true, token: String? = nil)
        -> VerifiedCall
    {
        VerifiedCall(
            kind: kind,
            receivedAt: time,
            info: AppInfo(
                clientID: "c",
                memberID: "m",
                domain: "p.example",
                clientEndpoint: "https://p.example/rest/",
                status: "L",
                scope: ["crm"],
                isInstalled: installed
            ),
            authorizationServer: .world,
            tokens: SealedText(text: "sealed-\(time)"),
            accessExpiresAt: time,
            applicationToken: token
        )
    }

    @Test func `twice is once, and older news change nothing`() {
        var portal = RegisteredPortal(memberID: "m")
        portal.take(Self.call(.installation, at: 10, token: "a"))
        // Tokens that the owner of the REST work has renewed since.
        portal.authorization?.sealed = SealedText(text: "renewed")
        let known = portal
        portal.take(Self.call(.installation, at: 10, token: "a"))
        portal.take(Self.call(.reinstallation, at: 9, token: "b"))
        portal.end(because: "late", at: 9)
        #expect(portal == known)
        portal.end(because: "gone", at: 20)
        let gone = portal
        portal.take(Self.call(.installation, at: 15))
        portal.take(Self.call(.test, at: 30, token: "x"))
        portal.take(Self.call(.renewal, at: 30))
        #expect(portal == gone)
        portal.take(Self.call(.page, at: 31))
        #expect(portal.installation?.state == .installed && portal.awaitsToken)
    }

    @Test func `opening the page of an installed application is no new installation`() {
        var portal = RegisteredPortal(memberID: "m")
        portal.take(Self.call(.installation, at: 10, token: "a"))
        portal.take(Self.call(.page, at: 20))
        #expect(portal.installation?.installedAt == 10 && portal.installation?.seenAt == 20)
        #expect(portal.authorization?.sealed?.text == "sealed-10")
        // Bitrix24 says that its setup is not finished: it was taken off unseen, and is installed again.
        portal.take(Self.call(.page, at: 30, installed: false))
        #expect(portal.installation?.installedAt == 30 && portal.authorization?.sealed?.text == "sealed-30")
    }

    @Test func `who opens the page gives his tokens where those that are known are of no administrator`() {
        var portal = RegisteredPortal(memberID: "m")
        portal.take(Self.call(.installation, at: 10, token: "a"))
        portal.bindings = .init(installedAt: 10, fingerprint: "", reconciledAt: 0, bound: 0, drift: 0, error: "refused")
        portal.bindings?.errorCode = "access_denied"
        portal.take(Self.call(.page, at: 20))
        #expect(portal.authorization?.sealed?.text == "sealed-10", "another's tokens would mend nothing")
        portal.bindings?.errorCode = "not_administrator"
        portal.take(Self.call(.page, at: 30))
        #expect(portal.authorization?.sealed?.text == "sealed-30" && portal.installation?.installedAt == 10)
    }

    @Test func `of many tokens the newest are believed`() {
        var portal = RegisteredPortal(memberID: "m")
        for time in Int64(1)...6 { portal.take(Self.call(.reinstallation, at: time, token: "t\(time)")) }
        #expect(portal.applicationTokens?.digests == ["t6", "t5", "t4", "t3"])
        portal.take(Self.call(.reinstallation, at: 7, token: "t4"))
        #expect(portal.applicationTokens?.digests == ["t4", "t6", "t5", "t3"])
    }
}
