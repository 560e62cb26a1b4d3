import Foundation
import Journal
import Locks
import Synchronization

/// A file system in memory that knows what is durable, fails on demand, and can lose power.
///
/// Durable is: of a file, what its last successful sync saw; of a directory, what its last sync saw. A power loss keeps
/// that, and of the rest any part: any 512-byte sectors of unsynced writes, any of the unsynced directory changes.
final class SimulatedFileSystem: FileSystem {
    enum Kind: String, Sendable, CaseIterable {
        case create, write, syncData, sync, syncDirectory, rename, remove, read, open
    }

    struct Operation: Sendable {
        let kind: Kind
        let path: String
        /// Counts the operations that change something; reads and opens have the index of the next one.
        let index: Int
    }

    enum Fault: Sendable {
        case error(Int32)
        /// Half of the bytes are written, then the call fails.
        case halfWrite(Int32)
        /// From here on everything fails.
        case powerLoss
    }

    private final class Inode {
        var data: [UInt8] = []
        var durable: [UInt8] = []
        var isTainted = false
        var modifiedAt: UInt64 = 0
    }

    private enum Change {
        case link(String, Inode)
        case unlink(String)
    }

    private struct State {
        var live: [String: Inode] = [:]
        var durable: [String: Inode] = [:]
        var pending: [Change] = []
        var directories: Set<String> = []
        var files: [Int32: (inode: Inode, path: String)] = [:]
        var locks: [String: Int32] = [:]
        var lockTries = 0
        var refusedLockTries = 0
        var nextDescriptor: Int32 = 3
        var index = 0
        var log: [Operation] = []
        var isDown = false
        var violations: [String] = []
        var capacity = Int.max
    }

    private struct Box: @unchecked Sendable {  // inodes are only touched under the lock
        var state = State()
    }

    private let box = Guarded(Box())
    private let fault: Guarded<@Sendable (Operation) -> Fault?>

    init(fault: @escaping @Sendable (Operation) -> Fault? = { _ in nil }) {
        self.fault = Guarded(fault)
    }

    func setFault(_ fault: @escaping @Sendable (Operation) -> Fault?) {
        self.fault.withLock { $0 = fault }
    }

    var operations: [Operation] { box.withLock { $0.state.log } }
    var operationCount: Int { box.withLock { $0.state.index } }
    /// Writes or syncs of a file after one of its syncs or writes failed.
    var violations: [String] { box.withLock { $0.state.violations } }
    var paths: [String] { box.withLock { $0.state.live.keys.sorted() } }
    var capacity: Int {
        get { box.withLock { $0.state.capacity } }
        set { box.withLock { $0.state.capacity = newValue } }
    }

    /// Somebody else has every lock for the first so many tries.
    func refuseLocks(tries: Int) { box.withLock { $0.state.refusedLockTries = tries } }
    var lockTries: Int { box.withLock { $0.state.lockTries } }

    func contents(_ path: String) -> [UInt8]? { box.withLock { $0.state.live[path]?.data } }

    func setContents(_ path: String, _ bytes: [UInt8]?) {
        box.withLock { box in
            let inode = bytes.map { bytes in
                let inode = Inode()
                inode.data = bytes
                inode.durable = bytes
                return inode
            }
            box.state.live[path] = inode
            box.state.durable[path] = inode
        }
    }

    /// The disk as it is now, or as it is after a power loss.
    func copy(afterPowerLoss seed: UInt64? = nil) -> SimulatedFileSystem {
        let copy = SimulatedFileSystem()
        let files = box.withLock { box -> [String: [UInt8]] in
            guard let seed else { return box.state.live.mapValues(\.data) }
            var random = SplitMix(seed)
            var names = box.state.durable
            // Those up to some moment, as a file system with a journal of its own keeps them, or any.
            let pending = box.state.pending
            let end = pending.isEmpty || seed % 2 == 1 ? pending.count : Int(random.next() % UInt64(pending.count + 1))
            for change in pending.prefix(end) where seed % 2 == 0 || random.next() % 2 == 0 {
                switch change {
                case .link(let path, let inode): names[path] = inode
                case .unlink(let path): names[path] = nil
                }
            }
            return names.mapValues { Self.survivor($0, &random) }
        }
        for (path, bytes) in files { copy.setContents(path, bytes) }
        let directories = box.withLock { $0.state.directories }
        copy.box.withLock { $0.state.directories = directories }
        return copy
    }

    private static func survivor(_ inode: Inode, _ random: inout SplitMix) -> [UInt8] {
        guard inode.data != inode.durable else { return inode.durable }
        switch random.next() % 3 {
        case 0: return inode.durable
        case 1 where !inode.isTainted: return inode.data
        default:
            var bytes = inode.durable
            for start in stride(from: 0, to: inode.data.count, by: 512) where random.next() % 2 == 0 {
                let end = min(start + 512, inode.data.count)
                if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
                bytes.replaceSubrange(start..<end, with: inode.data[start..<end])
            }
            return bytes
        }
    }

    // MARK: FileSystem

    private func enter(_ kind: Kind, _ path: String) throws(FileSystemError) -> Fault? {
        let changes = kind != .read && kind != .open
        let (operation, isDown) = box.withLock { box -> (Operation, Bool) in
            let operation = Operation(kind: kind, path: path, index: box.state.index)
            if changes, !box.state.isDown {
                box.state.index += 1
                box.state.log.append(operation)
            }
            return (operation, box.state.isDown)
        }
        if isDown { throw FileSystemError(operation: kind.rawValue, path: path, code: EIO) }
        let fault = fault.withLock { $0 }(operation)
        switch fault {
        case .error(let code):
            throw FileSystemError(operation: kind.rawValue, path: path, code: code)
        case .powerLoss:
            box.withLock { $0.state.isDown = true }
            throw FileSystemError(operation: kind.rawValue, path: path, code: EIO)
        case .halfWrite, nil: return fault
        }
    }

    private func taint(_ file: OpenFile) {
        box.withLock { $0.state.files[file.descriptor]?.inode.isTainted = true }
    }

    func makeDirectory(_ path: String) throws(FileSystemError) {
        box.withLock { _ = $0.state.directories.insert(path) }
    }

    func entries(of directory: String) throws(FileSystemError) -> [FileEntry] {
        let entries: [FileEntry]? = box.withLock { box in
            guard box.state.directories.contains(directory) else { return nil }
            return box.state.live.compactMap { path, inode in
                guard path.hasPrefix(directory + "/") else { return nil }
                let name = String(path.dropFirst(directory.count + 1))
                guard !name.contains("/") else { return nil }
                return FileEntry(name: name, bytes: inode.data.count, modifiedAt: inode.modifiedAt)
            }
                + box.state.directories.compactMap { path in
                    guard path.hasPrefix(directory + "/") else { return nil }
                    return FileEntry(
                        name: String(path.dropFirst(directory.count + 1)),
                        bytes: 0,
                        modifiedAt: 0,
                        isFile: false
                    )
                }
        }
        guard let entries else { throw FileSystemError(operation: "opendir", path: directory, code: ENOENT) }
        return entries
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> OpenFile {
        let (exists, isDirectory) = box.withLock { box in
            (box.state.live[path] != nil, box.state.directories.contains(path))
        }
        if isDirectory {
            throw FileSystemError(operation: "open", path: path, code: mode == .createNew ? EEXIST : EISDIR)
        }
        let creates =
            switch mode {
            case .read: false
            case .createNew: true
            case .lock: !exists
            }
        if mode == .createNew, exists { throw FileSystemError(operation: "open", path: path, code: EEXIST) }
        if mode == .read, !exists { throw FileSystemError(operation: "open", path: path, code: ENOENT) }
        _ = try enter(creates ? .create : .open, path)
        return box.withLock { box in
            let inode = box.state.live[path] ?? Inode()
            if box.state.live[path] == nil {
                box.state.live[path] = inode
                box.state.pending.append(.link(path, inode))
            }
            let descriptor = box.state.nextDescriptor
            box.state.nextDescriptor += 1
            box.state.files[descriptor] = (inode, path)
            return OpenFile(descriptor: descriptor, path: path)
        }
    }

    func close(_ file: OpenFile) {
        box.withLock { box in
            box.state.files[file.descriptor] = nil
            if box.state.locks[file.path] == file.descriptor { box.state.locks[file.path] = nil }
        }
    }

    func tryLock(_ file: OpenFile) throws(FileSystemError) -> Bool {
        box.withLock { box in
            box.state.lockTries += 1
            guard box.state.lockTries > box.state.refusedLockTries else { return false }
            guard box.state.locks[file.path] == nil else { return false }
            box.state.locks[file.path] = file.descriptor
            return true
        }
    }

    func read(
        _ file: OpenFile,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) throws(FileSystemError) -> Int {
        _ = try enter(.read, file.path)
        let data = box.withLock { $0.state.files[file.descriptor]?.inode.data ?? [] }
        guard offset < data.count else { return 0 }
        let count = min(buffer.count, data.count - offset)
        buffer.copyBytes(from: data[offset..<(offset + count)])
        return count
    }

    func write(_ file: OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int {
        let fault: Fault?
        do {
            fault = try enter(.write, file.path)
        } catch {
            taint(file)
            throw error
        }
        var count = bytes.count
        if case .halfWrite = fault { count /= 2 }
        let part = Array(bytes.prefix(count))
        let hasRoom = box.withLock { box -> Bool in
            guard let inode = box.state.files[file.descriptor]?.inode else { return true }
            if inode.isTainted { box.state.violations.append("write of \(file.path) after a failure") }
            let used = box.state.live.values.reduce(0) { $0 + $1.data.count }
            let grows = max(0, offset + part.count - inode.data.count)
            guard used + grows <= box.state.capacity else { return false }
            if inode.data.count < offset + part.count {
                inode.data += [UInt8](repeating: 0, count: offset + part.count - inode.data.count)
            }
            inode.data.replaceSubrange(offset..<(offset + part.count), with: part)
            return true
        }
        if !hasRoom {
            taint(file)
            throw FileSystemError(operation: "write", path: file.path, code: ENOSPC)
        }
        if case .halfWrite(let code) = fault {
            taint(file)
            throw FileSystemError(operation: "write", path: file.path, code: code)
        }
        return count
    }

    private func sync(_ kind: Kind, _ file: OpenFile) throws(FileSystemError) {
        do {
            _ = try enter(kind, file.path)
        } catch {
            taint(file)
            throw error
        }
        box.withLock { box in
            guard let inode = box.state.files[file.descriptor]?.inode else { return }
            if inode.isTainted { box.state.violations.append("sync of \(file.path) after a failure") }
            inode.durable = inode.data
        }
    }

    func syncData(_ file: OpenFile) throws(FileSystemError) { try sync(.syncData, file) }
    func sync(_ file: OpenFile) throws(FileSystemError) { try sync(.sync, file) }

    func syncDirectory(_ path: String) throws(FileSystemError) {
        _ = try enter(.syncDirectory, path)
        box.withLock { box in
            box.state.durable = box.state.live
            box.state.pending = []
        }
    }

    func size(of file: OpenFile) throws(FileSystemError) -> Int {
        box.withLock { $0.state.files[file.descriptor]?.inode.data.count ?? 0 }
    }

    func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        _ = try enter(.rename, path)
        box.withLock { box in
            guard let inode = box.state.live.removeValue(forKey: path) else { return }
            box.state.live[newPath] = inode
            // One change: a rename is atomic, and the old name does not matter.
            box.state.pending.append(.link(newPath, inode))
        }
    }

    func remove(_ path: String) throws(FileSystemError) {
        _ = try enter(.remove, path)
        let existed = box.withLock { box in
            box.state.pending.append(.unlink(path))
            return box.state.live.removeValue(forKey: path) != nil
        }
        if !existed { throw FileSystemError(operation: "unlink", path: path, code: ENOENT) }
    }
}

struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
