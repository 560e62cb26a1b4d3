/// The one open segment. It is written at its end only, and not at all after a failure.
struct SegmentWriter {
    let header: SegmentHeader
    private let file: OpenFile
    private let fileSystem: any FileSystem
    private let syncs: Bool
    /// Bytes committed so far; the next batch begins here.
    private(set) var bytes = SegmentHeader.bytes

    /// Makes the file and makes it durable: file first, then its name.
    static func create(
        _ header: SegmentHeader,
        in layout: DirectoryLayout,
        fileSystem: any FileSystem,
        syncs: Bool
    ) throws(FileSystemError) -> SegmentWriter {
        let path = layout.segment(header.number)
        let file = try fileSystem.open(path, .createNew)
        do throws(FileSystemError) {
            try fileSystem.writeAll(file, header.encoded(), at: 0)
            try fileSystem.sync(file)
            try fileSystem.syncDirectory(layout.directory)
        } catch {
            fileSystem.close(file)
            try? fileSystem.remove(path)
            throw error
        }
        return SegmentWriter(header: header, file: file, fileSystem: fileSystem, syncs: syncs)
    }

    private init(header: SegmentHeader, file: OpenFile, fileSystem: any FileSystem, syncs: Bool) {
        self.header = header
        self.file = file
        self.fileSystem = fileSystem
        self.syncs = syncs
    }

    /// Seals the batch's frames with this segment's marker, writes and syncs them.
    mutating func commit(_ batch: Batch) throws(FileSystemError) -> (write: Duration, sync: Duration) {
        let started = Clock.monotonicNanoseconds()
        var end = bytes
        for slice in batch.slices {
            var offset = slice.range.lowerBound
            while offset < slice.range.upperBound {
                let frame = slice.chunk.base + offset
                Frame.seal(frame, marker: header.marker)
                offset += Frame.bytes(of: frame)
            }
            let memory = UnsafeRawBufferPointer(
                start: slice.chunk.base + slice.range.lowerBound,
                count: slice.range.count
            )
            try fileSystem.writeAll(file, memory, at: end)
            end += slice.range.count
        }
        let written = Clock.monotonicNanoseconds()
        if syncs { try fileSystem.syncData(file) }
        bytes = end
        let synced = Clock.monotonicNanoseconds()
        return (.nanoseconds(written - started), .nanoseconds(synced - written))
    }

    /// The file's size, which after a failure may be beyond what was committed.
    func fileBytes() -> Int {
        (try? fileSystem.size(of: file)) ?? bytes
    }

    func close() {
        fileSystem.close(file)
    }
}
