import Foundation
import Testing

/// Replicas behind a load balancer: any of them may get an installation, any of them any event.
@Suite struct TwoReplicaTests {
    @Test func `what is installed at one replica is served by the other, and by one that comes later`() async throws {
        try await PortalScene.with(portals: 4, replicas: 3, handler: 1) { scene in
            let deals = RecordReader(scene.dealTopic, at: scene.servers)
            defer { deals.stop() }
            try await scene.replicas[0].startAndListen()
            _ = try await scene.owner()
            try await scene.replicas[1].startAndListen()
            let portals = scene.portals.portals
            for portal in portals { try await scene.install(portal, at: scene.replicas[0].port) }
            try await scene.waitForStates(["connected": portals.count])

            var keys: Set<String> = []
            for portal in portals {
                for id in 1...10 {
                    #expect(try await scene.portals.change(deal: id, of: portal) == 200)
                    keys.insert(PortalScene.key(portal, deal: id))
                }
            }
            try await eventually("the events arrive") { keys.isSubset(of: Set(deals.records.map(\.key))) }
            #expect(deals.records.count == keys.count && deals.failure == nil)
            // It was the other one that got them.
            #expect(deals.records.allSatisfy { $0.sequence.hasPrefix("replica-1.") })

            // A new volume: it may refuse nothing that the others would take.
            try await scene.replicas[2].startAndListen()
            for portal in portals {
                let token = try await scene.portals.applicationToken(of: portal)
                let form = SampleEvent.form(id: "77", token: token, portal: portal)
                #expect(try await post(form, port: scene.replicas[2].port).status == 200)
                keys.insert(PortalScene.key(portal, deal: 77))
            }
            try await eventually("those arrive, too") { keys.isSubset(of: Set(deals.records.map(\.key))) }
            // Whichever it is now.
            _ = try await scene.owner()
            for index in scene.replicas.indices { try await scene.replicas[index].stop() }
        }
    }
}
