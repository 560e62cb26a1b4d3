internal import Bitrix24
internal import Journal

/// Prints records as NDJSON, one object a line.
package struct RecordExport {
    package struct Summary: Sendable {
        package var lines = 0
        package var damagedRanges = 0
        package var damagedBytes = 0
        package var undecodable = 0
        package var newerVersionFiles = 0
        /// Files that are gone from between those that were read.
        package var missingFiles = 0
        /// Whoever read the lines has gone.
        package var wasCutShort = false

        package var isWhole: Bool {
            damagedRanges == 0 && undecodable == 0 && newerVersionFiles == 0 && missingFiles == 0
        }
    }

    let site: JournalSite
    let journals: Set<JournalName>
    let filter: RecordFilter
    let undeliveredOnly: Bool

    package init(
        _ site: JournalSite,
        journals: Set<JournalName> = Set(JournalName.allCases),
        filter: RecordFilter = RecordFilter(),
        undeliveredOnly: Bool = false
    ) {
        self.site = site
        self.journals = journals
        self.filter = filter
        self.undeliveredOnly = undeliveredOnly
    }

    /// Bytes that `run` will read.
    package var bytes: Int { parts.reduce(0) { $0 + $1.segments.reduce(0) { $0 + $1.bytes } } }

    private var parts: [(part: JournalSite.Part, segments: [JournalDirectory.Segment])] {
        site.parts.filter { journals.contains($0.name) }.map { part in
            var lowest = filter.lowestPosition
            if undeliveredOnly { lowest = max(lowest, part.directory.confirmedBelow ?? .first) }
            return (part, part.directory.segments(from: lowest))
        }
    }

    /// - Parameters:
    ///   - progress: Called with the bytes read so far.
    ///   - write: Takes whole lines; false when nobody reads them any more.
    /// - Throws: `JournalError`, or what `write` throws.
    package func run(progress: (Int) -> Void, write: ([UInt8]) throws -> Bool) throws -> Summary {
        var summary = Summary()
        var text = JSONText()
        var fault: (any Error)?
        func flush() -> Bool {
            defer { text.removeAll() }
            do {
                return try write(text.bytes)
            } catch {
                fault = error
                return false
            }
        }
        var done = 0
        for (part, segments) in parts {
            let first = segments.first?.number ?? 0
            summary.missingFiles += part.directory.missingSegments.count { $0 > first }
            for segment in segments {
                if case .newerVersion = segment.header { summary.newerVersionFiles += 1 }
            }
            let isFinished = try part.directory.read(segments) { bytes in
                done += bytes
                progress(done)
            } _: { _, finding in
                switch finding {
                case .records(let block):
                    add(block, of: part, to: &text, &summary)
                    return text.bytes.count < 64 << 10 || flush()
                case .damage(let range):
                    summary.damagedRanges += 1
                    summary.damagedBytes += range.count
                case .repeated, .unfinished, .deleted: break
                }
                return true
            }
            guard isFinished, text.bytes.isEmpty || flush() else {
                if let fault { throw fault }
                summary.wasCutShort = true
                return summary
            }
        }
        return summary
    }

    private func add(
        _ block: RecordBlock,
        of part: JournalSite.Part,
        to text: inout JSONText,
        _ summary: inout Summary
    ) {
        for index in 0..<block.count {
            let record = block[index]
            let isUndelivered = part.directory.isUndelivered(record.position)
            guard isUndelivered || !undeliveredOnly, filter.admits(record) else { continue }
            guard let stored = StoredRecord(record.payload) else {
                summary.undecodable += 1
                continue
            }
            guard filter.admits(stored) else { continue }
            Self.write(record, stored, of: part.name, isDelivered: !isUndelivered, to: &text)
            summary.lines += 1
        }
    }

    private static func write(
        _ record: JournalRecord,
        _ stored: StoredRecord,
        of journal: JournalName,
        isDelivered: Bool,
        to text: inout JSONText
    ) {
        text.raw("{\"journal\":")
        text.string(journal.rawValue)
        text.raw(",\"position\":")
        text.bytes.append(contentsOf: String(record.position.rawValue).utf8)
        text.raw(",\"appendedAt\":\"")
        record.receivedAt.write(into: &text.bytes, withMilliseconds: true)
        text.raw("\",\"delivered\":")
        if isDelivered { text.raw("true,") } else { text.raw("false,") }
        if stored.flags.contains(.oversized) { text.raw("\"oversized\":true,") }
        if stored.flags.contains(.refused) { text.raw("\"refused\":true,") }
        text.recordMembers(topic: stored.topic, key: stored.key, value: stored.value) { stored.forEachHeader($0) }
        text.raw("}\n")
    }
}
