import Glibc

/// Two directories change their names in one step: after any crash both are whole, each under one of the two names.
package enum DirectoryExchange {
    private typealias Function =
        @convention(c) (
            Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32
        ) -> Int32

    /// Both lie in `parent`, which is synced. Throws, with nothing changed, on a file system that cannot do it.
    ///
    /// - Returns: why a power loss may take back what is done, if `parent` could not be synced.
    package static func exchange(
        _ name: String,
        _ other: String,
        in parent: String,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) throws(JournalError) -> JournalError? {
        do throws(FileSystemError) {
            try rename("\(parent)/\(name)", "\(parent)/\(other)")
        } catch {
            throw JournalError(error)
        }
        do throws(FileSystemError) {
            try fileSystem.syncDirectory(parent)
            return nil
        } catch {
            return JournalError(error)
        }
    }

    private static func rename(_ path: String, _ other: String) throws(FileSystemError) {
        // Glibc's headers hide it from Swift. The flag is RENAME_EXCHANGE of linux/fs.h.
        guard let symbol = dlsym(nil, "renameat2") else {
            throw FileSystemError(operation: "exchange", path: path, code: ENOSYS)
        }
        let function = unsafeBitCast(symbol, to: Function.self)
        guard function(AT_FDCWD, path, AT_FDCWD, other, 2) == 0 else {
            throw FileSystemError(operation: "exchange", path: path, code: errno)
        }
    }
}
