/// A journal's directory as it lies there, live or dead. Looking takes no lock and changes nothing; of a live journal, the
/// newest frames may be seen half written, as damage at the end of the last segment.
package struct JournalDirectory: Sendable {
    package struct Segment: Sendable {
        package enum Header: Sendable, Equatable {
            case intact(first: JournalPosition, createdAt: UInt64)
            case newerVersion(UInt32)
            case damaged
        }

        package let number: UInt64
        package let name: String
        package let bytes: Int
        package let header: Header
        /// Records at or above it are again in a later segment, or were given up. `nil`: it is the last one.
        package let supersededFrom: JournalPosition?
        fileprivate let hint: Marker?
    }

    package let path: String
    /// Ascending numbers.
    package let segments: [Segment]
    /// Everything below is confirmed; `nil` without a readable checkpoint.
    package let confirmedBelow: JournalPosition?
    /// The checkpoint was written by a close, and nothing was appended after it.
    package let isCleanlyClosed: Bool
    /// Files in `set-aside/`.
    package let setAside: [FileEntry]
    private let fileSystem: any FileSystem

    package init(
        inspecting path: String,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) throws(JournalError) {
        self.path = path
        self.fileSystem = fileSystem
        let layout = DirectoryLayout(directory: path)
        do throws(FileSystemError) {
            let found = try JournalStart.find(layout, fileSystem).segments
            let checkpoint = CheckpointFile(layout: layout, fileSystem: fileSystem).load()
            let plan = StartPlan(found: found, checkpoint: checkpoint, positionsPerSegment: 1 << 20, freshIdentity: 0)
            let entries = Dictionary(plan.segments.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
            segments = found.sorted { $0.number < $1.number }.map { file in
                let header: Segment.Header =
                    switch file.header {
                    case .valid(let header):
                        .intact(first: JournalPosition(header.first), createdAt: header.createdAt)
                    case .newer(let version, _): .newerVersion(version)
                    case .damaged: .damaged
                    }
                let entry = entries[file.number]
                return Segment(
                    number: file.number,
                    name: DirectoryLayout.segmentName(file.number),
                    bytes: file.bytes,
                    header: header,
                    supersededFrom: entry.flatMap {
                        $0.supersededFrom == .max ? nil : JournalPosition($0.supersededFrom)
                    },
                    hint: entry?.hint
                )
            }
            confirmedBelow = checkpoint.map { JournalPosition($0.below) }
            isCleanlyClosed = checkpoint.map { $0.isClean && $0.lastSegment == plan.nextNumber - 1 } ?? false
            let kept = (try? fileSystem.entries(of: layout.setAside)) ?? []
            setAside = kept.filter(\.isFile).sorted { $0.name < $1.name }
        } catch {
            throw JournalError(error)
        }
    }

    /// Calls `body` with what lies in a segment, in order: blocks of at most `maxBytes` of frames (or one record), and
    /// damaged ranges.
    package func read(
        _ segment: Segment,
        maxBytes: Int = 1 << 20,
        _ body: (SegmentReader.Item) -> Void
    ) throws(JournalError) {
        if case .newerVersion = segment.header { return }
        do throws(FileSystemError) {
            let reader = try SegmentReader("\(path)/\(segment.name)", fileSystem: fileSystem, hint: segment.hint)
            reader.takesUnreadableAsDamage = true
            if case .damaged = reader.header, reader.headerBytes > 0 { body(.damage(0..<reader.headerBytes)) }
            var offset = reader.headerBytes
            while true {
                let item = try reader.item(at: offset, limit: reader.bytes, maxBytes: maxBytes)
                switch item {
                case .end: return
                case .damage(let range): offset = range.upperBound
                case .records(_, let end): offset = end
                }
                body(item)
            }
        } catch {
            throw JournalError(error)
        }
    }
}
