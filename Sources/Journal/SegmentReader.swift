/// Reads one segment file and never writes to it: of a live journal, of a dead one, whole or damaged.
///
/// After damage it looks for the next place where the segment's marker stands before an intact frame. Not thread-safe.
package final class SegmentReader {
    /// What lies at an offset of the file.
    package enum Item {
        /// Intact frames; the next item begins at `end`.
        case records(RecordBlock, end: Int)
        /// Bytes that are no intact frame.
        case damage(Range<Int>)
        case end
    }

    package let path: String
    /// Bytes of the file when it was opened.
    package let bytes: Int
    /// Bytes at the beginning of the file that are the header, readable or not.
    package let headerBytes: Int
    let header: SegmentHeader.Reading

    /// The file's unreadable blocks are taken as zeros, and so as damage, instead of throwing.
    var takesUnreadableAsDamage = false

    private let fileSystem: any FileSystem
    private let file: OpenFile
    private var marker: Marker?

    /// - Parameter hint: The marker as the next segment's header has it, for use if this one's is unreadable.
    init(_ path: String, fileSystem: any FileSystem, hint: Marker? = nil) throws(FileSystemError) {
        self.path = path
        self.fileSystem = fileSystem
        let file = try fileSystem.open(path, .read)
        self.file = file
        do throws(FileSystemError) {
            bytes = try fileSystem.size(of: file)
            var start = [UInt8](repeating: 0, count: SegmentHeader.bytes + Marker.bytes)
            let count = try Self.read(&start, from: file, fileSystem)
            headerBytes = min(SegmentHeader.bytes, bytes)
            header = count < SegmentHeader.bytes ? .damaged : SegmentHeader.read(Array(start[..<SegmentHeader.bytes]))
            if case .valid(let header) = header {
                marker = header.marker
            } else if case .damaged = header, count > SegmentHeader.bytes {
                marker = try findMarker(in: start, hint: hint)
            }
        } catch {
            // `deinit` does not run for an object that was never whole.
            fileSystem.close(file)
            throw error
        }
    }

    deinit {
        fileSystem.close(file)
    }

    /// Reads at `offset`, not beyond `limit`. A block has at least one record and otherwise at most `maxBytes`.
    func item(at offset: Int, limit: Int, maxBytes: Int) throws(FileSystemError) -> Item {
        guard offset < limit else { return .end }
        guard let marker else { return .damage(offset..<limit) }
        var window = min(limit - offset, max(maxBytes, 4096))
        while true {
            let memory = Chunk(capacity: window)
            try fill(memory, window, at: offset)
            let (offsets, end, missing) = Self.frames(in: memory, window, maxBytes, marker, rest: limit - offset)
            if !offsets.isEmpty { return .records(RecordBlock(memory: memory, offsets: offsets), end: offset + end) }
            guard let missing else { break }
            window = missing
        }
        return .damage(offset..<(try nextFrame(after: offset, limit: limit, marker: marker) ?? limit))
    }

    /// The intact frames at the beginning of `memory`, where they end, and how many bytes the first one needs if that is
    /// more than there are.
    private static func frames(
        in memory: Chunk,
        _ count: Int,
        _ maxBytes: Int,
        _ marker: Marker,
        rest: Int
    ) -> (offsets: [Int], end: Int, missing: Int?) {
        var offsets: [Int] = []
        var offset = 0
        while count - offset >= Frame.headerBytes {
            let frame = UnsafeRawPointer(memory.base + offset)
            guard Marker(loadingFrom: frame) == marker else { break }
            let bytes = Frame.bytes(of: frame)
            guard bytes <= count - offset else {
                return (offsets, offset, offset == 0 && bytes <= rest ? bytes : nil)
            }
            guard offset == 0 || offset + bytes <= maxBytes, Frame.isIntact(frame) else { break }
            offsets.append(offset)
            offset += bytes
        }
        return (offsets, offset, nil)
    }

    /// The offset of the first intact frame beyond `offset`.
    private func nextFrame(after offset: Int, limit: Int, marker: Marker) throws(FileSystemError) -> Int? {
        let windowBytes = 256 << 10
        let memory = Chunk(capacity: windowBytes)
        var start = offset + 1
        while limit - start >= Frame.headerBytes {
            let count = min(windowBytes, limit - start)
            try fill(memory, count, at: start)
            var from = 0
            while let place = marker.find(in: memory.base, from: from, to: count) {
                if try isIntactFrame(at: start + place, limit: limit) { return start + place }
                from = place + 1
            }
            // A marker may lie across the windows.
            start += max(1, count - Marker.bytes + 1)
        }
        return nil
    }

    private func isIntactFrame(at offset: Int, limit: Int) throws(FileSystemError) -> Bool {
        guard limit - offset >= Frame.headerBytes else { return false }
        let head = Chunk(capacity: Frame.headerBytes)
        try fill(head, Frame.headerBytes, at: offset)
        let bytes = Frame.bytes(of: head.base)
        guard bytes <= limit - offset else { return false }
        let frame = Chunk(capacity: bytes)
        try fill(frame, bytes, at: offset)
        return Frame.isIntact(frame.base)
    }

    /// With a damaged header there are three places where the marker may have survived.
    private func findMarker(in start: [UInt8], hint: Marker?) throws(FileSystemError) -> Marker? {
        let (inHeader, inFrame) = start.withUnsafeBytes { buffer -> (Marker?, Marker?) in
            guard let base = buffer.baseAddress else { return (nil, nil) }
            return (Marker(loadingFrom: base + 16), Marker(loadingFrom: base + SegmentHeader.bytes))
        }
        for case let candidate? in [hint, inHeader, inFrame] where candidate.isPlausible {
            if try nextFrame(after: SegmentHeader.bytes - 1, limit: bytes, marker: candidate) != nil {
                return candidate
            }
        }
        return nil
    }

    private func fill(_ memory: Chunk, _ count: Int, at offset: Int) throws(FileSystemError) {
        let buffer = UnsafeMutableRawBufferPointer(start: memory.base, count: count)
        do throws(FileSystemError) {
            _ = try fileSystem.readAll(file, into: buffer, at: offset)
        } catch {
            guard takesUnreadableAsDamage else { throw error }
            let block = 4096
            for start in stride(from: 0, to: count, by: block) {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[start..<min(start + block, count)])
                do throws(FileSystemError) {
                    _ = try fileSystem.readAll(file, into: part, at: offset + start)
                } catch {
                    part.initializeMemory(as: UInt8.self, repeating: 0)
                }
            }
        }
    }

    private static func read(
        _ bytes: inout [UInt8],
        from file: OpenFile,
        _ fileSystem: any FileSystem
    ) throws(FileSystemError) -> Int {
        var failure: FileSystemError?
        let count = bytes.withUnsafeMutableBytes { buffer in
            do throws(FileSystemError) {
                return try fileSystem.readAll(file, into: buffer, at: 0)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }
}
