import Foundation
import Glibc
import Logging
import Synchronization
import Testing

@testable import Telemetry

/// A pipe with a log output at one end. What was written is read when the output is closed.
final class LogCapture {
    let output: LogOutput
    let readEnd: Int32
    let writeEnd: Int32

    init(_ format: LogFormat, capacityBytes: Int = 1 << 20) throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (readEnd, writeEnd) = (ends[0], ends[1])
        output = LogOutput(descriptor: writeEnd, format: format, capacityBytes: capacityBytes)
    }

    deinit {
        output.close(within: .zero)
        close(readEnd)
        close(writeEnd)
    }

    /// Closes the output and gives its lines.
    func lines() throws -> [String] {
        let reader = PipeReader(descriptor: readEnd)
        let written = output.close(within: .seconds(5))
        closeWriteEnd()
        try #require(written, "the output could not write its lines within 5 s")
        return try #require(reader.lines(within: .seconds(5)), "the pipe did not end within 5 s")
    }

    func closeReadEnd() {
        // The number stays taken, so that no other test's descriptor is closed in its place.
        let null = open("/dev/null", O_RDONLY)
        dup2(null, readEnd)
        close(null)
    }

    func closeWriteEnd() {
        let null = open("/dev/null", O_WRONLY)
        dup2(null, writeEnd)
        close(null)
    }

    func objects() throws -> [[String: Any]] {
        try lines().map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            return try #require(object as? [String: Any])
        }
    }
}

/// The `LogHandler` behind a `Logger`, so that no test needs the process-wide bootstrap.
func logger(_ capture: LogCapture, label: String = "test", level: Logger.Level = .trace) -> Logger {
    Logger(label: label) { capture.output.handler(label: $0, level: level) }
}

/// Reads a capture's pipe to its end on a thread of its own.
final class PipeReader: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let result: Box

    /// Written by the reading thread before `done` is signalled and read after it.
    private final class Box: @unchecked Sendable { var lines: [String] = [] }

    init(descriptor: Int32) {
        let result = Box()
        let done = done
        self.result = result
        Thread {
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while case let count = read(descriptor, &chunk, chunk.count), count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            }
            result.lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            done.signal()
        }.start()
    }

    func lines(within limit: DispatchTimeInterval) -> [String]? {
        done.wait(timeout: .now() + limit) == .success ? result.lines : nil
    }
}
