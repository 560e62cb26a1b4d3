import Foundation
import Testing

/// Two replicas behind a proxy, and clients that post for many portals through it, each for one portal, one event after the
/// other.
struct RolloutScene {
    private static let portals = (0..<24).map { "f00d\(String(repeating: "0", count: 26))\($0 < 10 ? "0" : "")\($0)" }

    let cluster: Cluster
    let proxy: EdgeProxy
    let load: Load
    let reader: RecordReader
    var replicas: [Replica]
    private let adminPorts: [ReservedPort]

    /// - Parameters:
    ///   - shutdownDelay: milliseconds.
    ///   - body: gets the scene when every portal's events come through.
    static func with(
        _ settings: EdgeProxy.Settings,
        shutdownDelay: Int,
        _ body: (inout RolloutScene) async throws -> Void
    ) async throws {
        let cluster = try Cluster()
        let prefix = "e2e-\(UUID().uuidString.prefix(8).lowercased())."
        let adminPorts = try (0..<2).map { _ in try ReservedPort() }
        var replicas: [Replica] = []
        for (index, admin) in adminPorts.enumerated() {
            var setup = try Setup(servers: cluster.servers)
            setup.settings["kafka"] = ["topic": prefix + "{entity}", "deadLetterTopic": prefix + "dead-letter"]
            setup.settings["admin"] = ["port": admin.number]
            setup.settings["shutdownDelay"] = "\(shutdownDelay)ms"
            let entries = portals.map { "  - {memberId: \($0), applicationTokens: [\(SampleEvent.token)]}\n" }
            try setup.folder.write("portals:\n" + entries.joined(), to: "portals.yaml")
            var replica = try Replica("bridge-\(index)", setup)
            try await replica.startAndListen()
            replicas.append(replica)
        }
        let backends = zip(replicas, adminPorts).map {
            EdgeProxy.Backend(name: $0.name, port: $0.port, adminPort: $1.number)
        }
        let proxy = try EdgeProxy(settings, before: backends)
        try await proxy.waitUntilItServes(portals.map { "/b24/events/\($0)" })
        let reader = RecordReader(prefix + "crm.deal", at: cluster.servers)
        defer { reader.stop() }
        // NGINX ends connections when it is told to read its configuration, also one on which a request is just coming.
        let load = Load(
            clients: portals.count,
            keys: portals.count,
            pause: 0.01,
            reconnects: settings.kind == .nginx,
            portals: portals
        )
        defer { load.stop() }
        load.direct(to: proxy.port)
        var scene = RolloutScene(
            cluster: cluster,
            proxy: proxy,
            load: load,
            reader: reader,
            replicas: replicas,
            adminPorts: adminPorts
        )
        try await eventually("an event of each portal arrives") { scene.homes().count == portals.count }
        try await body(&scene)
    }

    /// Waits until every client may have posted some times more.
    func moreAnswers(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let enough = load.outcome.acknowledged.count + 20 * Self.portals.count
        try await eventually("events are answered; \(proxy.log)", sourceLocation: sourceLocation) {
            load.outcome.acknowledged.count >= enough
        }
    }

    /// Which replicas the proxy has chosen for each portal, in what was posted after `earlier` and has arrived.
    func homes(after earlier: Set<String> = []) -> [String: Set<String>] {
        let later = reader.records.filter { !earlier.contains($0.number) }
        return Dictionary(grouping: later, by: \.portal).mapValues { Set($0.map(\.replica)) }
    }

    /// Waits until calls go to a replica again, and then some time more.
    func waitUntilUsed(_ index: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let name = replicas[index].name
        let earlier = load.outcome.sent
        try await eventually("\(name) gets events; \(proxy.log)", sourceLocation: sourceLocation) {
            homes(after: earlier).values.contains { $0.contains(name) }
        }
        try await moreAnswers()
    }

    /// Waits until the proxy chooses for every portal what it chose for it `before`.
    func waitUntilAllAreHome(_ before: [String: Set<String>], sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        try await eventually("every portal is back at its replica", sourceLocation: sourceLocation) {
            let earlier = load.outcome.sent
            try await moreAnswers()
            return homes(after: earlier) == before
        }
    }

    /// Ends sending, and waits until all that was answered 200 is in Kafka.
    func finish(sourceLocation: SourceLocation = #_sourceLocation) async throws -> Load.Outcome {
        load.stop()
        try await eventually("the clients end", sourceLocation: sourceLocation) { load.isFinished }
        let outcome = load.outcome
        try await eventually("all that was answered 200 is delivered", sourceLocation: sourceLocation) {
            outcome.acknowledged.isSubset(of: reader.numbers)
        }
        #expect(reader.failure == nil, sourceLocation: sourceLocation)
        return outcome
    }

    /// What is not as promised of each replica for itself, in words.
    func faults(kills: Int) -> [String] {
        replicas.flatMap { replica in
            DeliveryOrder.faults(in: reader.records.filter { $0.replica == replica.name }, kills: kills)
                .map { "\(replica.name): \($0)" }
        }
    }

    /// Events that two replicas have received, so that there are two records with two ids.
    var receivedTwice: Int {
        Dictionary(grouping: reader.records, by: \.number).values.count { Set($0.map(\.id)).count > 1 }
    }
}

extension DeliveredRecord {
    /// First half of `sequence`.
    var replica: String { String(sequence.prefix { $0 != "." }) }
    /// First part of the key.
    var portal: String { String(key.prefix { $0 != "/" }) }
}

extension Load.Outcome {
    /// Events that Bitrix24 would have posted in vain. While clients post, those under way are among them.
    var lost: Int { sent.count - acknowledged.count }
}
