/// What a restart needs to know beyond the segments themselves, 80 bytes in the file `checkpoint`, little endian.
struct Checkpoint: Equatable, Sendable {
    static let bytes = 80
    static let version: UInt32 = 1
    static let magic: UInt64 = 0x0A54_504B_4343_4A89  // "\x89JCCKPT\n", read as a little-endian number
    /// Zeros there: unknown.
    private static let markerOffset = 56

    /// Tells the files of one journal from those of another.
    var journal: UInt64
    /// Everything below is confirmed.
    var below: UInt64
    /// No position from here on was given when this was written.
    var next: UInt64
    /// The newest segment, and how many of its bytes were committed.
    var lastSegment: UInt64
    var lastSegmentBytes: UInt64
    /// Written by a close: nothing was appended after it.
    var isClean: Bool
    /// The newest segment's marker, should its header be unreadable.
    var marker: Marker?

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            let words = [Self.magic, journal, below, next, lastSegment, lastSegmentBytes]
            for (index, word) in words.enumerated() {
                base.storeBytes(of: word.littleEndian, toByteOffset: index * 8, as: UInt64.self)
            }
            base.storeBytes(of: Self.version.littleEndian, toByteOffset: 48, as: UInt32.self)
            base.storeBytes(of: UInt32(isClean ? 1 : 0).littleEndian, toByteOffset: 52, as: UInt32.self)
            marker?.store(to: base + Self.markerOffset)
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(start: base, count: Self.bytes - 4))
            base.storeBytes(of: crc.littleEndian, toByteOffset: Self.bytes - 4, as: UInt32.self)
        }
        return bytes
    }

    /// `nil` for anything but an intact checkpoint of a version we know.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count == Self.bytes else { return nil }
        let read: (words: [UInt64], marker: Marker)? = bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let crc = base.loadUnaligned(fromByteOffset: Self.bytes - 4, as: UInt32.self)
            guard
                UInt32(littleEndian: crc) == CRC32C.checksum(UnsafeRawBufferPointer(start: base, count: Self.bytes - 4))
            else { return nil }
            let words = (0..<7).map {
                UInt64(littleEndian: base.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))
            }
            return (words, Marker(loadingFrom: base + Self.markerOffset))
        }
        guard let (words, marker) = read, words[0] == Self.magic, UInt32(truncatingIfNeeded: words[6]) <= Self.version
        else {
            return nil
        }
        journal = words[1]
        below = words[2]
        next = words[3]
        lastSegment = words[4]
        lastSegmentBytes = words[5]
        isClean = words[6] >> 32 & 1 == 1
        self.marker = marker.isPlausible ? marker : nil
    }

    init(
        journal: UInt64,
        below: UInt64,
        next: UInt64,
        lastSegment: UInt64,
        lastSegmentBytes: UInt64,
        isClean: Bool,
        marker: Marker? = nil
    ) {
        self.journal = journal
        self.below = below
        self.next = next
        self.lastSegment = lastSegment
        self.lastSegmentBytes = lastSegmentBytes
        self.isClean = isClean
        self.marker = marker
    }
}

/// The checkpoint's file, replaced as a whole and durably.
///
/// On a full disk it must still be writable, because only a newer checkpoint lets segments be deleted. So a small file
/// holds some room in reserve and is given up when there is no other.
struct CheckpointFile: Sendable {
    let layout: DirectoryLayout
    let fileSystem: any FileSystem

    func load() -> Checkpoint? {
        guard let bytes = try? fileSystem.contents(of: layout.checkpoint, limit: Checkpoint.bytes + 1) else {
            return nil
        }
        return Checkpoint(decoding: bytes)
    }

    /// - Returns: whether the reserve was given up for it, which has to be made again.
    func store(_ checkpoint: Checkpoint) throws(FileSystemError) -> Bool {
        do throws(FileSystemError) {
            try replace(with: checkpoint)
            return false
        } catch {
            guard error.isNoSpace, (try? fileSystem.remove(layout.reserve)) != nil else { throw error }
            try replace(with: checkpoint)
            return true
        }
    }

    func replace(with checkpoint: Checkpoint) throws(FileSystemError) {
        try fileSystem.replace(layout.checkpoint, in: layout.directory, with: checkpoint.encoded())
    }

    static let reserveBytes = 32 << 10

    /// Makes the reserve if it is missing or was not finished. Not made is no error: a later call tries again.
    func keepReserve() -> Bool {
        if hasReserve { return true }
        guard let file = try? fileSystem.openAnew(layout.reserve) else { return false }
        defer { fileSystem.close(file) }
        do throws(FileSystemError) {
            try fileSystem.writeAll(file, [UInt8](repeating: 0x2e, count: Self.reserveBytes), at: 0)
            try fileSystem.sync(file)
            return true
        } catch {
            try? fileSystem.remove(layout.reserve)
            return false
        }
    }

    /// Whether the reserve is there and holds all its room: a crash may have left a part of it, or blocks that were never
    /// allocated and read as zeros.
    private var hasReserve: Bool {
        guard let bytes = try? fileSystem.contents(of: layout.reserve, limit: Self.reserveBytes) else { return false }
        return bytes.count == Self.reserveBytes && bytes.allSatisfy { $0 == 0x2e }
    }
}
