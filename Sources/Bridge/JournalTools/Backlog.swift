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

    /// What may hold undelivered records and is not among those that a replay sends.
    package struct Unread: Sendable, Equatable, Encodable {
        /// Bytes that are no intact record, but for those of `unfinishedBytes`.
        package var damagedBytes = 0
        /// Files that a later version of this program wrote.
        package var newerVersionFiles = 0
        /// Damage that ends a newest file. It may be a write that a crash cut short, which nobody was told of.
        package var unfinishedBytes = 0
        /// What earlier starts could not read, delivered or not.
        package var setAsideFiles = 0
        /// Files of events that wait for their portal's application token.
        package var waitingFiles = 0
        /// Calls about installations that were answered and nobody has verified yet.
        package var installCalls = 0

        /// Records may be in it that nobody delivers.
        package var isLoss: Bool { damagedBytes > 0 || newerVersionFiles > 0 }
        /// There is something beside the journal that only a bridge that runs on this volume can deal with.
        package var needsBridge: Bool { waitingFiles > 0 || installCalls > 0 }
    }

    /// In the order of their names.
    package private(set) var topics: [Topic] = []
    /// Beyond the topics listed; there are at most `TallyTable.most` of those.
    package private(set) var others = Tally()
    /// Intact frames that are no records of this version.
    package private(set) var undecodable = 0
    package private(set) var unread = Unread()

    package var records: Int { topics.reduce(others.undelivered) { $0 + $1.tally.undelivered } + undecodable }

    /// Bytes that `init` will read.
    package static func bytes(of site: JournalSite) -> Int {
        site.parts.reduce(0) { $0 + $1.directory.undeliveredSegments.reduce(0) { $0 + $1.bytes } }
    }

    /// - Parameter progress: Called with the bytes read so far.
    package init(of site: JournalSite, progress: (Int) -> Void) throws(JournalError) {
        var table = TallyTable()
        var done = 0
        unread.waitingFiles = site.waitingFiles
        unread.installCalls = site.installCalls
        for part in site.parts {
            let directory = part.directory
            unread.setAsideFiles += directory.setAside.count
            unread.newerVersionFiles += directory.undeliveredSegments.count { directory.isUnreadVersion($0) }
            var damage = PendingDamage()
            _ = try directory.read(directory.undeliveredSegments) { bytes in
                done += bytes
                progress(done)
            } _: { segment, finding in
                damage.enter(segment, &unread)
                if case .damage(let range) = finding { damage.ranges.append(range) }
                guard case .records(let block) = finding else { return true }
                damage.end(before: block.first, of: directory, &unread)
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
            damage.enter(nil, &unread)
        }
        others = table.others ?? Tally()
        topics = table.rows.map { Topic(topic: String(decoding: $0.key, as: UTF8.self), tally: $0.tally) }
            .sorted { $0.topic < $1.topic }
    }
}

/// Damage of one segment of which it is not known yet what comes behind it.
private struct PendingDamage {
    var ranges: [Range<Int>] = []
    private var segment: JournalDirectory.Segment?

    /// The next segment begins, or with `nil` there is none.
    mutating func enter(_ next: JournalDirectory.Segment?, _ unread: inout Backlog.Unread) {
        guard next?.number != segment?.number else { return }
        if let segment {
            for range in ranges {
                if segment.mayBeUnfinished(range) {
                    unread.unfinishedBytes += range.count
                } else {
                    unread.damagedBytes += range.count
                }
            }
        }
        ranges.removeAll()
        segment = next
    }

    /// A record follows. If it is delivered, so was all before it.
    mutating func end(before position: JournalPosition, of directory: JournalDirectory, _ unread: inout Backlog.Unread)
    {
        if directory.confirmedBelow.map({ position > $0 }) ?? true {
            unread.damagedBytes += ranges.reduce(0) { $0 + $1.count }
        }
        ranges.removeAll()
    }
}
