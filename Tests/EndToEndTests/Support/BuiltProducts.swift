import Foundation
import Glibc

/// The programs under test, which lie beside the test bundle.
enum BuiltProducts {
    static let bridge = path(of: "b24bridge")
    static let cluster = path(of: "ClusterServer")
    static let jumpingClock = path(of: "libJumpingClock.so")

    private static func path(of name: String) -> String {
        let candidates = [
            CommandLine.arguments[0],
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "",
        ]
        .map { URL(filePath: $0).deletingLastPathComponent().appending(path: name).path }
        guard let found = candidates.first(where: FileManager.default.isExecutableFile) else {
            fatalError("\(name) is not built; it is looked for at \(candidates.joined(separator: " and "))")
        }
        return found
    }
}

/// A directory of its own, removed with its last reference.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "b24bridge-test-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    /// Replaces the file in one step, as an editor or Kubernetes does.
    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: file(name)), options: .atomic)
        return file(name)
    }
}

/// A pipe that children do not inherit unless they are given an end of it.
struct Pipes {
    let reading: Int32
    let writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reading, writing) = (ends[0], ends[1])
    }
}
