import Glibc
import Synchronization

/// Writes lines to a descriptor without being caught in `write`.
struct DescriptorWriter: ~Copyable, Sendable {
    /// What a pipe takes in one piece: POSIX's `PIPE_BUF` as Linux has it (pipe(7)).
    private static let pieceBytes = 4096
    /// How long a wait for room may overlook ``giveUp()``.
    private static let pollMilliseconds: Int32 = 50

    private let descriptor: Int32
    private let abandoned = Atomic<Bool>(false)

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// From now on nothing waits for room any more: what cannot be written at once is not.
    func giveUp() {
        abandoned.store(true, ordering: .relaxed)
    }

    /// Writes whole lines in pieces of whole lines; a line longer than a piece is split.
    /// - Returns: the bytes written. Less than all when writing failed or was given up; then the line at that place may
    ///   be there in part.
    func write(lines: [UInt8]) -> Int {
        var start = 0
        while start < lines.count {
            var end = min(start + Self.pieceBytes, lines.count)
            if let feed = lines[start..<end].lastIndex(of: UInt8(ascii: "\n")) { end = feed + 1 }
            guard write(lines[start..<end]) else { return start }
            start = end
        }
        return start
    }

    /// - Returns: whether the whole piece was written.
    func write(_ piece: ArraySlice<UInt8>) -> Bool {
        var rest = piece
        while !rest.isEmpty {
            guard waitForRoom() else { return false }
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min($0.count, Self.pieceBytes)) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR && errno != EAGAIN {
                return false
            }
        }
        return true
    }

    private func waitForRoom() -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while true {
            let ready = poll(&entry, 1, abandoned.load(ordering: .relaxed) ? 0 : Self.pollMilliseconds)
            // An error or a hang-up counts as ready: the write says what it is.
            if ready > 0 { return true }
            if ready < 0 && errno != EINTR { return false }
            if ready == 0 && abandoned.load(ordering: .relaxed) { return false }
        }
    }
}
