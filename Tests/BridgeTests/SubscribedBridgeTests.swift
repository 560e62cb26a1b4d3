import Bitrix24
import Bitrix24REST
import Foundation
import KafkaClient
import Locks
import Logging
import Simulation
import Synchronization
import Testing

@testable import Bridge

/// A whole bridge before a stand-in for Bitrix24, and the commands that ask it.
@Suite struct SubscribedBridgeTests {
    private struct Stage {
        let standIn: StandIn
        let bridge: RunningBridge
        let settings: BridgeSettings
        let member: String

        func portal() -> RegisteredPortal? { bridge.bridge.registry?.portal(member) }

        func inSession<Value>(_ body: (PortalRegistry) async throws -> Value) async throws -> Value {
            let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            return try await RegistrySession.run(settings, timeout: .seconds(10), logger: silent, body)
        }
    }

    /// - Parameter offline: Bound offline; seven rows of each portal wait then.
    private static func with(
        offline: [String] = [],
        wakeBy: Set<BridgeSettings.Offline.WakeUp>? = nil,
        _ body: (Stage) async throws -> Void
    ) async throws {
        try await Kafka.withCluster { cluster in
            let topic = "registry-\(UUID().uuidString.prefix(8).lowercased())"
            try cluster.createTopic(topic)
            let reserved = try ReservedPort()
            defer { withExtendedLifetime(reserved) {} }
            let port = reserved.number
            var standInSettings = StandInSettings()
            standInSettings.offlineRows = offline.isEmpty ? 0 : 7
            try await StandIn.withRunning(standInSettings) { standIn in
                let member = try #require(standIn.memberIDs.first)
                let address = try await standIn.address
                let known = Guarded<BridgeSettings?>(nil)
                try await RunningBridge.with(
                    servers: cluster.bootstrapServers,
                    portals: .empty,
                    adjust: { settings in
                        settings.http.port = port
                        settings.keepsRegistry = true
                        settings.kafka.registryTopic = topic
                        settings.application.clientID = standIn.settings.clientID
                        settings.application.clientSecret = Secret(standIn.settings.clientSecret)
                        settings.application.standIn = address
                        settings.application.publicURL = "http://127.0.0.1:\(port)"
                        settings.secrets = .init(current: KeyringTests.key("1"), previous: [])
                        settings.subscriptions.everywhere.online = ["ONCRMDEALADD"]
                        settings.subscriptions.everywhere.offline = offline
                        if let wakeBy { settings.offline.wakeBy = wakeBy }
                        let settings = settings
                        known.withLock { $0 = settings }
                    },
                    { bridge in
                        let settings = try #require(known.withLock { $0 })
                        try await body(Stage(standIn: standIn, bridge: bridge, settings: settings, member: member))
                    }
                )
            }
        }
    }

    /// Registers the portal as an installation that was verified does.
    private static func install(_ stage: Stage) async throws {
        _ = await stage.standIn.install("1", at: "http://127.0.0.1:1/none")
        let tokens = try #require(stage.standIn.makeTokens(of: "1"))
        let expiry = WallClock.now().milliseconds / 1000 + 3600
        let sealed = try SealedTokens.seal(
            OAuthTokens(access: tokens.access, refresh: tokens.refresh, accessExpiresAt: expiry),
            of: stage.member,
            with: Keyring(stage.settings.secrets)
        )
        let token = try #require(stage.standIn.applicationToken(of: "1"))
        let digest = String(decoding: TokenDigest(token: Array(token.utf8)).hexadecimal, as: UTF8.self)
        let domain = try #require(stage.standIn.portal("1")).domain
        try await stage.bridge.bridge.registry?.change(stage.member) { portal in
            portal.installation = .init(
                state: .installed,
                domain: domain,
                clientEndpoint: "\(stage.settings.application.standIn)/portal/\(stage.member)/rest/",
                authorizationServer: "oauth.bitrix.info",
                status: "L",
                scope: ["crm"],
                installedAt: WallClock.now().milliseconds
            )
            portal.authorization = .init(
                sealed: sealed,
                accessExpiresAt: expiry,
                refreshedAt: WallClock.now().milliseconds
            )
            portal.applicationTokens = .init(digests: [digest])
        }
    }

    @Test func `what is bound offline is drained by the replica that owns the work`() async throws {
        try await Self.with(offline: ["ONCRMLEADADD"]) { stage in
            try await Self.install(stage)
            try await wait(for: "drained; \(stage.bridge.logs.lines.suffix(5))", within: .seconds(30)) {
                stage.standIn.offlineSummary(of: "1")?.cleared == 7
            }
            #expect(stage.bridge.metric("offline_rows_total", [("outcome", "delivered")]) == 7)
            try await wait(for: "nothing is held") {
                _ = try await stage.bridge.get("/metrics")
                return stage.bridge.metric("offline_rows_held") == 0 && stage.bridge.metric("offline_lag_seconds") == 0
            }
            // They are what the portal did lately as well.
            try await wait(for: "the rows beside the events that were pushed") {
                try await stage.bridge.get("/metrics").body.contains(
                    /b24bridge_portal_events_total\{portal="[^"]+"\} (7|8|9)\n/
                )
            }
        }
    }

    @Test func `the push channel alone has rows drained, also after it was replaced and after it was cut`() async throws
    {
        try await Self.with(offline: ["ONCRMLEADADD"], wakeBy: [.push]) { stage in
            let standIn = stage.standIn
            var expected = 7
            func waitUntilCleared() async throws {
                try await wait(for: "\(expected) rows; \(stage.bridge.logs.lines.suffix(5))") {
                    standIn.offlineSummary(of: "1")?.cleared == expected
                }
            }
            func addRow() async throws {
                expected += standIn.addOfflineRows(1, portal: "1")
                try await waitUntilCleared()
            }
            // So that nothing but a message can tell of the next row.
            func waitForLook(_ number: Int) async throws {
                try await wait(for: "look \(number), as something may have been missed before the poll") {
                    stage.bridge.metric("offline_drains_total", [("trigger", "signal")]) == number
                        && standIn.heldPolls(of: "1") == 1
                }
            }
            try await Self.install(stage)
            try await waitUntilCleared()
            try await waitForLook(1)
            try await addRow()

            #expect(standIn.push(.channelExpireReconnect, portal: "1"))
            try await waitForLook(3)
            try await addRow()

            // The next poll goes on where this one was.
            #expect(standIn.push(.drop, portal: "1"))
            try await addRow()
            try await waitForLook(5)
            #expect(expected == 10)
            #expect(stage.bridge.metric("offline_rows_total", [("outcome", "delivered")]) == 10)
            #expect(standIn.calls(of: "pull.application.config.get").count == 1)
        }
    }

    @Test func `a registered portal is bound, its events arrive, and the commands' orders are answered`() async throws {
        try await Self.with { stage in
            try await Self.install(stage)
            try await wait(for: "connected; \(stage.bridge.logs.lines.suffix(5))") {
                stage.portal()?.state == .connected
            }
            try await wait(for: "the work to be counted") {
                stage.bridge.metric("reconciles_total", [("outcome", "mended")]) == 1
            }
            _ = await stage.standIn.emit("ONCRMDEALADD", id: "4711", portal: "1")
            try await stage.bridge.waitForDelivery(of: 1, to: "crm.deal")

            try await stage.inSession { registry in
                let orders = PortalOrders(registry, patience: .seconds(10))
                guard case .report(let report) = await orders.carryOut(.plan, at: stage.member) else {
                    return #expect(Bool(false), "no report")
                }
                #expect(report.plan?.unchanged == 3 && report.plan?.bind == [] && report.plan?.unbind == [])

                let nonce = UUID().uuidString.lowercased()
                let watch = TestEventWatch(stage.settings, portal: stage.member, domain: nil, nonce: nonce)
                #expect(watch.topic == "\(stage.bridge.topicPrefix).app")
                let obstacle = try await watch.find(within: .seconds(10)) { () -> String? in
                    switch await orders.carryOut(.test, at: stage.member, id: nonce) {
                    case .report(let report): report.error.map(\.message)
                    case .nothing(let words): words
                    }
                }
                #expect(obstacle == nil)
            }
            try await wait(for: "nothing left behind") {
                stage.portal()?.order == nil && stage.portal()?.report == nil
            }
            _ = try await stage.bridge.get("/metrics")
            #expect(stage.bridge.metric("bindings_drift") == 0)
        }
    }

    @Test func `a test event that is refused on the way is waited for in vain`() async throws {
        try await Self.with { stage in
            try await Self.install(stage)
            try await wait(for: "connected") { stage.portal()?.state == .connected }
            stage.standIn.changeApplicationToken(of: "1")
            try await stage.inSession { registry in
                let nonce = UUID().uuidString.lowercased()
                let watch = TestEventWatch(stage.settings, portal: stage.member, domain: nil, nonce: nonce)
                await #expect(throws: TestEventWatch.Late.self) {
                    try await watch.find(within: .seconds(1)) { () -> String? in
                        _ = await PortalOrders(registry, patience: .seconds(10))
                            .carryOut(.test, at: stage.member, id: nonce)
                        return nil
                    }
                }
            }
        }
    }

    @Test func `without a bridge an order ends with words, and leaves nothing behind`() async throws {
        let registry = PortalRegistry()
        try await registry.change("p1") { $0.webhooks = .init(digests: ["00"]) }
        let orders = PortalOrders(registry, patience: .milliseconds(50))
        guard case .nothing(let words) = await orders.carryOut(.plan, at: "p1") else {
            return #expect(Bool(false), "somebody answered")
        }
        #expect(words.contains("no bridge answered"))
        #expect(registry.portal("p1")?.order == nil)
    }

    @Test func `orders to many portals are given side by side, and none after a stop`() async throws {
        let registry = PortalRegistry()
        let all = (0..<200).map { "p\($0)" }
        for memberID in all { try await registry.change(memberID) { $0.webhooks = .init(digests: ["00"]) } }
        // Answers as an owner does.
        let changes = registry.changes()
        let answering = Task {
            for await memberID in changes {
                guard let order = registry.portal(memberID)?.order, registry.portal(memberID)?.report == nil else {
                    continue
                }
                try await registry.change(memberID) {
                    $0.report = .init(orderID: order.id, at: order.at, json: PortalReport().json)
                }
            }
        }
        defer { answering.cancel() }
        let orders = PortalOrders(registry, patience: .seconds(10))
        var answered: Set<String> = []
        await orders.carryOut(.apply, at: all) { memberID, answer in
            if case .report = answer { answered.insert(memberID) }
        }
        #expect(answered == Set(all))
        let stop = Guarded(false)
        var done = 0
        await orders.carryOut(.apply, at: all, isStopped: { stop.withLock { $0 } }) { _, _ in
            done += 1
            if done == 20 { stop.withLock { $0 = true } }
        }
        #expect(done < 60)
    }
}
