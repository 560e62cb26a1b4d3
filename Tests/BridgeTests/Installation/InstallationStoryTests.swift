import Foundation
import Simulation
import Testing

@testable import Bridge

/// Nothing is played here but Bitrix24: install, bind, learn the token, event, Kafka.
@Suite struct InstallationStoryTests {
    private static func with(_ body: (StandIn, RunningBridge) async throws -> Void) async throws {
        let reserved = try ReservedPort()
        defer { withExtendedLifetime(reserved) {} }
        let port = reserved.number
        var settings = StandInSettings()
        settings.installURL = "http://127.0.0.1:\(port)/b24/install"
        try await InstallationScene.with(
            settings,
            adjust: {
                $0.http.port = port
                $0.application.publicURL = "http://127.0.0.1:\(port)"
                $0.subscriptions.everywhere.online = ["ONCRMDEALUPDATE"]
            },
            body
        )
    }

    /// Its events arrive, and in the end it is gone.
    private static func live(_ portal: String, _ standIn: StandIn, _ bridge: RunningBridge) async throws {
        try await wait(
            for: "connected; \(String(describing: bridge.registered(portal)?.state)) \(bridge.logs.lines.suffix(5))",
            within: .seconds(60)
        ) { bridge.registered(portal)?.state == .connected }
        for id in 1...20 {
            let deliveries = await standIn.emit("ONCRMDEALUPDATE", id: "\(id)", portal: portal)
            #expect(deliveries.map(\.status) == [200])
        }
        try await bridge.waitForDelivery(of: 20, to: "crm.deal")
        let gone = await standIn.uninstall(portal)
        #expect(gone.map(\.status) == [200])
        try await wait(for: "gone") { bridge.registered(portal)?.state == .gone }
        #expect(bridge.registered(portal)?.authorization == nil)
    }

    @Test func `an application without a user interface`() async throws {
        try await Self.with { standIn, bridge in
            let portal = standIn.first
            let delivery = try #require(await standIn.install(portal))
            #expect(delivery.status == 200)
            try await Self.live(portal, standIn, bridge)
            let codes = Set(bridge.delivered(to: "app").compactMap { $0.attribute("b24event") })
            #expect(codes.isSuperset(of: ["ONAPPINSTALL", "ONAPPUNINSTALL"]))
        }
    }

    @Test(
        .enabled(if: Chromium.path != nil, Chromium.isMissing)
    )
    func `an application with a user interface, whose frame tells no application token`() async throws {
        try await Self.with { standIn, bridge in
            let portal = standIn.first
            try await Chromium.withPage("\(try await standIn.address)/portal/\(portal)/frame") {
                try await wait(for: "installFinish; \(bridge.logs.lines.suffix(5))", within: .seconds(60)) {
                    standIn.portal(portal)?.application == "installed"
                }
            }
            #expect(bridge.registered(portal)?.bindings?.error == nil)
            try await Self.live(portal, standIn, bridge)
            let codes = Set(bridge.delivered(to: "app").compactMap { $0.attribute("b24event") })
            #expect(codes == ["ONAPPTEST", "ONAPPUNINSTALL"])
        }
    }
}
