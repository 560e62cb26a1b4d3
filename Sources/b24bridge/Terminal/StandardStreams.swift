import Foundation

/// Words for people.
func writeToStandardError(_ text: String) {
    _ = write(Array(text.utf8), to: STDERR_FILENO)
}

/// Results. `false` when nobody can read them any more.
@discardableResult
func writeToStandardOutput(_ bytes: [UInt8]) -> Bool { write(bytes, to: STDOUT_FILENO) }

@discardableResult
func writeToStandardOutput(_ text: String) -> Bool { writeToStandardOutput(Array(text.utf8)) }

/// `FileHandle.write` ends the process when the other side of a pipe is gone.
private func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
            var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&entry, 1, -1)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}
