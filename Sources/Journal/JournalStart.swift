import Glibc

/// What a start does to the directory before any thread runs.
struct JournalStart: Sendable {
    let plan: StartPlan
    let maySegment: Bool
    /// The checkpoint that is on disk and believed.
    let durableCheckpoint: Checkpoint?
    let findings: [JournalFinding]

    /// A tool that looks at the directory has the lock for a moment; a journal keeps it.
    private static let lockPatience: Duration = .seconds(1)

    /// The directory's lock, or `nil` if somebody else has it for longer than a moment. Blocks for a second then.
    static func lock(_ layout: DirectoryLayout, _ fileSystem: any FileSystem) throws(FileSystemError) -> OpenFile? {
        try fileSystem.makeDirectory(layout.directory)
        let file = try fileSystem.open(layout.lock, .lock)
        let deadline = Clock.monotonicNanoseconds() + lockPatience.nanoseconds
        do throws(FileSystemError) {
            while true {
                if try fileSystem.tryLock(file) { return file }
                guard Clock.monotonicNanoseconds() < deadline else { break }
                usleep(5000)
            }
        } catch {
            fileSystem.close(file)
            throw error
        }
        fileSystem.close(file)
        return nil
    }

    init(
        _ configuration: JournalConfiguration,
        _ layout: DirectoryLayout,
        _ fileSystem: any FileSystem
    ) throws(FileSystemError) {
        let checkpointFile = CheckpointFile(layout: layout, fileSystem: fileSystem)
        let checkpoint = checkpointFile.load()
        let (found, notFiles) = try Self.find(layout, fileSystem)
        let plan = StartPlan(
            found: found,
            checkpoint: checkpoint,
            positionsPerSegment: configuration.positionsPerSegment,
            freshIdentity: .random(in: 1 ... .max)
        )
        self.plan = plan
        findings = plan.findings(layout, notFiles: notFiles)
        guard plan.mustReplaceCheckpoint else {
            maySegment = true
            durableCheckpoint = plan.recovery.checkpoint == .used ? checkpoint : nil
            return
        }
        // Positions grow beyond it from here on, so a later start would believe it.
        let replacement = Checkpoint(
            journal: plan.identity,
            below: 0,
            next: plan.next,
            lastSegment: plan.segments.last?.number ?? 0,
            lastSegmentBytes: 0,
            isClean: false
        )
        do throws(FileSystemError) {
            _ = try checkpointFile.store(replacement)
            maySegment = true
            durableCheckpoint = replacement
        } catch {
            maySegment = false
            durableCheckpoint = nil
        }
    }

    /// What has a segment's name: files, and the numbers of what is none, ascending.
    static func find(_ layout: DirectoryLayout, _ fileSystem: any FileSystem) throws(FileSystemError) -> (
        segments: [StartPlan.Found], notFiles: [UInt64]
    ) {
        var found: [StartPlan.Found] = []
        var notFiles: [UInt64] = []
        for entry in try fileSystem.entries(of: layout.directory) {
            guard let number = DirectoryLayout.segmentNumber(entry.name), number <= StartPlan.highestCredible else {
                continue
            }
            guard entry.isFile else {
                notFiles.append(number)
                continue
            }
            let bytes = try? fileSystem.contents(of: layout.segment(number), limit: SegmentHeader.bytes)
            found.append(
                StartPlan.Found(
                    number: number,
                    bytes: entry.bytes,
                    modifiedAt: entry.modifiedAt,
                    header: bytes.map(SegmentHeader.read) ?? .damaged
                )
            )
        }
        return (found, notFiles.sorted())
    }
}
