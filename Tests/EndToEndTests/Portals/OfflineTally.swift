import Crypto
import Foundation
import KafkaClient
import Locks
import Synchronization
import Testing

/// What a topic got of offline rows, read while it comes: the in-process cluster keeps about 5 MiB of a partition.
final class OfflineTally: Sendable {
    private struct State {
        /// How often each id came.
        var records: [UUID: Int] = [:]
        /// Records that are not what an offline row becomes, and why.
        var wrong: [String] = []
        var failure: String?
        var isStopped = false
    }

    private let state = Guarded(State())

    init(_ topic: String, at servers: String) {
        let thread = Thread { [self] in
            do {
                try read(topic, servers)
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
        }
        thread.start()
    }

    /// How often each id came.
    var records: [UUID: Int] { state.withLock { $0.records } }
    /// Each id once.
    var count: Int { state.withLock { $0.records.count } }
    var wrong: [String] { state.withLock { $0.wrong + ($0.failure.map { [$0] } ?? []) } }

    func stop() { state.withLock { $0.isStopped = true } }

    private func read(_ topic: String, _ servers: String) throws {
        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: servers, groupID: "e2e-\(UUID())"))
        defer { consumer.close() }
        try consumer.assign(topics: [topic], timeout: .seconds(20))
        while !state.withLock({ $0.isStopped }) {
            guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
            do {
                let id = try Self.id(record)
                state.withLock { $0.records[id, default: 0] += 1 }
            } catch {
                state.withLock { $0.wrong.append("\(error)") }
            }
        }
    }

    private static func id(_ record: ConsumedRecord) throws -> UUID {
        struct Wrong: Error { let value: String }
        let value = Data(record.value ?? [])
        let wrong = Wrong(value: String(decoding: value, as: UTF8.self))
        let json = try JSONSerialization.jsonObject(with: value)
        guard let envelope = json as? [String: Any], let id = (envelope["id"] as? String).flatMap(UUID.init),
            let key = envelope["partitionkey"] as? String, let entityID = envelope["b24entityid"] as? String,
            let fields = (envelope["data"] as? [String: Any])?["FIELDS"] as? [String: String]
        else { throw wrong }
        guard envelope["b24origin"] as? String == "offline", envelope["sequence"] == nil, fields["ID"] == entityID,
            key.hasSuffix("/crm.deal/\(entityID)"), Array(key.utf8) == record.key
        else { throw wrong }
        return id
    }
}

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

    /// The ids that the design gives to the rows' envelopes, made here by another hand: UUID version 5 (RFC 9562) of
    /// `<member_id>/<row>/<seconds>`.
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
