import Glibc

/// Reads a whole file of bounded size.
enum BoundedFile {
    struct Problem: Error {
        /// Follows the file's path: `cannot be read: No such file or directory`.
        let text: String
    }

    /// - Parameter limit: a larger file is a problem.
    static func read(_ path: String, limit: Int) throws(Problem) -> [UInt8] {
        guard !path.utf8.contains(0) else { throw Problem(text: "cannot be read: its name holds a NUL") }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Problem(text: "cannot be read: \(reason(errno))") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Problem(text: "cannot be read: \(reason(errno))") }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= limit else { throw Problem(text: "is larger than \(Quantity.format(bytes: limit))") }
        }
    }

    private static func reason(_ code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
