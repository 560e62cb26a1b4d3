import Foundation
import Testing

/// A cluster, portals, and replicas that serve them together.
struct PortalScene {
    let cluster: Cluster
    let portals: PlayedPortals
    var replicas: [Replica]
    /// First part of the topics' names.
    let prefix: String

    var dealTopic: String { prefix + "crm.deal" }
    var servers: String { cluster.servers }

    /// Runs `body` with replicas that do not run yet. The portals' events go to the replica whose index is `handler`.
    static func with(
        portals count: Int,
        replicas: Int,
        handler: Int = 0,
        subscriptions: [String: Any] = [:],
        settings: [String: Any] = [:],
        _ body: (inout PortalScene) async throws -> Void
    ) async throws {
        let prefix = "e2e-\(UUID().uuidString.prefix(8).lowercased())."
        // The in-process cluster answers nobody who creates topics, and makes them with several partitions by itself.
        let cluster = try Cluster(topics: [prefix + "portals"])
        let portals = try await PlayedPortals(portals: count)
        var scene = PortalScene(cluster: cluster, portals: portals, replicas: [], prefix: prefix)
        for index in 0..<replicas { try scene.add("replica-\(index)", subscriptions, settings) }
        for index in 0..<replicas { try scene.direct(scene.replicas[index], to: scene.replicas[handler].port, index) }
        // What is seen with a cluster that has ended says nothing of the bridge.
        try await withKnownIssue("librdkafka's cluster aborted", isIntermittent: true) {
            do {
                try await body(&scene)
            } catch {
                // A client may notice it sooner than the test.
                try? await Task.sleep(for: .milliseconds(500))
                throw error
            }
        } matching: { _ in
            cluster.fault != nil
        }
        if let fault = cluster.fault { Campaign.report("not judged", "\(fault.prefix(200))") }
    }

    private mutating func add(
        _ name: String,
        _ subscriptions: [String: Any],
        _ settings: [String: Any]
    ) throws {
        var setup = try Setup(servers: servers)
        setup.settings["kafka"] = [
            "topic": prefix + "{entity}", "deadLetterTopic": prefix + "dead-letter",
            "registryTopic": prefix + "portals",
            // Taking a broker off can leave a connection open and unanswered; librdkafka gives it up after this time.
            "properties": ["socket.timeout.ms": "5000"],
        ]
        setup.settings["portals"] = ["file": ""]
        setup.settings["subscriptions"] = ["online": ["crm.deal"]].merging(subscriptions) { _, new in new }
        setup.settings["secrets"] = ["key": Data((0..<32).map { UInt8($0) }).base64EncodedString()]
        setup.settings["application"] = [
            "clientId": PlayedPortals.clientID, "clientSecret": PlayedPortals.clientSecret,
            "standIn": portals.address,
        ]
        setup.settings.merge(settings) { _, new in new }
        replicas.append(try Replica(name, setup))
    }

    /// Where the portals are told to send their events, as behind a load balancer that has chosen one replica.
    private mutating func direct(_ replica: Replica, to port: Int, _ index: Int) throws {
        var application = replica.setup.settings["application"] as? [String: Any] ?? [:]
        application["publicURL"] = "http://127.0.0.1:\(port)"
        replicas[index].setup.settings["application"] = application
        try replicas[index].setup.write()
    }

    // MARK: Portals

    /// What `portals list --json` says of each portal.
    struct Row: Decodable {
        let memberID: String
        let state: String
        let error: String?
    }

    func rows(sourceLocation: SourceLocation = #_sourceLocation) async throws -> [String: Row] {
        let words = ["portals", "list", "--json", "--config", replicas[0].configuration]
        let result = try await runBridge(words, sourceLocation: sourceLocation)
        #expect(result.end == .exit(0), "\(result.errors)", sourceLocation: sourceLocation)
        let rows = try result.outputLines.map { try JSONDecoder().decode(Row.self, from: Data($0.utf8)) }
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.memberID, $0) })
    }

    /// Waits until every replica that runs counts so many portals in each state.
    func waitForStates(
        _ expected: [String: Int],
        within limit: Duration = .seconds(60),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var seen: [String] = []
        do {
            try await eventually("\(expected)", within: limit, sourceLocation: sourceLocation) {
                seen = []
                var isSo = true
                for replica in replicas where replica.isRunning {
                    let registry = try await replica.registry()
                    seen.append("\(replica.name) \(registry.states)\(registry.owner ? " owner" : "")")
                    if registry.states.filter({ $0.value > 0 }) != expected { isSo = false }
                }
                return isSo
            }
        } catch {
            let rows = try await rows().values.map { "\($0.memberID) \($0.state) \($0.error ?? "")" }.sorted()
            let logs = replicas.compactMap { $0.bridge?.program.standardError.suffix(3000) }
            Issue.record("\(seen); \(rows); \(logs.joined(separator: "\n---\n"))", sourceLocation: sourceLocation)
            throw error
        }
    }

    /// The replica that does the REST work, as soon as there is exactly one.
    func owner(sourceLocation: SourceLocation = #_sourceLocation) async throws -> Int {
        try await eventually("one replica owns the REST work", within: .seconds(40), sourceLocation: sourceLocation) {
            var owners: [Int] = []
            for index in replicas.indices where replicas[index].isRunning {
                if try await replicas[index].registry().owner { owners.append(index) }
            }
            return owners.count == 1 ? owners[0] : nil
        }
    }

    /// Installs it, as often as there is no answer, as people do.
    func install(_ portal: String, at port: Int, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let status = try await portals.install(portal, at: port)
        #expect(status == 200, "\(portal)", sourceLocation: sourceLocation)
    }

    /// The key of a deal's records.
    static func key(_ portal: String, deal id: Int) -> String { "\(portal)/crm.deal/\(id)" }
}
