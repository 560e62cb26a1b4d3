/// What the journal is doing.
package enum JournalState: Sendable, Equatable {
    case accepting
    /// No room: appends wait for it.
    case full
    /// The disk failed at the last try; the next append tries again, in a new segment.
    case failing(JournalError)
    case closed
}

/// What was found at the start and while older segments were read.
package struct RecoveryStatistics: Sendable, Equatable {
    package enum CheckpointReading: Sendable, Equatable {
        /// A new journal.
        case none
        case used
        /// Missing or damaged although there are segments: everything in them is read again.
        case unreadable
        /// Ahead of all that exists, or another journal's: everything is read again.
        case notCredible
    }

    package var checkpoint: CheckpointReading = .none
    /// Segments of earlier runs, and how many of them a reader has been through.
    package var segmentsFound = 0
    package var segmentsExamined = 0
    /// Segments that are gone although older ones exist.
    package var segmentsMissing = 0
    /// Files of a later format version, moved to `set-aside/` as they are.
    package var newerVersionFiles = 0
    /// Intact records in examined segments.
    package var records = 0
    /// Intact frames left out because a later segment has them again.
    package var duplicatesSkipped = 0
    package var damagedRanges = 0
    package var damagedBytes = 0
    /// The part of ``damagedBytes`` that is not in `set-aside/`: over its bound, or the copy failed.
    package var damagedBytesNotKept = 0
    /// What `set-aside/` holds, as far as this run knows.
    package var setAsideFiles = 0
    package var setAsideBytes = 0
    /// When an earlier run last wrote into a segment that is still there, milliseconds since 1970: about when its last record
    /// was appended. `nil`: no segment with a record is left of it.
    package var lastWrittenAt: UInt64?

    package init() {}
}

/// A snapshot; its numbers are of nearly the same moment.
package struct JournalStatistics: Sendable {
    package var state: JournalState
    package var segments: Int
    /// Bytes of all segment files.
    package var diskBytes: Int
    /// Of these the part that stays when room is needed: the files from the first one on that has a record not confirmed.
    package var heldBytes: Int
    /// Of these the bytes of the records not confirmed. Estimated by positions in the file where they begin, as sizes
    /// within a file are not kept.
    package var unconfirmedBytes: Int
    package var maxBytes: Int
    /// Appended, neither committed nor failed.
    package var pendingBytes: Int
    /// Appends in the queue: gathering for the next commit, or waiting for room.
    package var waitingAppends: Int
    /// Bytes of committed records kept in memory.
    package var tailBytes: Int
    /// The last committed position of this run, `nil` before the first.
    package var committed: JournalPosition?
    /// The position the next append gets.
    package var next: JournalPosition
    /// Everything below is confirmed.
    package var confirmedBelow: JournalPosition
    /// Everything below is confirmed, and a restart will know it.
    package var durableCheckpoint: JournalPosition
    package var recordsAppended: Int
    package var recordsCommitted: Int
    package var bytesCommitted: Int
    package var recordsFailed: Int
    package var commits: Int
    package var checkpointsWritten: Int
    package var checkpointFailures: Int
    package var segmentsDeleted: Int
    package var recovery: RecoveryStatistics
}
