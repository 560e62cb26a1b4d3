internal import Journal

/// A directory of small files that are written as a whole, once, and removed: each is there after any crash, or not at all.
/// Blocks; one thread uses it at a time.
struct DurableFolder: Sendable {
    struct File: Sendable {
        var name: String
        var bytes: [UInt8]
    }

    let path: String
    private let fileSystem: any FileSystem

    private static let unfinished = ".new"
    private static let setAside = "set-aside"
    /// Before the contents: format version and CRC-32C, four bytes each, little-endian.
    private static let headerBytes = 8
    private static let version: UInt32 = 1

    init(_ path: String, fileSystem: any FileSystem) {
        self.path = path
        self.fileSystem = fileSystem
    }

    /// Makes the directory, removes what a crash left unfinished, and names the files in ascending order, with their sizes on
    /// disk.
    func open() throws(FileSystemError) -> [(name: String, bytes: Int)] {
        try fileSystem.makeDirectory(path)
        var found: [(name: String, bytes: Int)] = []
        for entry in try fileSystem.entries(of: path) where entry.isFile {
            if entry.name.hasSuffix(Self.unfinished) {
                try? fileSystem.remove(place(entry.name))
            } else {
                found.append((entry.name, entry.bytes))
            }
        }
        return found.sorted { $0.name < $1.name }
    }

    /// How many files there are, without a change to the directory. One that is not there has none.
    func count() throws(FileSystemError) -> Int {
        do {
            return try fileSystem.entries(of: path).count { $0.isFile && !$0.name.hasSuffix(Self.unfinished) }
        } catch {
            guard error.isMissing else { throw error }
            return 0
        }
    }

    /// Durable for all files when it returns. If it throws, some of them may be there.
    func write(_ files: [File]) throws(FileSystemError) {
        for file in files {
            try fileSystem.replace(place(file.name), in: path, with: Self.framed(file.bytes))
        }
    }

    /// `nil`: the file is damaged.
    func read(_ name: String) throws(FileSystemError) -> [UInt8]? {
        Self.contents(of: try fileSystem.contents(of: place(name)))
    }

    /// Not synced: what is removed may come back after a crash of the machine.
    func remove(_ name: String) throws(FileSystemError) { try fileSystem.remove(place(name)) }

    /// Keeps a file that cannot be used where people find it and nobody reads it again.
    func setAside(_ name: String) throws(FileSystemError) {
        try fileSystem.makeDirectory(place(Self.setAside))
        try fileSystem.rename(place(name), to: place("\(Self.setAside)/\(name)"))
    }

    private func place(_ name: String) -> String { "\(path)/\(name)" }

    private static func framed(_ bytes: [UInt8]) -> [UInt8] {
        var framed: [UInt8] = []
        framed.reserveCapacity(headerBytes + bytes.count)
        for word in [version, bytes.withUnsafeBytes(CRC32C.checksum)] {
            withUnsafeBytes(of: word.littleEndian) { framed.append(contentsOf: $0) }
        }
        return framed + bytes
    }

    private static func contents(of framed: [UInt8]) -> [UInt8]? {
        guard framed.count >= headerBytes else { return nil }
        let words = framed.withUnsafeBytes { bytes in
            [0, 4].map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)) }
        }
        let bytes = Array(framed[headerBytes...])
        return words == [version, bytes.withUnsafeBytes(CRC32C.checksum)] ? bytes : nil
    }
}
