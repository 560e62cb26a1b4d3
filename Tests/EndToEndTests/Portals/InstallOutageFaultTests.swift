import Foundation
import Testing

/// Kafka is away while applications are installed.
@Suite struct InstallOutageFaultTests {
    @Test func `what is installed while Kafka is away is connected once it is back, also after a kill`() async throws {
        let count = Campaign.pick(short: 4, full: 20)
        try await PortalScene.with(portals: count, replicas: 2, handler: 1) { scene in
            let deals = RecordReader(scene.dealTopic, at: scene.servers)
            defer { deals.stop() }
            try await scene.replicas[0].startAndListen()
            _ = try await scene.owner()
            try await scene.replicas[1].startAndListen()
            let portals = scene.portals.portals
            try await scene.install(portals[0], at: scene.replicas[0].port)
            try await scene.waitForStates(["connected": 1])
            try await eventually("a snapshot of the registry is on its disk") {
                try await scene.replicas[0].registry().snapshotAgeSeconds != nil
            }

            scene.cluster.setBrokers(up: false)
            let away = ContinuousClock.now
            for portal in portals.dropFirst() { try await scene.install(portal, at: scene.replicas[0].port) }
            try await eventually("they are verified without Kafka") {
                try await scene.replicas[0].callsToVerify() == 0
            }
            let unconfirmed = try await scene.replicas[0].registry().unconfirmed
            #expect(unconfirmed == count - 1)
            // It knows them from its own disk, also after a kill.
            try await scene.replicas[0].kill()
            try await scene.replicas[0].startAndListen()
            #expect(try await scene.replicas[0].registry().unconfirmed == count - 1)
            var keys: Set<String> = []
            for portal in portals {
                let token = try await scene.portals.applicationToken(of: portal)
                let form = SampleEvent.form(id: "5", token: token, portal: portal)
                #expect(try await post(form, port: scene.replicas[0].port).status == 200)
                keys.insert(PortalScene.key(portal, deal: 5))
            }
            if Campaign.isFull {
                for replica in scene.replicas {
                    try await eventually("nobody does the work") { try await !replica.registry().owner }
                }
            }
            let outage = ContinuousClock.now - away

            scene.cluster.setBrokers(up: true)
            let back = ContinuousClock.now
            try await scene.waitForStates(["connected": count], within: .seconds(90))
            let connected = ContinuousClock.now - back
            try await eventually("all events arrive", within: .seconds(60)) {
                keys.isSubset(of: Set(deals.records.map(\.key)))
            }
            for portal in portals { #expect(try await scene.portals.change(deal: 6, of: portal) == 200) }
            for index in scene.replicas.indices { try await scene.replicas[index].stop() }
            Campaign.report(
                "installations while Kafka is away",
                "\(count - 1) answered 200 and verified in an outage of \(outage) with a kill -9 in it; all connected "
                    + "\(connected) after Kafka was back, \(keys.count) events of that time delivered"
            )
        }
    }
}
