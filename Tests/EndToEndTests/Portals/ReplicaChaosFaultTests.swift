import Foundation
import Testing

/// Many portals install the application while replicas are killed and started again, tokens expire, and Bitrix24 has a bad day.
@Suite struct ReplicaChaosFaultTests {
    @Test func `no installation and no event is lost, and every portal ends in a state that is plain`() async throws {
        let count = Campaign.pick(short: 12, full: 60)
        let rounds = Campaign.pick(short: 10, full: 60)
        let subscriptions = ["reconcileEvery": "2s"]
        try await PortalScene.with(portals: count + 1, replicas: 2, subscriptions: subscriptions) { scene in
            for index in scene.replicas.indices { try await scene.replicas[index].startAndListen() }
            // Whose events come all the while, at both replicas.
            let admitted = scene.portals.portals[0]
            try await scene.install(admitted, at: scene.replicas[0].port)
            try await scene.waitForStates(["connected": 1])
            let oracles = try await Self.startOracles(scene, admitted)

            var chaos = Chaos(waiting: Set(scene.portals.portals.dropFirst()))
            for _ in 0..<rounds { try await chaos.round(&scene) }
            for index in scene.replicas.indices where !scene.replicas[index].isRunning {
                try await scene.replicas[index].startAndListen()
            }
            // Who got no answer tries again, as people do.
            try await scene.portals.control("clear", "all")
            for portal in chaos.stillWaiting(scene) { try await scene.install(portal, at: scene.replicas[1].port) }

            var needy: Set<String> = []
            try await eventually("every portal ends; \(scene.logs())", within: .seconds(90)) {
                let rows = try await scene.rows()
                needy = Set(rows.values.filter { $0.state == "needs-authorization" }.map(\.memberID))
                let states = Set(rows.values.map(\.state))
                return rows.count == count + 1 && states.isSubset(of: ["connected", "needs-authorization"])
            }
            let interrupted = scene.portals.exchanges(interruptedBy: chaos.kills)
            #expect(needy.isSubset(of: interrupted), "only those whose exchange of tokens was interrupted")
            for portal in needy { try await scene.install(portal, at: scene.replicas[0].port) }
            try await scene.waitForStates(["connected": count + 1])

            var figures: [String] = []
            for (index, (oracle, setup)) in oracles.enumerated() {
                _ = setup
                oracle.stopSending()
                let report = try await oracle.verdict("chaos, replica \(index)")
                // So that a run that tests nothing does not count.
                #expect(report.acknowledged > rounds * 5)
                figures.append(report.figures)
            }
            for index in scene.replicas.indices { try await scene.replicas[index].stop() }
            Campaign.report(
                "replicas killed while portals install",
                "\(chaos.kills.count) kills, \(count) portals, \(chaos.installs) installations of which \(scene.portals.answeredInstalls) "
                    + "were answered 200; \(needy.count) needed authorisation, all connected in the end; replica 0: "
                    + "\(figures[0]); replica 1: \(figures[1])"
            )
        }
    }

    /// With their configurations, which are there for as long as these are.
    private static func startOracles(_ scene: PortalScene, _ portal: String) async throws -> [(Oracle, Setup)] {
        let token = try await scene.portals.applicationToken(of: portal)
        return try scene.replicas.map { replica in
            var setup = try Setup(servers: scene.servers)
            setup.settings["kafka"] = [
                "topic": scene.prefix + "{entity}", "deadLetterTopic": scene.prefix + "dead-letter",
            ]
            try setup.folder.write(
                "portals:\n  - memberId: \(portal)\n    applicationTokens: [\(token)]\n",
                to: "portals.yaml"
            )
            let pace = ["--hold", "--rate", "50", "--connections", "4"]
            return (try Oracle.start(setup, port: replica.port, pace), setup)
        }
    }
}

/// What happens, by chance.
private struct Chaos {
    /// Portals whose installation nobody answered with 200 so far.
    var waiting: Set<String>
    /// When replicas were killed.
    var kills: [Date] = []
    var installs = 0

    init(waiting: Set<String>) { self.waiting = waiting }

    mutating func round(_ scene: inout PortalScene) async throws {
        let victim = Int.random(in: scene.replicas.indices)
        try await play(scene)
        waiting = stillWaiting(scene)
        for portal in waiting.shuffled().prefix(.random(in: 1...4)) {
            let url = "http://127.0.0.1:\(scene.replicas.randomElement()?.port ?? 0)/b24/install"
            try await scene.portals.control("install", portal, [("url", url)])
            installs += 1
        }
        // Long enough for an owner to be there now and then: a replica is known to be dead after 6 s only.
        let longest = [100, 2000, Campaign.pick(short: 5000, full: 15_000)].randomElement() ?? 0
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...longest)))
        try await kill(victim, &scene)
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...500)))
        if Int.random(in: 0..<4) == 0 {
            // In the middle of a start.
            try scene.replicas[victim].start()
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...150)))
            try await kill(victim, &scene)
        }
        try await scene.replicas[victim].startAndListen()
    }

    private mutating func kill(_ victim: Int, _ scene: inout PortalScene) async throws {
        try await scene.replicas[victim].kill()
        kills.append(Date())
    }

    /// Bitrix24's part in it.
    private func play(_ scene: PortalScene) async throws {
        let portals = scene.portals
        func any() -> String { portals.portals.dropFirst().randomElement() ?? "" }
        switch Int.random(in: 0..<6) {
        case 0: try await portals.inject("slow", any(), method: "oauth/app.info", seconds: 2)
        case 1: try await portals.inject("slow", any(), method: "batch", seconds: 2)
        case 2: try await portals.inject("dropped", any(), method: "batch")
        case 3: try await portals.inject("query-limit", any(), method: "event.get", times: 2)
        case 4: try await portals.inject("bad-gateway", any(), method: "oauth/app.info")
        default: break
        }
        // An hour passes for some, whose next call exchanges their tokens.
        let bound = Set(portals.calls.filter { $0.method == "batch" && $0.status == 200 }.compactMap(\.portal))
        for portal in Set((0..<3).map { _ in any() }).intersection(bound) {
            try await portals.control("expire", portal, [("tokens", "access")])
        }
    }

    func stillWaiting(_ scene: PortalScene) -> Set<String> {
        let answered = scene.portals.deliveries.filter { $0.event == "ONAPPINSTALL" && $0.status == 200 }
        return waiting.subtracting(answered.map(\.portal))
    }
}

extension PlayedPortals {
    /// Installations that the bridge has taken.
    fileprivate var answeredInstalls: Int {
        deliveries.count { $0.event == "ONAPPINSTALL" && $0.status == 200 }
    }

    /// Portals of which tokens were exchanged so shortly before a replica was killed that it may not have stored them.
    fileprivate func exchanges(interruptedBy kills: [Date]) -> Set<String> {
        let exchanges = calls.filter { $0.method == "oauth/token" && $0.status == 200 }
        return Set(
            exchanges.filter { exchange in
                kills.contains { (-0.5...5).contains($0.timeIntervalSince(exchange.at)) }
            }
            .compactMap(\.portal)
        )
    }
}

extension PortalScene {
    fileprivate func logs() -> String {
        replicas.compactMap { $0.bridge.map { String($0.program.standardError.suffix(3000)) } }
            .joined(separator: "\n---\n")
    }
}
