import Foundation
import Glibc
import Testing

/// One of several bridges of the same portals: a volume and a port of its own, which it finds again when it is started again.
struct Replica {
    let name: String
    var setup: Setup
    private let reserved: ReservedPort
    private(set) var bridge: Bridge?

    var port: Int { reserved.number }
    var isRunning: Bool { bridge != nil }
    var configuration: String { setup.folder.file("b24bridge.yaml") }

    init(_ name: String, _ setup: Setup) throws {
        self.name = name
        self.setup = setup
        reserved = try ReservedPort()
        self.setup.settings["replica"] = name
        self.setup.settings["http"] = ["port": reserved.number]
        try self.setup.write()
    }

    mutating func start() throws { bridge = try setup.start() }

    /// Waits until it takes events.
    mutating func startAndListen(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try start()
        _ = try await bridge?.port(sourceLocation: sourceLocation)
        let admin = try await running.port("admin")
        var obstacles = ""
        do {
            try await eventually("\(name) is ready", within: .seconds(60), sourceLocation: sourceLocation) {
                let answer = try await httpRequest("GET", "/readyz", port: admin)
                obstacles = answer.body
                return answer.status == 200
            }
        } catch {
            Issue.record("\(obstacles) \(try running.program.standardError)", sourceLocation: sourceLocation)
            throw error
        }
    }

    mutating func kill() async throws {
        try await bridge?.program.killAtOnce()
        bridge = nil
    }

    mutating func stop(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await bridge?.stop(within: .seconds(40), sourceLocation: sourceLocation)
        bridge = nil
    }

    var running: Bridge {
        get throws { try #require(bridge, "\(name) runs") }
    }

    /// What `/status` says of the registry.
    struct Registry: Decodable {
        let read: Bool
        let owner: Bool
        let states: [String: Int]
        let unconfirmed: Int
        /// Absent: nothing is on its disk yet that a start without Kafka could rely on.
        let snapshotAgeSeconds: Double?
    }

    func registry() async throws -> Registry {
        struct Status: Decodable { let registry: Registry }
        let body = try await httpRequest("GET", "/status", port: try await running.port("admin")).body
        return try JSONDecoder().decode(Status.self, from: Data(body.utf8)).registry
    }

    /// Calls about installations that wait to be verified.
    func callsToVerify() async throws -> Int {
        struct Status: Decodable {
            struct Part: Decodable { let callsToVerify: Int }
            let installations: Part
        }
        let body = try await httpRequest("GET", "/status", port: try await running.port("admin")).body
        return try JSONDecoder().decode(Status.self, from: Data(body.utf8)).installations.callsToVerify
    }
}
