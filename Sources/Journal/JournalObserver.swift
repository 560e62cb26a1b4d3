/// One commit.
package struct CommitReport: Sendable {
    package let records: Int
    /// Bytes of frames.
    package let bytes: Int
    /// Checksums and write.
    package let write: Duration
    package let sync: Duration
}

/// Appends that failed together.
package struct FailureReport: Sendable {
    package let records: Int
    package let failure: AppendFailure
}

/// One segment of an earlier run that was read to its end.
package struct RecoveryReport: Sendable, Equatable {
    package let segment: UInt64
    package let records: Int
    package let duplicatesSkipped: Int
    package let damagedRanges: Int
    package let damagedBytes: Int
    /// Segments of earlier runs still to be read.
    package let segmentsLeft: Int

    package var fileName: String { DirectoryLayout.segmentName(segment) }
}

/// For metrics and log lines. Called on the journal's threads (``didRecover`` on the reader's): return soon, and do not
/// call the journal's `close`.
package struct JournalObserver: Sendable {
    package var didCommit: (@Sendable (CommitReport) -> Void)?
    package var didFail: (@Sendable (FailureReport) -> Void)?
    package var didRecover: (@Sendable (RecoveryReport) -> Void)?
    /// Called before the journal is open.
    package var didFind: (@Sendable (JournalFinding) -> Void)?
    /// A write or sync failed and its segment was given up; the batch goes to a new segment next.
    package var didAbandonSegment: (@Sendable (JournalError) -> Void)?
    /// A checkpoint, a deletion or a copy to `set-aside/` failed; it is tried again.
    package var didFailMaintenance: (@Sendable (JournalError) -> Void)?
    package var stateChanged: (@Sendable (JournalState) -> Void)?

    package init(
        didCommit: (@Sendable (CommitReport) -> Void)? = nil,
        didFail: (@Sendable (FailureReport) -> Void)? = nil,
        didRecover: (@Sendable (RecoveryReport) -> Void)? = nil,
        didFind: (@Sendable (JournalFinding) -> Void)? = nil,
        didAbandonSegment: (@Sendable (JournalError) -> Void)? = nil,
        didFailMaintenance: (@Sendable (JournalError) -> Void)? = nil,
        stateChanged: (@Sendable (JournalState) -> Void)? = nil
    ) {
        self.didCommit = didCommit
        self.didFail = didFail
        self.didRecover = didRecover
        self.didFind = didFind
        self.didAbandonSegment = didAbandonSegment
        self.didFailMaintenance = didFailMaintenance
        self.stateChanged = stateChanged
    }
}
