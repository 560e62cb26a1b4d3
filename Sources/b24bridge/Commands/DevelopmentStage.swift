import ArgumentParser
import Bitrix24
import Bridge
import Configuration
import Foundation
import KafkaClient
import Locks
import NIOCore
import Synchronization
import Telemetry

/// What `serve --dev` brings along: a cluster in this process, a temporary journal, one sample portal.
struct DevelopmentStage {
    static let memberID = "a223c6b3710f85df22e9377d6c4f7553"
    static let token = "51856fefc120afa4b628cc82d3935cce"

    private let cluster: MockCluster
    private let directory: URL
    /// Like log lines, records are printed by a thread of their own: an output that nobody reads delays no delivery.
    private let output = LogOutput(descriptor: STDOUT_FILENO, format: .text, capacityBytes: 8 << 20)

    init() throws {
        cluster = try MockCluster()
        directory = FileManager.default.temporaryDirectory.appending(path: "b24bridge-dev-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    }

    private static let registryTopic = "bitrix24.bridge.portals"

    /// Defaults, with what is brought along; B24_ variables still count, so that a port can be chosen.
    func configuration() throws -> LoadedConfiguration {
        let portals = directory.appending(path: "portals.yaml")
        let text = """
            portals:
              - memberId: \(Self.memberID)
                domain: portal.bitrix24.com
                applicationTokens: [\(Self.token)]

            """
        try Data(text.utf8).write(to: portals)
        let loaded = try LoadedConfiguration.load(
            ConfigurationOptions.parse([]),
            overrides: [
                "B24_KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrapServers, "B24_KAFKA_REGISTRY_TOPIC": Self.registryTopic,
                "B24_JOURNAL_DIRECTORY": directory.appending(path: "journal").path, "B24_PORTALS_FILE": portals.path,
            ]
        )
        // With an application there is a registry of portals. Its topic has one partition; this cluster does not answer those
        // who create topics, and makes them with four by itself.
        if loaded.settings.keepsRegistry { try cluster.createTopic(loaded.settings.kafka.registryTopic) }
        return loaded
    }

    func attach(to surroundings: inout BridgeServices.Surroundings, path: String) {
        let servers = cluster.bootstrapServers
        let output = output
        let ports = BoundPorts()
        surroundings.didDeliver = { report in output.write(Array(DeliveredRecordText.pretty(report).utf8)) }
        surroundings.didBind = { name, address in
            guard let port = address.port, let all = ports.add(port, of: name) else { return }
            let text = Self.welcome(events: "http://127.0.0.1:\(all.events)\(path)", admin: all.admin, servers: servers)
            output.write(Array(text.utf8))
        }
    }

    func remove() {
        output.close(within: .seconds(2))
        cluster.close()
        try? FileManager.default.removeItem(at: directory)
    }

    private static func welcome(events: String, admin: Int, servers: String) -> String {
        let body =
            "event=ONCRMDEALUPDATE&event_handler_id=123&data[FIELDS][ID]=4711&ts=1466439714"
            + "&auth[domain]=portal.bitrix24.com&auth[member_id]=\(memberID)&auth[application_token]=\(token)"
        return """
            b24bridge is running. Send it an event from another terminal:

              curl -i '\(events)' -d '\(body)'

            Each record appears here as it is delivered. Read the topic with any Kafka client as well:

              kcat -C -b \(servers) -t bitrix24.crm.deal

            Send it a thousand events, and see whether all of them arrive:

              b24bridge simulate events --verify --url \(events) --bootstrap-servers \(servers)

            Status: http://127.0.0.1:\(admin)/
            Stop:   Ctrl-C


            """
    }
}

/// The ports of the two listeners, which bind in any order.
private final class BoundPorts: Sendable {
    private let ports = Guarded<[String: Int]>([:])

    /// - Returns: both, once the second is there.
    func add(_ port: Int, of listener: String) -> (events: Int, admin: Int)? {
        ports.withLock { ports in
            ports[listener] = port
            guard let events = ports["events"], let admin = ports["admin"] else { return nil }
            return (events, admin)
        }
    }
}
