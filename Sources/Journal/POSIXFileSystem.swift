import Glibc

/// The file system of the machine. Interrupted calls are repeated.
package struct POSIXFileSystem: FileSystem {
    package init() {}

    package func makeDirectory(_ path: String) throws(FileSystemError) {
        if mkdir(path, 0o700) == 0 {
            return try syncDirectory(Self.parent(of: path))
        }
        switch errno {
        case EEXIST:
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
                throw FileSystemError(operation: "mkdir", path: path, code: ENOTDIR)
            }
        case ENOENT:
            let parent = Self.parent(of: path)
            guard parent != path else { throw FileSystemError(operation: "mkdir", path: path, code: ENOENT) }
            try makeDirectory(parent)
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.failure("mkdir", path) }
            try syncDirectory(parent)
        default:
            throw Self.failure("mkdir", path)
        }
    }

    package func entries(of directory: String) throws(FileSystemError) -> [FileEntry] {
        guard let stream = opendir(directory) else { throw Self.failure("opendir", directory) }
        defer { closedir(stream) }
        var found: [FileEntry] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw Self.failure("readdir", directory) }
                return found
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            guard name != ".", name != "..",
                fstatat(dirfd(stream), name, &status, 0) == 0
                    || fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0
            else { continue }
            let modified = UInt64(max(0, status.st_mtim.tv_sec)) * 1000 + UInt64(status.st_mtim.tv_nsec) / 1_000_000
            let isFile = status.st_mode & S_IFMT == S_IFREG
            found.append(FileEntry(name: name, bytes: Int(status.st_size), modifiedAt: modified, isFile: isFile))
        }
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> OpenFile {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .createNew: O_WRONLY | O_CREAT | O_EXCL
            case .lock: O_RDWR | O_CREAT
            }
        let descriptor = Self.retrying { Int(Glibc.open(path, flags | O_CLOEXEC, 0o600)) }
        guard descriptor >= 0 else { throw Self.failure("open", path) }
        return OpenFile(descriptor: Int32(descriptor), path: path)
    }

    package func close(_ file: OpenFile) {
        _ = Glibc.close(file.descriptor)
    }

    package func tryLock(_ file: OpenFile) throws(FileSystemError) -> Bool {
        if Self.retrying({ Int(flock(file.descriptor, LOCK_EX | LOCK_NB)) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw Self.failure("flock", file.path) }
        return false
    }

    package func read(
        _ file: OpenFile,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) throws(FileSystemError) -> Int {
        let count = Self.retrying { pread(file.descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
        guard count >= 0 else { throw Self.failure("read", file.path) }
        return count
    }

    package func write(
        _ file: OpenFile,
        _ bytes: UnsafeRawBufferPointer,
        at offset: Int
    ) throws(FileSystemError) -> Int {
        let count = Self.retrying { pwrite(file.descriptor, bytes.baseAddress, bytes.count, off_t(offset)) }
        guard count >= 0 else { throw Self.failure("write", file.path) }
        return count
    }

    // A sync is never repeated after a failure: the second call may report success for pages that the first one lost.
    package func syncData(_ file: OpenFile) throws(FileSystemError) {
        guard fdatasync(file.descriptor) == 0 else { throw Self.failure("fdatasync", file.path) }
    }

    package func sync(_ file: OpenFile) throws(FileSystemError) {
        guard fsync(file.descriptor) == 0 else { throw Self.failure("fsync", file.path) }
    }

    package func syncDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = Self.retrying { Int(Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) }
        guard descriptor >= 0 else { throw Self.failure("open", path) }
        defer { _ = Glibc.close(Int32(descriptor)) }
        guard fsync(Int32(descriptor)) == 0 else { throw Self.failure("fsync", path) }
    }

    package func size(of file: OpenFile) throws(FileSystemError) -> Int {
        var status = stat()
        guard fstat(file.descriptor, &status) == 0 else { throw Self.failure("fstat", file.path) }
        return Int(status.st_size)
    }

    package func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        guard Glibc.rename(path, newPath) == 0 else { throw Self.failure("rename", path) }
    }

    package func remove(_ path: String) throws(FileSystemError) {
        guard unlink(path) == 0 else { throw Self.failure("unlink", path) }
    }

    private static func retrying(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    private static func failure(_ operation: String, _ path: String) -> FileSystemError {
        FileSystemError(operation: operation, path: path, code: errno)
    }

    private static func parent(of path: String) -> String {
        var trimmed = Substring(path)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }
}
