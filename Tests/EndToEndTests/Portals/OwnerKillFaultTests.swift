import Foundation
import Testing

/// kill -9 for the replica that does the REST work, in the middle of it. The other goes on where it was interrupted.
@Suite struct OwnerKillFaultTests {
    /// Longer than a test waits for anything: who waits for such an answer never gets it.
    private static let never = 300

    /// Two replicas; the first owns the REST work, the portals send their events to the second.
    private static func with(
        portals count: Int,
        reconcileEvery: String = "0s",
        _ body: (inout PortalScene) async throws -> Void
    ) async throws {
        let subscriptions = ["reconcileEvery": reconcileEvery]
        try await PortalScene.with(portals: count, replicas: 2, handler: 1, subscriptions: subscriptions) { scene in
            try await scene.replicas[0].startAndListen()
            #expect(try await scene.owner() == 0)
            try await scene.replicas[1].startAndListen()
            try await body(&scene)
        }
    }

    /// Ends the owner, and measures until the other has taken over.
    private static func killOwner(_ scene: inout PortalScene) async throws -> Duration {
        try await scene.replicas[0].kill()
        let began = ContinuousClock.now
        #expect(try await scene.owner() == 1)
        return ContinuousClock.now - began
    }

    @Test func `in a refresh: a portal whose token was exchanged unseen needs authorisation, and no other`()
        async throws
    {
        let count = Campaign.pick(short: 6, full: 40)
        try await Self.with(portals: count, reconcileEvery: "2s") { scene in
            let deals = RecordReader(scene.dealTopic, at: scene.servers)
            defer { deals.stop() }
            let portals = scene.portals.portals
            for portal in portals { try await scene.install(portal, at: scene.replicas[0].port) }
            try await scene.waitForStates(["connected": count])

            // Exchanged, and the answer comes late; or the connection is cut in its place; or nothing is done at all.
            let late = Set(portals.prefix(count / 3))
            let lost = portals[count - 1]
            let dropped = portals[count - 2]
            for portal in late {
                try await scene.portals.inject("slow", portal, method: "oauth/token", seconds: Self.never)
            }
            try await scene.portals.inject("answer-lost", lost, method: "oauth/token")
            try await scene.portals.inject("dropped", dropped, method: "oauth/token")
            try await scene.portals.control("expire", "all", [("tokens", "access")])
            let kept = Set(portals).subtracting(late).subtracting([lost])
            try await eventually("all tokens are asked for", within: .seconds(60)) {
                let renewed = kept.allSatisfy { portal in
                    let own = scene.portals.calls.filter { $0.portal == portal }
                    let exchange = own.lastIndex { $0.method == "oauth/token" && $0.status == 200 && $0.fault == nil }
                    return exchange.map { own[$0...].contains { $0.method == "event.get" && $0.status == 200 } }
                        ?? false
                }
                return renewed && late.allSatisfy { !scene.portals.calls("oauth/token", of: $0).isEmpty }
            }
            let takeover = try await Self.killOwner(&scene)
            try await scene.waitForStates(["connected": kept.count, "needs-authorization": late.count + 1])
            let rows = try await scene.rows()
            #expect(Set(rows.values.filter { $0.state == "needs-authorization" }.map(\.memberID)) == late.union([lost]))
            // Once, and not again and again.
            for portal in late {
                #expect(scene.portals.calls("oauth/token", of: portal).count <= 2)
            }

            // Their events are taken all the same.
            for portal in portals { #expect(try await scene.portals.change(deal: 1, of: portal) == 200) }
            try await eventually("they arrive") {
                Set(deals.records.map(\.key)) == Set(portals.map { PortalScene.key($0, deal: 1) })
            }
            // An administrator installs it again, and the first replica comes back.
            try await scene.replicas[0].startAndListen()
            for portal in late.union([lost]) { try await scene.install(portal, at: scene.replicas[1].port) }
            try await scene.waitForStates(["connected": count])
            Campaign.report(
                "owner killed in a refresh",
                "\(count) portals, \(late.count) exchanged unseen and 1 answer lost, which need authorisation; the other "
                    + "replica took over after \(takeover); all connected again when they were installed again"
            )
        }
    }

    @Test func `in a binding: every portal is bound by the other replica, nothing twice`() async throws {
        let count = Campaign.pick(short: 8, full: 40)
        try await Self.with(portals: count) { scene in
            let portals = scene.portals.portals
            for (index, portal) in portals.enumerated() {
                // Bound, and nobody learns of it; or not bound; or not even asked what is bound already.
                switch index % 4 {
                case 0: try await scene.portals.inject("slow", portal, method: "batch", seconds: Self.never)
                case 1: try await scene.portals.inject("dropped", portal, method: "batch")
                case 2: try await scene.portals.inject("slow", portal, method: "event.get", seconds: Self.never)
                default: break
                }
                try await scene.install(portal, at: scene.replicas[index % 2].port)
            }
            let held = portals.indices.filter { $0 % 4 == 0 || $0 % 4 == 2 }.map { portals[$0] }
            // The owner does some of them at a time.
            try await eventually("bindings are under way", within: .seconds(60)) {
                let slow = Set(scene.portals.calls.filter { $0.fault == "slow" }.compactMap(\.portal))
                let known = try await scene.replicas[1].registry().states.values.reduce(0, +)
                return slow.count >= min(held.count, 12) && known == count
            }
            let takeover = try await Self.killOwner(&scene)
            try await scene.waitForStates(["connected": count])
            for bindings in try await scene.portals.bindings() {
                #expect(Set(bindings).count == bindings.count, "\(bindings)")
                #expect(
                    bindings.contains { $0.hasPrefix("ONCRMDEALUPDATE ") }
                        && bindings.contains { $0.hasPrefix("ONAPPUNINSTALL ") }
                )
            }
            for portal in portals { #expect(try await scene.portals.change(deal: 1, of: portal) == 200) }
            Campaign.report(
                "owner killed in a binding",
                "\(count) portals, \(held.count) in the middle of it; the other replica took over after \(takeover); "
                    + "all connected, nothing bound twice"
            )
        }
    }

    @Test func `in an installation: what was answered 200 is verified after the next start`() async throws {
        let rounds = Campaign.pick(short: 5, full: 40)
        try await Self.with(portals: rounds + 2) { scene in
            let apps = RecordReader(scene.prefix + "app", at: scene.servers)
            defer { apps.stop() }
            let portals = scene.portals.portals
            // Its access token is being looked at when the replica ends, which is known for sure.
            for portal in portals.prefix(2) {
                try await scene.portals.inject("slow", portal, method: "oauth/app.info", seconds: Self.never)
                try await scene.install(portal, at: scene.replicas[0].port)
            }
            try await eventually("they are being verified") {
                portals.prefix(2).allSatisfy { !scene.portals.calls("oauth/app.info", of: $0).isEmpty }
            }
            try await scene.replicas[0].kill()
            // Wherever it is by then.
            for portal in portals.dropFirst(2) {
                try await scene.replicas[0].startAndListen()
                try await scene.install(portal, at: scene.replicas[0].port)
                try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
                try await scene.replicas[0].kill()
            }
            let registered = try await scene.rows().count
            try await scene.replicas[0].startAndListen()
            try await scene.waitForStates(["connected": portals.count])
            #expect(try await scene.replicas[0].callsToVerify() == 0)
            // The event of each as well, and it is one and the same however often it was sent.
            try await eventually("each ONAPPINSTALL arrives") {
                Set(apps.records.map { $0.key.prefix { $0 != "/" } }).count == portals.count
            }
            #expect(Set(apps.records.map(\.id)).count == portals.count)
            Campaign.report(
                "replica killed in an installation",
                "\(rounds + 1) kills, \(portals.count) installations answered 200, \(portals.count - registered) of them not "
                    + "known to anybody when it was started again; all connected, each published under one id"
            )
        }
    }
}
