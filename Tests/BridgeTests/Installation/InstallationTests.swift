import Bitrix24
import Bitrix24REST
import Foundation
import Simulation
import Testing

@testable import Bridge

/// From the portal's call to the registry and the topic.
@Suite struct InstallationTests {
    private static func deal(_ id: String, of portal: String, _ standIn: StandIn) -> String {
        event(id: id, member: portal, token: standIn.applicationToken(of: portal))
    }

    @Test func `an application without a user interface installs itself, and its ONAPPINSTALL is published`()
        async throws
    {
        let directory = try TemporaryDirectory()
        try await InstallationScene.with(directory: directory) { standIn, bridge in
            let portal = standIn.first
            let delivery = try #require(await standIn.install(portal, at: bridge.url + "/b24/events"))
            #expect(delivery.status == 200)
            try await bridge.waitForDelivery(of: 1, to: "app")
            let record = bridge.delivered(to: "app")[0]
            #expect(record.attribute("b24event") == "ONAPPINSTALL")
            #expect(record.attribute("b24origin") == "online")
            let registered = try #require(bridge.registered(portal))
            #expect(registered.installation?.state == .installed)
            #expect(registered.installation?.domain == standIn.portal(portal)?.domain)
            #expect(registered.installation?.authorizationServer == "oauth.bitrix.info")
            #expect(registered.authorization?.needed == nil)
            let tokens = try SealedTokens.open(
                try #require(registered.authorization?.sealed),
                of: portal,
                with: InstallationScene.keyring
            )
            #expect(!tokens.refresh.isEmpty)
            // Its events are taken at once.
            try await bridge.waitForStanding(.known, of: portal)
            try await bridge.take([Self.deal("1", of: portal, standIn)])
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
            #expect(bridge.verified(.installation) == 1)
            try await wait(for: "an empty inbox") { bridge.metric("install_inbox_calls") == 0 }
            let secret = try #require(standIn.applicationToken(of: portal))
            let everything =
                try directory.allBytes() + Data((bridge.logs.lines + bridge.delivered.map(\.value)).joined().utf8)
            for secret in [tokens.access, tokens.refresh, secret] {
                #expect(everything.range(of: Data(secret.utf8)) == nil)
            }
            try await bridge.expectSums()
        }
    }

    @Test(arguments: ["/b24/install", "/b24/events", "/b24/events/x"])
    func `forged installations are answered and believed by nobody`(path: String) async throws {
        try await InstallationScene.with(StandInSettings(portals: 2)) { standIn, bridge in
            let address = try await standIn.address
            let (victim, own) = (standIn.memberIDs[0], standIn.memberIDs[1])
            for portal in [victim, own] { _ = await standIn.install(portal, at: "http://127.0.0.1:9/") }
            let forged = [
                try standIn.body("ONAPPINSTALL", of: victim, address: address, access: "made-up"),
                // A token of a portal that the forger has, for another one.
                try standIn.body("ONAPPINSTALL", of: own, address: address, member: victim),
                try standIn.body("ONAPPINSTALL", of: victim, address: address, domain: "evil.example"),
                try standIn.body("ONAPPUPDATE", of: victim, address: "http://evil.example"),
            ]
            for body in forged {
                let reply = try await bridge.post(body, path: path)
                #expect(reply.status == 200)
            }
            try await wait(for: "all to be refused; \(bridge.logs.lines.suffix(4))") {
                bridge.refusals(.invalidToken) == 1 && bridge.refusals(.wrongPortal) == 1
                    && bridge.refusals(.wrongDomain) == 2
            }
            #expect(bridge.registered(victim) == nil)
            #expect(bridge.registered(own) == nil)
            #expect(bridge.logs.contains("an installation was refused", "wrong-portal", "mend="))
            #expect(!bridge.logs.contains("made-up"))
            let refused = try await bridge.post(Self.deal("1", of: victim, standIn))
            #expect(refused.status == 403)
            #expect(bridge.delivered(to: "app").isEmpty)
        }
    }

    @Test func `a token of another application is refused`() async throws {
        try await InstallationScene.with(adjust: { $0.application.clientID = "local.other" }) { standIn, bridge in
            _ = await standIn.install(standIn.first, at: bridge.installURL)
            try await wait(for: "the refusal") { bridge.refusals(.wrongApplication) == 1 }
            #expect(bridge.registered(standIn.first) == nil)
        }
    }

    @Test func `whether or not anybody is there to install, people and probes get a word`() async throws {
        func answers(_ bridge: RunningBridge) async throws -> [Int] {
            try await blocking { [port = bridge.port] in
                let client = try HTTPClient(port: port)
                return try [
                    ("GET", "/b24/install"), ("HEAD", "/b24/install"), ("PUT", "/b24/install"),
                    ("GET", "/b24/install/state"), ("POST", "/b24/install/state"), ("GET", "/b24/install/x"),
                ].map { try client.request($0.0, $0.1).status }
            }
        }
        try await InstallationScene.with { _, bridge in

            let found = try await answers(bridge)
            #expect(found == [200, 200, 405, 400, 405, 404])

        }
        try await RunningBridge.with { bridge in
            let found = try await answers(bridge)
            #expect(found == [404, 404, 404, 404, 404, 404])
        }
    }

    @Test func `without a key nothing is taken, and the log says so`() async throws {
        try await InstallationScene.with(adjust: { $0.secrets = .init() }) { standIn, bridge in
            let delivery = try #require(await standIn.install(standIn.first, at: bridge.installURL))
            #expect(delivery.status == 503)
            #expect(bridge.refusals(.noKey) == 1)
            #expect(bridge.logs.contains("an installation was not taken", "secrets.key"))
        }
    }

    @Test func `a disk that refuses means 503`() async throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.path + "/journal", withIntermediateDirectories: true)
        _ = try directory.write("in the way", to: "journal/installs")
        try await InstallationScene.with(directory: directory) { standIn, bridge in
            let delivery = try #require(await standIn.install(standIn.first, at: bridge.installURL))
            #expect(delivery.status == 503)
            #expect(bridge.refusals(.disk) == 1)
        }
    }

    @Test func `more than ten calls a second are not taken`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let address = try await standIn.address
            let bodies = try (0..<40).map {
                try standIn.body(
                    "ONAPPINSTALL",
                    of: standIn.first,
                    address: address,
                    access: "x\($0)",
                    member: "m\($0)"
                )
            }
            let started = ContinuousClock.now
            let statuses = try await bridge.post(all: bodies)
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            #expect(Double(statuses.count { $0 == 200 }) <= 11 + 10 * seconds)
            #expect(bridge.refusals(.tooFast) == statuses.count { $0 == 503 })
            #expect(bridge.logs.lines.count { $0.contains("an installation was not taken") } <= 1)
        }
    }

    @Test func `an installation waits while the authorization server is away, and outlives the bridge`() async throws {
        try await StandIn.withRunning { standIn in
            let address = try await standIn.address
            let directory = try TemporaryDirectory()
            let prefix = "i\(UUID().uuidString.prefix(8).lowercased())"
            let portal = standIn.first
            standIn.inject(.badGateway, method: "oauth/app.info", times: 1000)
            try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) { bridge in
                #expect(await standIn.install(portal, at: bridge.installURL)?.status == 200)
                try await wait(for: "a try") { bridge.logs.contains("an installation cannot be verified yet") }
                #expect(bridge.registered(portal) == nil)
                let status = try await bridge.status()
                #expect(status.installations?.callsToVerify == 1)
            }
            standIn.clearFaults()
            // Its access token has expired meanwhile.
            standIn.expireAccessTokens(of: portal)
            try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) { bridge in
                try await bridge.waitForDelivery(of: 1, to: "app")
                #expect(bridge.state(of: portal) == .installed)
                let sealed = try #require(bridge.registered(portal)?.authorization?.sealed)
                let tokens = try SealedTokens.open(sealed, of: portal, with: InstallationScene.keyring)
                #expect(tokens.accessExpiresAt > Int64(Date().timeIntervalSince1970))
            }
        }
    }
}
