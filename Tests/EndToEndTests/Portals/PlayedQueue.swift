import Crypto
import Foundation
import Testing

/// What a portal's queue of offline events has made, as the stand-in tells it.
struct PlayedQueue: Decodable {
    struct Counts: Decodable {
        let portal: String
        let made: Int
        let waiting: Int
        let reserved: Int
        let marked: Int
        let cleared: Int
        let removed: Int
    }

    struct Row {
        let id: Int
        /// Unix seconds of its TIMESTAMP_X as it was handed out last; `nil`: it never was.
        let time: Int?
        let isCleared: Bool
    }

    let portal: String
    let rows: [Row]

    private enum CodingKeys: String, CodingKey { case portal, columns, rows }

    private enum Cell: Decodable {
        case number(Int)
        case flag(Bool)
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .other
            }
        }

        var number: Int? { if case .number(let number) = self { number } else { nil } }
        var flag: Bool { if case .flag(true) = self { true } else { false } }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        portal = try container.decode(String.self, forKey: .portal)
        let columns = try container.decode([String].self, forKey: .columns)
        func place(_ name: String) throws -> Int { try #require(columns.firstIndex(of: name), "\(name)") }
        let (id, time, cleared) = (try place("id"), try place("time"), try place("cleared"))
        rows = try container.decode([[Cell]].self, forKey: .rows).map { cells in
            Row(id: try #require(cells[id].number), time: cells[time].number, isCleared: cells[cleared].flag)
        }
    }

    /// The ids of the rows' envelopes, made here by another hand: "derived from the portal, the row and its time of change", as
    /// README has it under "Offline events", by UUIDs of version 5 (RFC 9562, 5.5) whose name is `<member_id>/<row>/<seconds>`.
    func envelopeIDs() throws -> [UUID] {
        try rows.map { row in
            let time = try #require(row.time, "row \(row.id) was handed out")
            let name = "\(portal)/\(row.id)/\(time)"
            let namespace = try #require(UUID(uuidString: "c2d16e0b-7a94-4f3c-9b5e-31f8d60a47c1"))
            var hash = Insecure.SHA1()
            withUnsafeBytes(of: namespace.uuid) { hash.update(bufferPointer: $0) }
            hash.update(data: Data(name.utf8))
            var bytes = Array(hash.finalize().prefix(16))
            bytes[6] = bytes[6] & 0x0F | 0x50
            bytes[8] = bytes[8] & 0x3F | 0x80
            return NSUUID(uuidBytes: bytes) as UUID
        }
    }
}

extension PlayedPortals {
    /// Of each portal's queue.
    func queues() async throws -> [PlayedQueue.Counts] {
        let body = try await httpRequest("GET", "/control/offline?portal=all", port: port).body
        return try JSONDecoder().decode([PlayedQueue.Counts].self, from: Data(body.utf8))
    }

    func queue(of portal: String) async throws -> PlayedQueue {
        let body = try await httpRequest("GET", "/control/offline?portal=\(portal)", port: port).body
        return try JSONDecoder().decode(PlayedQueue.self, from: Data(body.utf8))
    }

    /// Deals change whose events are bound offline.
    func addRows(_ count: Int, _ portal: String = "all", isSignalled: Bool = true) async throws {
        try await control(
            "offline",
            portal,
            [("count", "\(count)"), ("code", "ONCRMDEALUPDATE"), ("signal", isSignalled ? "Y" : "N")]
        )
    }

    /// Waits until every row that was ever made is cleared.
    func waitUntilDrained(
        within limit: Duration,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ words: () -> String
    ) async throws {
        var left: [PlayedQueue.Counts] = []
        do {
            try await eventually("the queues are empty", within: limit, sourceLocation: sourceLocation) {
                left = try await queues().filter { $0.cleared < $0.made }
                if !left.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
                return left.isEmpty
            }
        } catch {
            Issue.record("\(left.count) portals, as \(left.prefix(5)); \(words())", sourceLocation: sourceLocation)
            throw error
        }
    }
}
