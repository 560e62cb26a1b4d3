import Foundation
import Glibc
import Journal
import Locks
import Synchronization

/// The real file system, whose syncs fail on demand, and which knows what a power loss would leave: of a file what its last
/// successful sync saw, of a directory what its last sync saw.
final class FailingFileSystem: FileSystem {
    enum Operation: Equatable {
        case create(String)
        case write(String)
        case sync(String)
        case failedSync(String)
        case syncDirectory(String)
    }

    private struct State {
        var failures = 0
        var operations: [Operation] = []
        /// By inode.
        var data: [UInt64: [UInt8]] = [:]
        /// Inodes by path.
        var names: [String: UInt64] = [:]
    }

    private let real = POSIXFileSystem()
    private let state = Guarded(State())

    /// The next so many syncs of segments fail.
    func failSyncs(_ count: Int) { state.withLock { $0.failures = count } }

    var operations: [Operation] { state.withLock { $0.operations } }

    /// Writes what would be left of `directory` to `target`.
    func losePower(of directory: String, to target: String) throws {
        let files = FileManager.default
        let (names, data) = state.withLock { ($0.names, $0.data) }
        for (path, inode) in names where path.hasPrefix(directory + "/") {
            let copy = target + path.dropFirst(directory.count)
            try files.createDirectory(
                atPath: URL(filePath: copy).deletingLastPathComponent().path,
                withIntermediateDirectories: true
            )
            try Data(data[inode] ?? []).write(to: URL(filePath: copy))
        }
    }

    private func note(_ operation: Operation) { state.withLock { $0.operations.append(operation) } }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private func synced(_ file: OpenFile, _ operation: () throws(FileSystemError) -> Void) throws(FileSystemError) {
        let fails = state.withLock { state in
            guard state.failures > 0, file.path.hasSuffix(".segment") else { return false }
            state.failures -= 1
            return true
        }
        if fails {
            note(.failedSync(file.path))
            throw FileSystemError(operation: "fdatasync", path: file.path, code: EIO)
        }
        // Before the sync: what is written meanwhile is not in it for certain.
        let data = FileManager.default.contents(atPath: file.path).map { Array($0) }
        try operation()
        var status = stat()
        guard fstat(file.descriptor, &status) == 0 else { return }
        state.withLock { state in
            state.data[UInt64(status.st_ino)] = data
            state.operations.append(.sync(file.path))
        }
    }

    // MARK: FileSystem

    func makeDirectory(_ path: String) throws(FileSystemError) { try real.makeDirectory(path) }
    func entries(of directory: String) throws(FileSystemError) -> [FileEntry] { try real.entries(of: directory) }

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> OpenFile {
        let file = try real.open(path, mode)
        if mode == .createNew { note(.create(path)) }
        return file
    }

    func close(_ file: OpenFile) { real.close(file) }
    func tryLock(_ file: OpenFile) throws(FileSystemError) -> Bool { try real.tryLock(file) }

    func read(
        _ file: OpenFile,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) throws(FileSystemError) -> Int {
        try real.read(file, into: buffer, at: offset)
    }

    func write(_ file: OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int {
        note(.write(file.path))
        return try real.write(file, bytes, at: offset)
    }

    func syncData(_ file: OpenFile) throws(FileSystemError) {
        try synced(file) { () throws(FileSystemError) in try real.syncData(file) }
    }

    func sync(_ file: OpenFile) throws(FileSystemError) {
        try synced(file) { () throws(FileSystemError) in try real.sync(file) }
    }

    func syncDirectory(_ path: String) throws(FileSystemError) {
        let names = try real.entries(of: path).filter(\.isFile).map { path + "/" + $0.name }
        let inodes = names.map { ($0, Self.inode($0)) }
        try real.syncDirectory(path)
        state.withLock { state in
            state.names = state.names.filter { URL(filePath: $0.key).deletingLastPathComponent().path != path }
            for case (let name, let inode?) in inodes { state.names[name] = inode }
            state.operations.append(.syncDirectory(path))
        }
    }

    func size(of file: OpenFile) throws(FileSystemError) -> Int { try real.size(of: file) }
    func rename(_ path: String, to newPath: String) throws(FileSystemError) { try real.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileSystemError) { try real.remove(path) }
}
