internal import Bitrix24
package import Journal

/// What lies in a bridge's journals: by segment, by topic and by portal. Made by reading everything once; its memory grows
/// with the number of segments only.
package struct JournalSurvey: Sendable, Encodable {
    package struct Segment: Sendable, Encodable {
        package var number: UInt64
        package var file: String
        package var bytes: Int
        package var records = 0
        package var undelivered = 0
        package var first: UInt64?
        package var last: UInt64?
        package var oldest: Moment?
        package var newest: Moment?
        /// Frames whose records a later segment has again.
        package var repeated = 0
        package var damagedRanges = 0
        package var damagedBytes = 0
        /// At its end, as a running bridge writes there.
        package var unfinishedBytes = 0
        /// Written by a later version of this program, and not read.
        package var newerVersion: UInt32?
        /// The running bridge deleted it meanwhile: everything in it was confirmed.
        package var isDeleted = false
    }

    package struct SetAsideFile: Sendable, Encodable {
        package var name: String
        package var bytes: Int
    }

    package struct Part: Sendable, Encodable {
        package var journal: JournalName
        package var directory: String
        package var isInUse: Bool
        /// Everything below is confirmed; `nil` without a checkpoint that a start would believe.
        package var confirmedBelow: UInt64?
        package var checkpoint: CheckpointState
        package var isCleanlyClosed: Bool
        package var missingSegments: [UInt64]
        package var setAside: [SetAsideFile]
        package var segments: [Segment] = []
        package var bytes = 0
        package var records = 0
        package var undelivered = 0
        package var undeliveredBytes = 0
        /// Of the undelivered ones.
        package var oversized = 0
        package var refused = 0
        /// Intact, but no record that this version can read.
        package var undecodable = 0
        package var oldestUndelivered: Moment?
        package var damagedRanges = 0
        package var damagedBytes = 0
    }

    package struct Row: Sendable, Encodable {
        package var name: String
        package var tally: Tally

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(name, forKey: .name)
            try tally.encode(to: encoder)
        }

        private enum Key: String, CodingKey { case name }
    }

    package var journals: [Part] = []
    /// Those with the most undelivered records first.
    package var topics: [Row] = []
    package var portals: [Row] = []
    /// The sum over those beyond the first `TallyTable.most`, if there are so many.
    package var otherTopics: Tally?
    package var otherPortals: Tally?

    /// - Parameter progress: Called with the bytes read so far.
    package init(of site: JournalSite, progress: (Int) -> Void) throws(JournalError) {
        var topics = TallyTable()
        var portals = TallyTable()
        var done = 0
        for part in site.parts {
            journals.append(
                try Part(part, topics: &topics, portals: &portals) { bytes in
                    done += bytes
                    progress(done)
                }
            )
        }
        self.topics = topics.sorted
        self.portals = portals.sorted
        otherTopics = topics.others
        otherPortals = portals.others
    }
}

/// What is known of a checkpoint.
package enum CheckpointState: String, Sendable, Encodable {
    case used
    /// None was written yet; everything counts as undelivered.
    case none
    /// It cannot be read; everything counts as undelivered, and is sent again.
    case damaged
    /// It is ahead of all that is there, or another journal's; everything counts as undelivered, and is sent again.
    case notCredible

    init(_ directory: JournalDirectory) {
        self =
            switch directory.checkpoint {
            case .used: .used
            case .notCredible: .notCredible
            case .none, .unreadable: directory.hasCheckpointFile ? .damaged : .none
            }
    }
}

extension TallyTable {
    fileprivate var sorted: [JournalSurvey.Row] {
        rows.map { JournalSurvey.Row(name: String(decoding: $0.key, as: UTF8.self), tally: $0.tally) }
            .sorted {
                ($0.tally.undelivered, $0.tally.records, $1.name) > ($1.tally.undelivered, $1.tally.records, $0.name)
            }
    }
}

extension JournalSurvey.Part {
    fileprivate init(
        _ part: JournalSite.Part,
        topics: inout TallyTable,
        portals: inout TallyTable,
        didRead: (Int) -> Void
    ) throws(JournalError) {
        let directory = part.directory
        self.init(
            journal: part.name,
            directory: directory.path,
            isInUse: directory.isInUse,
            confirmedBelow: directory.confirmedBelow?.rawValue,
            checkpoint: CheckpointState(directory),
            isCleanlyClosed: directory.isCleanlyClosed,
            missingSegments: directory.missingSegments,
            setAside: directory.setAside.map { JournalSurvey.SetAsideFile(name: $0.name, bytes: $0.bytes) }
        )
        for segment in directory.segments {
            var row = JournalSurvey.Segment(number: segment.number, file: segment.name, bytes: segment.bytes)
            if case .newerVersion(let version) = segment.header { row.newerVersion = version }
            _ = try directory.read([segment], didRead: didRead) { _, finding in
                switch finding {
                case .records(let block):
                    add(block, of: directory, to: &row, topics: &topics, portals: &portals)
                case .repeated(let count): row.repeated += count
                case .damage(let range):
                    row.damagedRanges += 1
                    row.damagedBytes += range.count
                case .unfinished(let range): row.unfinishedBytes += range.count
                case .deleted: row.isDeleted = true
                }
                return true
            }
            bytes += row.bytes
            records += row.records
            undelivered += row.undelivered
            damagedRanges += row.damagedRanges
            damagedBytes += row.damagedBytes
            segments.append(row)
        }
    }

    private mutating func add(
        _ block: RecordBlock,
        of directory: JournalDirectory,
        to row: inout JournalSurvey.Segment,
        topics: inout TallyTable,
        portals: inout TallyTable
    ) {
        row.records += block.count
        if row.first == nil { row.first = block.first.rawValue }
        row.last = block.last.rawValue
        for index in 0..<block.count {
            let record = block[index]
            let time = Moment(record.appendedAt)
            if row.oldest.map({ time < $0 }) ?? true { row.oldest = time }
            if row.newest.map({ time > $0 }) ?? true { row.newest = time }
            let isUndelivered = directory.isUndelivered(record.position)
            let stored = StoredRecord(record.payload)
            if isUndelivered {
                row.undelivered += 1
                undeliveredBytes += record.payload.count
                if oldestUndelivered.map({ time < $0 }) ?? true { oldestUndelivered = time }
                if stored?.flags.contains(.oversized) ?? false { oversized += 1 }
                if stored?.flags.contains(.refused) ?? false { refused += 1 }
            }
            guard let stored else {
                undecodable += 1
                continue
            }
            // What left the parked journal is told by the main one.
            guard isUndelivered || journal == .main else { continue }
            let flags = stored.flags
            func count(_ tally: inout Tally) {
                tally.add(record, flags, of: journal, isUndelivered: isUndelivered)
            }
            topics.update(stored.topic, count)
            stored.withPortal { portals.update($0, count) }
        }
    }
}

extension Tally {
    fileprivate mutating func add(
        _ record: JournalRecord,
        _ flags: StoredRecord.Flags,
        of journal: JournalName,
        isUndelivered: Bool
    ) {
        bytes += record.payload.count
        if journal == .main { records += 1 }
        guard isUndelivered else { return }
        if journal == .main { waiting += 1 } else { parked += 1 }
        if flags.contains(.oversized) { oversized += 1 }
        if flags.contains(.refused) { refused += 1 }
        let time = Moment(record.appendedAt)
        if oldestUndelivered.map({ time < $0 }) ?? true { oldestUndelivered = time }
    }
}
