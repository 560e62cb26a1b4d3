import Bitrix24
import Foundation
import Journal
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

/// Journals with records in them, made without a bridge.
struct FilledJournal {
    let directory: String
    var parked: String { directory + "/parked" }

    init(_ temporary: TemporaryDirectory) { directory = temporary.path + "/journal" }

    /// A record as the receiver would have written it.
    struct Record {
        var topic: String
        /// `data[N]`
        var number: Int
        var portal = memberID
        var mode = EnvelopeMode.structured
        var flags: StoredRecord.Flags = []
        var isDeadLetter = false
        var pad = 0

        func payload() throws -> (bytes: [UInt8], stampAt: Int?) {
            var form = BracketForm()
            let more = "&data[N]=\(number)" + (pad > 0 ? "&data[P]=" + String(repeating: "x", count: pad) : "")
            try Array(event(id: "1", more: more, member: portal).utf8).withUnsafeBytes { try form.decode($0) }
            guard case .event(let event) = InboundCall(form) else { throw WaitingEnded() }
            var normalizer = Normalizer(
                topic: try TopicTemplate(topic),
                key: try KeyTemplate(KeyTemplate.defaultText),
                mode: mode,
                replica: "r"
            )
            var ids = EnvelopeIDGenerator()
            var record = EventRecord()
            let now = WallClock.now()
            if isDeadLetter {
                try normalizer.deadLetter(
                    event,
                    of: form,
                    topic: topic,
                    reason: .unknownPortal,
                    receivedAt: now,
                    tokenDigest: nil,
                    id: ids.next(at: now),
                    into: &record
                )
            } else {
                let receipt = Receipt(id: ids.next(at: now), receivedAt: now, origin: .online)
                try normalizer.normalize(event, of: form, domain: nil, receipt: receipt, into: &record)
            }
            var bytes: [UInt8] = []
            let stampAt = StoredRecord.encode(record, flags: flags, into: &bytes)
            return (bytes, stampAt)
        }
    }

    static func numbered(_ range: ClosedRange<Int>, _ topic: String, _ flags: StoredRecord.Flags = []) -> [Record] {
        range.map { Record(topic: topic, number: $0, flags: flags) }
    }

    /// Opens the journal at `path`, appends, confirms below `confirmed`, and closes it.
    ///
    /// - Parameter whileOpen: Called before it is closed, when everything is on disk.
    func append(
        _ payloads: [(bytes: [UInt8], stampAt: Int?)],
        to path: String,
        confirmed: UInt64 = 0,
        segmentBytes: Int = 8 << 10,
        retain: Duration = .seconds(3600),
        whileOpen: () throws -> Void = {}
    ) throws {
        let journal = try Journal.open(
            JournalConfiguration(directory: path, segmentBytes: segmentBytes, retain: retain)
        )
        defer { journal.close() }
        let appender = journal.makeAppender { _ in }
        for payload in payloads {
            let result = payload.bytes.withUnsafeBytes { appender.append($0, stampAt: payload.stampAt) }
            guard case .pending(let position) = result else { throw WaitingEnded() }
            // One batch may be larger than a segment; small ones make several.
            while journal.statistics.committed.map({ $0 < position }) ?? true { usleep(100) }
        }
        if confirmed > 0 { journal.confirm(below: JournalPosition(confirmed)) }
        try whileOpen()
    }

    func append(_ records: [Record], to path: String? = nil, confirmed: UInt64 = 0) throws {
        try append(records.map { try $0.payload() }, to: path ?? directory, confirmed: confirmed)
    }

    func site() throws -> JournalSite { try JournalSite(inspecting: directory) }

    /// The lines of an export, as objects.
    func exported(
        _ journals: Set<JournalName> = Set(JournalName.allCases),
        undelivered: Bool = false,
        _ change: (inout RecordFilter) -> Void = { _ in }
    ) throws -> [[String: Any]] {
        var filter = RecordFilter()
        change(&filter)
        var text: [UInt8] = []
        let export = RecordExport(try site(), journals: journals, filter: filter, undeliveredOnly: undelivered)
        _ = try export.run(progress: { _ in }) { lines in
            text += lines
            return true
        }
        return try text.split(separator: UInt8(ascii: "\n")).map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        }
    }

    static func numbers(_ lines: [[String: Any]]) -> [Int] {
        lines.compactMap { line in
            let value = line["value"] as? [String: Any]
            let data = value?["data"] as? [String: Any] ?? value
            return (data?["N"] as? String).flatMap { Int($0) }
        }
    }

    static func ids(_ lines: [[String: Any]]) -> [String] {
        lines.compactMap { ($0["headers"] as? [String: String])?["ce_id"] }
    }
}

extension TemporaryDirectory {
    /// Bytes of all files below, by their names.
    func files(below folder: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        let names = FileManager.default.enumerator(atPath: "\(path)/\(folder)")
        while let name = names?.nextObject() as? String {
            files[name] = FileManager.default.contents(atPath: "\(path)/\(folder)/\(name)")
        }
        return files
    }
}
