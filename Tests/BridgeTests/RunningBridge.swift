import Bitrix24
import Foundation
import Journal
import KafkaClient
import Locks
import NIOCore
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing

@testable import Bridge

/// A whole bridge in this process: real listener, journal, producer.
final class RunningBridge: Sendable {
    let port: Int
    let adminPort: Int
    let bridge: BridgeServices
    let registry: MetricsRegistry
    let logs: LogLines
    let topicPrefix: String
    /// Kept as long as the bridge runs.
    private let directory: TemporaryDirectory
    private let records: Records
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    private final class Records: Sendable {
        let all = Guarded<[Delivered]>([])
    }

    static let portals = PortalDirectory([
        Portal(
            memberID: memberID,
            domain: "some-domain.bitrix24.com",
            applicationTokens: [
                TokenDigest(token: Array(token.utf8)),
                TokenDigest(token: Array("c917d38f6bdb84e9d9e0bfe9d585be73".utf8)),
            ],
            webhookTokens: [TokenDigest(token: Array(webhookToken.utf8))]
        ),
        Portal(
            memberID: "bac1cd5c8940947a75e0d71b1a84e348",
            domain: nil,
            applicationTokens: [TokenDigest(token: Array(token.utf8))],
            webhookTokens: [TokenDigest(token: Array(webhookToken.utf8))]
        ),
    ])

    static func settings(servers: String, directory: TemporaryDirectory, prefix: String) throws -> BridgeSettings {
        var settings = BridgeSettings(
            topic: try TopicTemplate("\(prefix).{entity}"),
            key: try KeyTemplate(KeyTemplate.defaultText),
            replica: "test-0"
        )
        settings.http.host = "127.0.0.1"
        settings.http.port = 0
        settings.http.eventLoops = 1
        settings.admin.port = 0
        settings.kafka.bootstrapServers = servers
        settings.kafka.deadLetterTopic = "\(prefix).dead-letter"
        settings.kafka.properties = ["linger.ms": "0", "topic.metadata.propagation.max.ms": "300"]
        settings.journal.directory = directory.path + "/journal"
        settings.journal.maxBytes = 64 << 20
        settings.portalsFile = ""
        settings.shutdownTimeout = .seconds(5)
        return settings
    }

    /// Starts one and waits until it takes events.
    static func start(
        servers: String? = nil,
        directory: TemporaryDirectory,
        prefix: String = "b\(UUID().uuidString.prefix(8).lowercased())",
        portals: PortalDirectory = RunningBridge.portals,
        environment: [String: String] = [:],
        fileSystem: any FileSystem = POSIXFileSystem(),
        adjust: (inout BridgeSettings) throws -> Void = { _ in },
        surround: (inout BridgeServices.Surroundings) -> Void = { _ in }
    ) async throws -> RunningBridge {
        var settings = try settings(servers: servers ?? Kafka.servers, directory: directory, prefix: prefix)
        try adjust(&settings)
        let registry = MetricsRegistry()
        let logs = LogLines()
        let records = Records()
        let (ports, feed) = AsyncStream.makeStream(of: (name: String, port: Int).self)
        var surroundings = BridgeServices.Surroundings(
            version: "test",
            environment: environment,
            metrics: registry,
            renderMetrics: { registry.render() },
            logger: logs.logger
        )
        surroundings.fileSystem = fileSystem
        surroundings.didBind = { feed.yield((name: $0, port: $1.port ?? 0)) }
        surroundings.didDeliver = { report in
            var headers: [String: String] = [:]
            report.forEachHeader {
                headers[String(decoding: $0.name, as: UTF8.self)] = String(decoding: $0.value, as: UTF8.self)
            }
            let record = Delivered(
                topic: report.topicName,
                key: String(decoding: report.key, as: UTF8.self),
                value: String(decoding: report.value, as: UTF8.self),
                headers: headers
            )
            records.all.withLock { $0.append(record) }
        }
        surround(&surroundings)
        let bridge = try BridgeServices(settings, portals: portals, surroundings)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: bridge.services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                logger: logs.logger
            )
        )
        let task = Task {
            defer { feed.finish() }
            try await group.run()
        }
        var bound: [String: Int] = [:]
        for await (name, port) in ports {
            bound[name] = port
            if bound.count == 2 { break }
        }
        guard let port = bound["events"], let admin = bound["admin"] else {
            try await task.value
            throw WaitingEnded()
        }
        return RunningBridge(port, admin, bridge, registry, logs, prefix, directory, records, group, task)
    }

    private init(
        _ port: Int,
        _ adminPort: Int,
        _ bridge: BridgeServices,
        _ registry: MetricsRegistry,
        _ logs: LogLines,
        _ topicPrefix: String,
        _ directory: TemporaryDirectory,
        _ records: Records,
        _ group: ServiceGroup,
        _ task: Task<Void, any Error>
    ) {
        self.port = port
        self.adminPort = adminPort
        self.bridge = bridge
        self.registry = registry
        self.logs = logs
        self.topicPrefix = topicPrefix
        self.directory = directory
        self.records = records
        self.group = group
        self.task = task
    }

    /// Runs one, and ends it however the test goes.
    static func with<Value>(
        servers: String? = nil,
        directory: TemporaryDirectory? = nil,
        prefix: String = "b\(UUID().uuidString.prefix(8).lowercased())",
        portals: PortalDirectory = RunningBridge.portals,
        environment: [String: String] = [:],
        fileSystem: any FileSystem = POSIXFileSystem(),
        adjust: (inout BridgeSettings) throws -> Void = { _ in },
        surround: (inout BridgeServices.Surroundings) -> Void = { _ in },
        _ body: (RunningBridge) async throws -> Value
    ) async throws -> Value {
        let running = try await start(
            servers: servers,
            directory: directory ?? TemporaryDirectory(),
            prefix: prefix,
            portals: portals,
            environment: environment,
            fileSystem: fileSystem,
            adjust: adjust,
            surround: surround
        )
        do {
            let value = try await body(running)
            try await running.stop()
            return value
        } catch {
            try? await running.abandon()
            throw error
        }
    }

    /// As SIGTERM does.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }

    func beginStop() async { await group.triggerGracefulShutdown() }

    var ended: Void {
        get async throws { try await task.value }
    }

    /// Ends it without delivering anything more.
    func abandon() async throws {
        task.cancel()
        _ = await task.result
    }

    // MARK: What it did

    var delivered: [Delivered] { records.all.withLock { $0 } }

    func delivered(to entity: String) -> [Delivered] {
        delivered.filter { $0.topic == "\(topicPrefix).\(entity)" }
    }

    func metric(_ name: String, _ dimensions: [(String, String)] = []) -> Int {
        Int(registry.value("b24bridge_" + name, dimensions) ?? 0)
    }

    var answers: Int {
        (BridgeMetrics.statuses.map { "\($0)" } + ["other"]).reduce(0) {
            $0 + metric("answers_total", [("status", $1)])
        }
    }

    func status() async throws -> StatusReport {
        try JSONDecoder().decode(StatusReport.self, from: Data(try await get("/status").body.utf8))
    }

    func get(_ path: String) async throws -> Reply {
        try await blocking { [adminPort] in try HTTPClient(port: adminPort).request("GET", path) }
    }

    /// At rest, both sums of the metrics must hold.
    func expectSums(_ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        var left = 0
        var right = -1
        for _ in 0..<200 where left != right {
            _ = try await get("/metrics")
            left = metric("records_committed_total") + metric("records_recovered_total")
            right =
                metric("records_delivered_total") + metric("records_waiting") + metric("records_parked")
                + metric("records_unreadable_total")
            if left != right { try await Task.sleep(for: .milliseconds(20)) }
        }
        #expect(
            left == right,
            "committed + recovered = delivered + waiting + parked + unreadable",
            sourceLocation: sourceLocation
        )
        #expect(metric("requests_total") == answers, "requests = answers", sourceLocation: sourceLocation)
    }

    // MARK: What it is asked

    func post(_ body: String, path: String = "/b24/events", headers: [String: String] = [:]) async throws -> Reply {
        try await blocking { [port] in try HTTPClient(port: port).request("POST", path, headers, body: body) }
    }

    /// Posts one after the other on one connection.
    func post(all bodies: [String]) async throws -> [Int] {
        try await blocking { [port] in
            let client = try HTTPClient(port: port)
            return try bodies.map { try client.request("POST", "/b24/events", body: $0).status }
        }
    }

    /// Posts events and expects each to be taken.
    func take(_ bodies: [String], _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let statuses = try await post(all: bodies)
        #expect(statuses.allSatisfy { $0 == 200 }, "\(statuses)", sourceLocation: sourceLocation)
    }

    func waitForDelivery(of count: Int, to entity: String, _ sourceLocation: SourceLocation = #_sourceLocation)
        async throws
    {
        try await wait(
            for: "\(count) records of \(entity); there are \(delivered(to: entity).count); \(logs.lines.suffix(5))",
            sourceLocation: sourceLocation
        ) {
            delivered(to: entity).count >= count
        }
    }
}
