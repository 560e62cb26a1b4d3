import ArgumentParser
import Foundation

/// Words for people.
func writeToStandardError(_ text: String) {
    // Where nobody can be told, there is nobody to tell.
    _ = write(Array(text.utf8), to: STDERR_FILENO)
}

/// Results.
///
/// - Returns: `false` when whoever read them has gone: a pipe such as `| head` may end without a word.
/// - Throws: `ExitCode.failure` after it has said why they cannot be written: on a full disk they would be cut short and
///   look whole.
@discardableResult
func writeToStandardOutput(_ bytes: [UInt8]) throws -> Bool {
    let code = write(bytes, to: STDOUT_FILENO)
    if code == 0 { return true }
    if code == EPIPE { return false }
    writeToStandardError(
        "standard output cannot be written: \(String(cString: strerror(code))); what is there is cut short. "
            + "\(mend(of: code))\n"
    )
    throw ExitCode.failure
}

@discardableResult
func writeToStandardOutput(_ text: String) throws -> Bool { try writeToStandardOutput(Array(text.utf8)) }

private func mend(of code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: "Make room on that disk, or send the output to another one."
    case EFBIG: "Raise the limit of file size (ulimit -f)."
    case EBADF: "It is closed; send it to a file, a pipe or a terminal."
    default: "Send it to another file or disk."
    }
}

/// `FileHandle.write` ends the process when the other side of a pipe is gone.
///
/// - Returns: 0, or the error that ended it.
private func write(_ bytes: [UInt8], to descriptor: Int32) -> Int32 {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&entry, 1, -1)
        } else if errno != EINTR {
            return errno
        }
    }
    return 0
}
