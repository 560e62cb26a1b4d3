import Foundation
import Glibc
import Testing

/// A real browser without a screen.
enum Chromium {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static let isMissing: Comment = "there is no /usr/bin/chromium; `make setup-tests` installs it where it can"

    /// Opens an address while `body` runs.
    ///
    /// - Parameter virtualSeconds: Time in the browser runs as fast as it can, so far.
    static func withPage<Value>(
        _ address: String,
        virtualSeconds: Int? = nil,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let directory = try TemporaryDirectory()
        let arguments =
            // The stage looks into the frame, which is of another origin.
            try arguments(directory) + ["--disable-web-security"]
            + (virtualSeconds.map { ["--virtual-time-budget=\($0 * 1000)", "--dump-dom"] } ?? []) + [address]
        let process = try start(arguments)
        do {
            let value = try await body()
            try await end(process)
            return value
        } catch {
            try await end(process)
            throw error
        }
    }

    static func arguments(_ directory: TemporaryDirectory) throws -> [String] {
        [
            try #require(path), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
            "--user-data-dir=\(directory.path)",
        ]
    }

    /// In a group of its own, so that its many helpers end with it.
    ///
    /// - Parameter descriptors: become those from 3 on, in their order. Above 10.
    static func start(_ arguments: [String], passing descriptors: [CInt] = []) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        for (index, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(3 + index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)
        )
        // Without the descriptors of this process: for the other side, a socket that lives on in a browser is never closed. And
        // it ends when this process does, however that comes.
        let shell = """
            for file in /proc/self/fd/*; do number=${file##*/}; [ "$number" -gt \(2 + descriptors.count) ] && eval "exec $number>&-"; done
            "$@" & browser=$!
            while kill -0 $PPID && kill -0 $browser; do sleep 1; done
            kill -9 $browser
            """
        let launch = ["/bin/bash", "-c", shell, "bash"] + arguments
        var words: [UnsafeMutablePointer<CChar>?] = launch.map { strdup($0) } + [nil]
        let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, launch[0], &actions, &attributes, &words, &variables)
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EINVAL) }
        return identifier
    }

    static func end(_ process: pid_t) async throws {
        kill(-process, SIGKILL)
        try await wait(for: "the browser to end") { waitpid(process, nil, WNOHANG) != 0 }
    }
}
