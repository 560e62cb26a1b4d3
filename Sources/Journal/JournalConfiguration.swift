/// Settings of one journal.
package struct JournalConfiguration: Sendable {
    /// The journal's own directory. It is made, with its parents, if it does not exist.
    package var directory: String
    /// The most bytes that all segment files together may take, in bytes. Damaged ranges kept in `set-aside/` come on top,
    /// up to an eighth of this.
    package var maxBytes: Int = 8 << 30
    /// A segment is closed and the next one begun at this size, in bytes. At most a quarter of ``maxBytes`` is used.
    package var segmentBytes: Int = 64 << 20
    /// `false` skips the `fdatasync` of each commit and nothing else: a crash of the process loses nothing then, a crash of
    /// the machine loses what the kernel had not written yet.
    package var sync: Bool = true
    /// How long a confirmed segment is kept for replay, counted from its last record. A full journal gives it up earlier.
    package var retain: Duration = .zero
    /// How long an append waits, in arrival order, for room in a full journal before it fails.
    package var roomTimeout: Duration = .seconds(5)
    /// The most bytes appended and not yet committed, staged or waiting for room. Beyond it an append is refused.
    package var maxPendingBytes: Int = 64 << 20
    /// The most committed bytes kept in memory for a reader that keeps up.
    package var tailBytes: Int = 8 << 20
    /// The shortest time between two durable checkpoints under load.
    package var checkpointInterval: Duration = .seconds(1)
    /// The largest payload of one record, in bytes.
    package var maxPayloadBytes: Int = 16 << 20

    /// The most bytes that one write and one `fdatasync` commit, if not one record alone is larger.
    var batchBytes: Int = 4 << 20
    /// The memory that gathers appends is allocated in pieces of this size.
    var chunkBytes: Int = 256 << 10
    /// So many times in a row the disk may fail to read a block, or a file may not be there, before it counts as damage.
    /// With the pause of a second that a reader makes, that is a minute and a half: a volume that comes back loses nothing.
    var readPatience = 100
    /// A segment holds positions of a span of this many only, so that after a crash its header alone tells where to go on.
    var positionsPerSegment: UInt64 = 1 << 20

    package init(directory: String) {
        self.directory = directory
    }

    package init(
        directory: String,
        maxBytes: Int = 8 << 30,
        segmentBytes: Int = 64 << 20,
        sync: Bool = true,
        retain: Duration = .zero,
        roomTimeout: Duration = .seconds(5),
        maxPendingBytes: Int = 64 << 20,
        tailBytes: Int = 8 << 20,
        checkpointInterval: Duration = .seconds(1),
        maxPayloadBytes: Int = 16 << 20
    ) {
        self.directory = directory
        self.maxBytes = maxBytes
        self.segmentBytes = segmentBytes
        self.sync = sync
        self.retain = retain
        self.roomTimeout = roomTimeout
        self.maxPendingBytes = maxPendingBytes
        self.tailBytes = tailBytes
        self.checkpointInterval = checkpointInterval
        self.maxPayloadBytes = maxPayloadBytes
    }

    /// What is really used: a full journal must be able to free a part of itself.
    var effectiveSegmentBytes: Int { min(segmentBytes, max(maxBytes / 4, 1)) }
    var setAsideBytes: Int { maxBytes / 8 }
    /// So much of the quota is not used for what is kept for replay only, so that no append waits for its deletion.
    var roomKeptFree: Int { maxBytes / 16 }

    func validate() throws(JournalError) {
        func check(_ holds: Bool, _ key: String, _ value: Int, _ mend: String) throws(JournalError) {
            guard holds else { throw .configuration("\(key) is \(value): \(mend)", path: directory) }
        }
        guard !directory.isEmpty else {
            throw .configuration("directory is empty: name a directory that only this journal uses", path: "")
        }
        try check(maxBytes >= 4096, "maxBytes", maxBytes, "give at least 4096 bytes")
        try check(segmentBytes >= 512, "segmentBytes", segmentBytes, "give at least 512 bytes")
        try check(segmentBytes <= 1 << 40, "segmentBytes", segmentBytes, "give at most 1 TiB")
        try check(maxPendingBytes > 0, "maxPendingBytes", maxPendingBytes, "give a number of bytes above 0")
        try check(tailBytes >= 0, "tailBytes", tailBytes, "give 0 or more bytes")
        try check((0...(1 << 30)).contains(maxPayloadBytes), "maxPayloadBytes", maxPayloadBytes, "give 0 to 1 GiB")
    }
}
