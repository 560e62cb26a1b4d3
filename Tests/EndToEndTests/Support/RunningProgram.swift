import Foundation
import Glibc
import Locks
import Synchronization
import Testing

/// A process of ours: its output in files, its end waited for with a bound, killed with its last reference.
final class RunningProgram: Sendable {
    enum Output: Sendable {
        /// Into a file of this program's folder.
        case file
        /// Into a descriptor, for example a pipe that nobody reads.
        case descriptor(Int32)
    }

    /// How a program ended.
    enum End: Equatable, Sendable {
        case exit(Int32)
        case signal(Int32)
    }

    let folder: Folder
    let identifier: pid_t
    private let end = Guarded<End?>(nil)

    init(
        _ program: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        input: Int32? = nil,
        output: Output = .file,
        errors: Output = .file,
        folder: Folder? = nil
    ) throws {
        let folder = try folder ?? Folder()
        self.folder = folder
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        for (target, destination, name) in [(Int32(1), output, "stdout"), (2, errors, "stderr")] {
            switch destination {
            case .file:
                let flags = O_WRONLY | O_CREAT | O_APPEND
                posix_spawn_file_actions_addopen(&actions, target, folder.file(name), flags, 0o600)
            case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, target)
            }
        }
        // Not the signal mask of the test process.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("B24_") }
        inherited.merge(environment) { _, new in new }
        // posix_spawn cannot change the directory portably; the shell can, and gives its process to the program.
        let launch = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder.path, program] + arguments
        var words: [UnsafeMutablePointer<CChar>?] = launch.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = inherited.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, launch[0], &actions, &attributes, &words, &variables)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL) }
        self.identifier = identifier
    }

    deinit {
        guard currentEnd() == nil else { return }
        kill(identifier, SIGKILL)
        _ = waitpid(identifier, nil, 0)
    }

    var standardOutput: String { text("stdout") }
    var standardError: String { text("stderr") }

    private func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: folder.file(name)) ?? Data(), as: UTF8.self)
    }

    func send(_ signal: Int32) {
        // Only while it is a child that was not waited for; its number could be another's by now.
        guard currentEnd() == nil else { return }
        kill(identifier, signal)
    }

    /// How it ended; `nil` while it runs.
    func currentEnd() -> End? {
        end.withLock { end in
            if let end { return end }
            var status: Int32 = 0
            guard waitpid(identifier, &status, WNOHANG) == identifier else { return nil }
            end = status & 0x7F == 0 ? .exit(status >> 8 & 0xFF) : .signal(status & 0x7F)
            return end
        }
    }

    func waitForEnd(
        within limit: Duration = .seconds(20),
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> End {
        try await eventually("process \(identifier) ends", within: limit, sourceLocation: sourceLocation) {
            currentEnd()
        }
    }

    /// Ends it as kill -9 does.
    func killAtOnce() async throws {
        send(SIGKILL)
        _ = try await waitForEnd()
    }
}

/// What a command that ends by itself has done.
struct CommandResult {
    let end: RunningProgram.End
    let output: String
    let errors: String
    var outputLines: [Substring] { output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() }
    var errorLines: [Substring] { errors.split(separator: "\n") }
}

/// Runs `b24bridge` to its end.
func runBridge(
    _ arguments: [String],
    input: [UInt8]? = nil,
    environment: [String: String] = [:],
    folder: Folder? = nil,
    within limit: Duration = .seconds(30),
    sourceLocation: SourceLocation = #_sourceLocation
) async throws -> CommandResult {
    let scratch = try Folder()
    var descriptor: Int32?
    if let input {
        let path = scratch.file("stdin")
        try Data(input).write(to: URL(filePath: path))
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
    }
    defer { if let descriptor { close(descriptor) } }
    let output = open(scratch.file("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    let errors = open(scratch.file("err"), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer {
        close(output)
        close(errors)
    }
    let program = try RunningProgram(
        BuiltProducts.bridge,
        arguments,
        environment: environment,
        input: descriptor,
        output: .descriptor(output),
        errors: .descriptor(errors),
        folder: folder
    )
    let end = try await program.waitForEnd(within: limit, sourceLocation: sourceLocation)
    func text(_ name: String) -> String {
        String(decoding: FileManager.default.contents(atPath: scratch.file(name)) ?? Data(), as: UTF8.self)
    }
    return CommandResult(end: end, output: text("out"), errors: text("err"))
}
