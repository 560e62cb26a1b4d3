import Foundation
import Locks
import Synchronization
import Testing

/// `b24bridge simulate portal` as a process of its own: Bitrix24 for the bridges under test. It ends with its last reference.
final class PlayedPortals: Sendable {
    static let clientID = "local.test.app"
    static let clientSecret = "client-secret-of-the-test"

    struct Call: Decodable, Sendable {
        let number: Int
        let at: Date
        let portal: String?
        let method: String
        let status: Int
        let error: String?
        /// What was injected and took effect.
        let fault: String?
    }

    struct Delivery: Decodable, Sendable {
        let number: Int
        let portal: String
        let event: String
        /// `nil`: no answer.
        let status: Int?
    }

    private struct Started: Decodable {
        struct Portal: Decodable { let memberID: String }

        let address: String
        let portals: [Portal]
    }

    private struct Kind: Decodable { let kind: String }

    private struct Notes {
        var offset: UInt64 = 0
        var calls: [Call] = []
        var deliveries: [Delivery] = []
    }

    let program: RunningProgram
    let address: String
    let port: Int
    /// In the order of their numbers, which begin at 1.
    let portals: [String]
    private let notes = Guarded(Notes())

    init(portals count: Int) async throws {
        let program = try RunningProgram(
            BuiltProducts.bridge,
            [
                "simulate", "portal", "--port", "0", "--json", "--portals", "\(count)", "--client-id", Self.clientID,
                "--client-secret", Self.clientSecret,
            ]
        )
        self.program = program
        let started: Started = try await eventually("the portals are there; \(program.standardError)") {
            guard let line = program.standardOutput.split(separator: "\n").first else { return nil }
            return try? JSONDecoder().decode(Started.self, from: Data(line.utf8))
        }
        address = started.address
        port = try #require(URLComponents(string: address)?.port)
        portals = started.portals.map(\.memberID)
    }

    // MARK: What has happened

    var calls: [Call] { read { $0.calls } }
    var deliveries: [Delivery] { read { $0.deliveries } }

    func calls(_ method: String, of portal: String) -> [Call] {
        calls.filter { $0.method == method && $0.portal == portal }
    }

    /// Reads the lines that were printed since.
    private func read<Value>(_ body: (Notes) -> Value) -> Value {
        notes.withLock { notes in
            let path = program.folder.file("stdout")
            guard let file = FileHandle(forReadingAtPath: path), (try? file.seek(toOffset: notes.offset)) != nil,
                let data = try? file.readToEnd(), let end = data.lastIndex(of: UInt8(ascii: "\n"))
            else { return body(notes) }
            notes.offset += UInt64(end + 1)
            let decoder = JSONDecoder()
            decoder.dateDecodingStrategy = .custom { decoder in
                try Date(String(from: decoder), strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            }
            for line in data[..<end].split(separator: UInt8(ascii: "\n")) {
                switch (try? decoder.decode(Kind.self, from: line))?.kind {
                case "call": (try? decoder.decode(Call.self, from: line)).map { notes.calls.append($0) }
                case "delivery": (try? decoder.decode(Delivery.self, from: line)).map { notes.deliveries.append($0) }
                default: break
                }
            }
            return body(notes)
        }
    }

    // MARK: What people do there

    @discardableResult
    func control(
        _ verb: String,
        _ portal: String,
        _ parameters: [(String, String)] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        var query = URLComponents()
        query.queryItems = ([("portal", portal)] + parameters).map { URLQueryItem(name: $0.0, value: $0.1) }
        let target = "/control/\(verb)?\(query.percentEncodedQuery ?? "")"
        let answer = try await httpRequest("POST", target, port: port)
        #expect(answer.status == 200, "\(target): \(answer.body)", sourceLocation: sourceLocation)
        return answer.body
    }

    /// The application is installed, and the portal tells the bridge at `port`.
    ///
    /// - Returns: the status of the answer; `nil`: there was none.
    func install(_ portal: String, at port: Int) async throws -> Int? {
        try await posted("ONAPPINSTALL", of: portal) {
            try await control("install", portal, [("url", "http://127.0.0.1:\(port)/b24/install")])
        }
    }

    /// A deal changes.
    ///
    /// - Returns: the status of the answer to its event; `nil`: there was none.
    func change(deal id: Int, of portal: String) async throws -> Int? {
        try await posted("ONCRMDEALUPDATE", of: portal) {
            try await control("event", portal, [("code", "ONCRMDEALUPDATE"), ("id", "\(id)")])
        }
    }

    func uninstall(_ portal: String) async throws -> Int? {
        try await posted("ONAPPUNINSTALL", of: portal) { try await control("uninstall", portal) }
    }

    private func posted(_ event: String, of portal: String, _ act: () async throws -> String) async throws -> Int? {
        let before = deliveries.count { $0.event == event && $0.portal == portal }
        _ = try await act()
        let delivery: Delivery = try await eventually("\(event) of \(portal) is posted") {
            let all = deliveries.filter { $0.event == event && $0.portal == portal }
            return all.count > before ? all.last : nil
        }
        return delivery.status
    }

    func applicationToken(of portal: String) async throws -> String {
        struct Credentials: Decodable { let application_token: String }
        let json = try await control("credentials", portal)
        return try JSONDecoder().decode(Credentials.self, from: Data(json.utf8)).application_token
    }

    /// The next calls of this method are met by a fault.
    func inject(
        _ kind: String,
        _ portal: String,
        method: String,
        times: Int = 1,
        seconds: Int? = nil
    ) async throws {
        let delay = seconds.map { [("seconds", "\($0)")] } ?? []
        try await control("fault", portal, [("kind", kind), ("method", method), ("times", "\(times)")] + delay)
    }
}

extension PlayedPortals {
    /// Event and address of each binding, portal by portal.
    func bindings() async throws -> [[String]] {
        struct Portal: Decodable {
            struct Binding: Decodable {
                let event: String
                let handler: String?
            }

            let bindings: [Binding]
        }
        let body = try await httpRequest("GET", "/control/portals", port: port).body
        return try JSONDecoder().decode([Portal].self, from: Data(body.utf8)).map { portal in
            portal.bindings.map { "\($0.event) \($0.handler ?? "offline")" }
        }
    }
}
