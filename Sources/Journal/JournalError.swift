import Glibc

/// Why the journal, or one operation of it, failed. ``description`` names the file and the mend.
package struct JournalError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A setting has a value that cannot work.
        case configuration
        /// Another process, or another journal of this one, has the directory open.
        case locked
        /// The disk has no room (ENOSPC, EDQUOT).
        case noSpace
        /// Any other failure of an operation on a file.
        case inputOutput
    }

    package let code: Code
    /// The file or directory concerned.
    package let path: String
    /// `errno`, or 0 where no system call failed.
    package let systemCode: Int32
    package let description: String

    /// The file or directory is not there.
    package var isMissing: Bool { systemCode == ENOENT }

    static func configuration(_ words: String, path: String) -> JournalError {
        JournalError(code: .configuration, path: path, systemCode: 0, description: "journal: \(words)")
    }

    static func locked(_ directory: String) -> JournalError {
        JournalError(
            code: .locked,
            path: directory,
            systemCode: 0,
            description: "journal directory \(directory) is in use by another process: "
                + "stop that process, or give this one a directory of its own"
        )
    }

    init(_ error: FileSystemError) {
        self.init(
            code: error.isNoSpace ? .noSpace : .inputOutput,
            path: error.path,
            systemCode: error.code,
            description: "journal: \(error.operation) \(error.path) failed: \(error.words): \(Self.mend(for: error))"
        )
    }

    private init(code: Code, path: String, systemCode: Int32, description: String) {
        self.code = code
        self.path = path
        self.systemCode = systemCode
        self.description = description
    }

    private static func mend(for error: FileSystemError) -> String {
        switch error.code {
        case ENOSPC, EDQUOT: "free room on the volume, or enlarge it"
        case EACCES, EPERM: "give the user of this process the right to write there"
        case EROFS: "mount the volume writable"
        case ENOENT: "check that the directory exists and its volume is mounted"
        case EFBIG: "raise the limit of file size of this process (ulimit -f, LimitFSIZE), or lower segmentBytes"
        case EINVAL where error.operation == "exchange", ENOSYS where error.operation == "exchange":
            "this file system cannot exchange two directories: copy the volume to ext4, XFS or Btrfs"
        case EMFILE, ENFILE: "raise the limit of open files"
        default: "check the volume and the kernel log"
        }
    }
}
