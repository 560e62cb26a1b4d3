import Foundation
import Testing

/// The whole life of a portal, in processes of their own: the portals, the bridge, and Kafka between it and its readers.
@Suite struct PortalWalkTests {
    @Test func `a portal installs itself, sends events, leaves, and comes back`() async throws {
        try await PortalScene.with(portals: 2, replicas: 1) { scene in
            let began = ContinuousClock.now
            let portal = scene.portals.portals[0]
            let deals = RecordReader(scene.dealTopic, at: scene.servers)
            let letters = DeadLetterReader(scene.prefix + "dead-letter", at: scene.servers)
            defer {
                deals.stop()
                letters.stop()
            }
            try await scene.replicas[0].startAndListen()
            let port = scene.replicas[0].port

            try await scene.install(portal, at: port)
            try await scene.waitForStates(["connected": 1])
            let connected = ContinuousClock.now - began
            for id in 1...20 { #expect(try await scene.portals.change(deal: id, of: portal) == 200) }
            let keys = Set((1...20).map { PortalScene.key(portal, deal: $0) })
            try await eventually("the events arrive") { Set(deals.records.map(\.key)) == keys }
            #expect(deals.records.count == 20 && deals.failure == nil)

            let plan = try await runBridge(
                ["subscriptions", "plan", "--json", "--config", scene.replicas[0].configuration]
            )
            #expect(plan.end == .exit(0), "\(plan.output) \(plan.errors)")

            let token = try await scene.portals.applicationToken(of: portal)
            #expect(try await scene.portals.uninstall(portal) == 200)
            try await scene.waitForStates(["gone": 1])
            // One that was under way.
            let late = SampleEvent.form(id: "99", token: token, portal: portal)
            #expect(try await post(late, port: port).status == 403)
            try await eventually("the dead letter arrives; \(letters.reasons)") {
                letters.reasons == ["gone-portal \(portal)"]
            }

            try await scene.install(portal, at: port)
            try await scene.waitForStates(["connected": 1])
            #expect(try await scene.portals.change(deal: 21, of: portal) == 200)
            try await eventually("its events arrive again") {
                deals.records.contains { $0.key == PortalScene.key(portal, deal: 21) }
            }
            // The second portal has none of it.
            #expect(try await scene.rows().keys.sorted() == [portal])
            try await scene.replicas[0].stop()
            print("portals: started and connected after \(connected), the whole walk \(ContinuousClock.now - began)")
        }
    }
}
