internal import Bitrix24
package import Journal

/// How many records wait in the journals, by topic: what a replay would send.
package struct Backlog: Sendable {
    package struct Topic: Sendable, Encodable {
        package var topic: String
        package var tally: Tally

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(topic, forKey: .topic)
            try container.encode(tally.undelivered, forKey: .records)
            try container.encode(tally.parked, forKey: .parked)
            try container.encode(tally.oversized, forKey: .oversized)
            try container.encode(tally.refused, forKey: .refused)
        }

        private enum Key: String, CodingKey { case topic, records, parked, oversized, refused }
    }

    /// In the order of their names.
    package private(set) var topics: [Topic] = []
    /// Beyond the topics listed; there are at most `TallyTable.most` of those.
    package private(set) var others = Tally()
    /// Intact frames that are no records of this version.
    package private(set) var undecodable = 0

    package var records: Int { topics.reduce(others.undelivered) { $0 + $1.tally.undelivered } + undecodable }

    /// Bytes that `init` will read.
    package static func bytes(of site: JournalSite) -> Int {
        site.parts.reduce(0) { $0 + $1.directory.undeliveredSegments.reduce(0) { $0 + $1.bytes } }
    }

    /// - Parameter progress: Called with the bytes read so far.
    package init(of site: JournalSite, progress: (Int) -> Void) throws(JournalError) {
        var table = TallyTable()
        var done = 0
        for part in site.parts {
            let directory = part.directory
            _ = try directory.read(directory.undeliveredSegments) { bytes in
                done += bytes
                progress(done)
            } _: { _, finding in
                guard case .records(let block) = finding else { return true }
                for index in 0..<block.count where directory.isUndelivered(block[index].position) {
                    guard let stored = StoredRecord(block[index].payload) else {
                        undecodable += 1
                        continue
                    }
                    table.update(stored.topic) { tally in
                        if part.name == .main { tally.waiting += 1 } else { tally.parked += 1 }
                        if stored.flags.contains(.oversized) { tally.oversized += 1 }
                        if stored.flags.contains(.refused) { tally.refused += 1 }
                    }
                }
                return true
            }
        }
        others = table.others ?? Tally()
        topics = table.rows.map { Topic(topic: String(decoding: $0.key, as: UTF8.self), tally: $0.tally) }
            .sorted { $0.topic < $1.topic }
    }
}
