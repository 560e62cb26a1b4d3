import Glibc

/// A failed operation on a file.
package struct FileSystemError: Error, Sendable, Equatable {
    package let operation: String
    package let path: String
    /// `errno`.
    package let code: Int32

    package init(operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    var isNoSpace: Bool { code == ENOSPC || code == EDQUOT }
    /// The disk or the file system says that it cannot give what it holds.
    var isUnreadable: Bool { code == EIO || code == EUCLEAN || code == EBADMSG }
    package var isMissing: Bool { code == ENOENT }
    package var words: String { String(cString: strerror(code)) }
}

/// What a directory has under one name.
package struct FileEntry: Sendable, Equatable {
    package let name: String
    package let bytes: Int
    /// Milliseconds since 1970.
    package let modifiedAt: UInt64
    /// A file, or a link to one; not a directory, a socket, or a link to nothing.
    package let isFile: Bool

    package init(name: String, bytes: Int, modifiedAt: UInt64, isFile: Bool = true) {
        self.name = name
        self.bytes = bytes
        self.modifiedAt = modifiedAt
        self.isFile = isFile
    }
}

/// An open file. It stays open until ``FileSystem/close(_:)``.
package struct OpenFile: Sendable, Hashable {
    package let descriptor: Int32
    package let path: String

    package init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }
}

package enum OpenMode: Sendable {
    case read
    /// For writing; fails with EEXIST when the file exists.
    case createNew
    /// For locking; created when missing, its content untouched.
    case lock
}

/// All that the journal asks of a file system, and so the place where a test injects faults. Used from several threads.
package protocol FileSystem: Sendable {
    /// Makes the directory and its missing parents, durably. No error if it exists.
    func makeDirectory(_ path: String) throws(FileSystemError)
    /// What is in a directory, in no order, without `.` and `..`. An entry that disappears meanwhile is left out.
    func entries(of directory: String) throws(FileSystemError) -> [FileEntry]
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> OpenFile
    func close(_ file: OpenFile)
    /// Takes the exclusive lock without waiting; `false` when somebody else has it. The lock ends with ``close(_:)``.
    func tryLock(_ file: OpenFile) throws(FileSystemError) -> Bool
    /// Reads at an offset; may be short; 0 at the end of the file.
    func read(_ file: OpenFile, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError)
        -> Int
    /// Writes at an offset; may be short, never 0 for a non-empty buffer.
    func write(_ file: OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int
    /// `fdatasync`.
    func syncData(_ file: OpenFile) throws(FileSystemError)
    /// `fsync`.
    func sync(_ file: OpenFile) throws(FileSystemError)
    func syncDirectory(_ path: String) throws(FileSystemError)
    func size(of file: OpenFile) throws(FileSystemError) -> Int
    func rename(_ path: String, to newPath: String) throws(FileSystemError)
    func remove(_ path: String) throws(FileSystemError)
}

extension FileSystem {
    /// Opens a file of its own for writing, and not one of an earlier try: that may have failed to sync.
    func openAnew(_ path: String) throws(FileSystemError) -> OpenFile {
        do throws(FileSystemError) {
            return try open(path, .createNew)
        } catch {
            guard error.code == EEXIST else { throw error }
            try remove(path)
            return try open(path, .createNew)
        }
    }

    func writeAll(_ file: OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) {
        var done = 0
        while done < bytes.count {
            let written = try write(file, UnsafeRawBufferPointer(rebasing: bytes[done...]), at: offset + done)
            guard written > 0 else { throw FileSystemError(operation: "write", path: file.path, code: EIO) }
            done += written
        }
    }

    /// Fills as much of `buffer` as the file has; the rest is zeroed. Returns the bytes read.
    func readAll(
        _ file: OpenFile,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) throws(FileSystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try read(
                file,
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]),
                at: offset + done
            )
            guard count > 0 else { break }
            done += count
        }
        if done < buffer.count {
            UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).initializeMemory(as: UInt8.self, repeating: 0)
        }
        return done
    }

    /// The first `limit` bytes of a file.
    func contents(of path: String, limit: Int) throws(FileSystemError) -> [UInt8] {
        let file = try open(path, .read)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var failure: FileSystemError?
        let count = bytes.withUnsafeMutableBytes { buffer in
            do throws(FileSystemError) {
                return try readAll(file, into: buffer, at: 0)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        bytes.removeLast(limit - count)
        return bytes
    }

    /// All of a file.
    package func contents(of path: String) throws(FileSystemError) -> [UInt8] {
        let file = try open(path, .read)
        defer { close(file) }
        return try contents(of: path, limit: try size(of: file))
    }

    /// `replace` with what is held in memory.
    package func replace(_ path: String, in directory: String, with bytes: [UInt8]) throws(FileSystemError) {
        var piece: [UInt8]? = bytes
        try replace(path, in: directory) { () -> [UInt8]? in
            defer { piece = nil }
            return piece
        }
    }

    /// Puts a new file in place of the old one, if there is one, as a whole and durably. The directory must exist.
    ///
    /// - Parameter nextPiece: What the file holds, one piece after the other; `nil` at the end.
    package func replace(
        _ path: String,
        in directory: String,
        with nextPiece: () -> [UInt8]?
    ) throws(FileSystemError) {
        let new = path + ".new"
        let file = try openAnew(new)
        do throws(FileSystemError) {
            var end = 0
            while let piece = nextPiece() {
                try writeAll(file, piece, at: end)
                end += piece.count
            }
            try sync(file)
        } catch {
            close(file)
            // Not written again after a failed sync, no more than a segment is.
            try? remove(new)
            throw error
        }
        close(file)
        try rename(new, to: path)
        try syncDirectory(directory)
    }

    func writeAll(_ file: OpenFile, _ bytes: [UInt8], at offset: Int) throws(FileSystemError) {
        var failure: FileSystemError?
        bytes.withUnsafeBytes { buffer in
            do throws(FileSystemError) {
                try writeAll(file, buffer, at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
