/// Something that is not as this journal left it, found at the start. None keeps it from starting.
package struct JournalFinding: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// A segment is gone with records that were not confirmed.
        case segmentMissing = "segment-missing"
        /// A segment's header is unreadable; its records are read all the same, as far as they are intact.
        case headerDamaged = "header-damaged"
        /// A segment was written by a later version of this program; it goes to `set-aside/` as it is.
        case newerVersion = "newer-version"
        /// What has a segment's name is a directory, or a link to nothing. It is passed over and stays.
        case notAFile = "not-a-file"
        /// The checkpoint is missing or damaged; everything that is there is read again.
        case checkpointUnreadable = "checkpoint-unreadable"
        /// The checkpoint is ahead of all that exists, or another journal's; everything that is there is read again.
        case checkpointNotCredible = "checkpoint-not-credible"
    }

    package let kind: Kind
    /// The file concerned.
    package let path: String

    /// What it means, for a log line.
    package var words: String {
        switch kind {
        case .segmentMissing: "a segment of the journal is missing; what it held and was not delivered is lost"
        case .headerDamaged: "a segment's header is damaged; its intact records are read all the same"
        case .newerVersion: "a segment of a newer version was put into set-aside; its records are not delivered"
        case .notAFile: "something that is no file has a segment's name; it is passed over"
        case .checkpointUnreadable: "the checkpoint is missing or damaged; what the journal holds is sent again"
        case .checkpointNotCredible: "the checkpoint is not this journal's; what the journal holds is sent again"
        }
    }
}

extension StartPlan {
    func findings(_ layout: DirectoryLayout, notFiles: [UInt64]) -> [JournalFinding] {
        func list(_ kind: JournalFinding.Kind, _ numbers: [UInt64]) -> [JournalFinding] {
            numbers.map { JournalFinding(kind: kind, path: layout.segment($0)) }
        }
        // A shorter file is one whose making was cut short by a crash; nothing was in it.
        let damaged = segments.filter { $0.marker == nil && $0.bytes > SegmentHeader.bytes }.map(\.number)
        var findings =
            list(.segmentMissing, missing) + list(.headerDamaged, damaged) + list(.newerVersion, newerVersions)
            + list(.notAFile, notFiles)
        switch recovery.checkpoint {
        case .none, .used: break
        case .unreadable: findings.append(JournalFinding(kind: .checkpointUnreadable, path: layout.checkpoint))
        case .notCredible: findings.append(JournalFinding(kind: .checkpointNotCredible, path: layout.checkpoint))
        }
        return findings
    }
}
