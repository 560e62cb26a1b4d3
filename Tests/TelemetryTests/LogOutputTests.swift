import Foundation
import Glibc
import Logging
import Testing

@testable import Telemetry

@Suite("Log output")
struct LogOutputTests {
    private func line(_ text: String) -> [UInt8] { Array("\(text)\n".utf8) }

    @Test("Lines arrive whole and in order, also long ones")
    func order() throws {
        let capture = try LogCapture(.text)
        let lines = (0..<200).map { index in "\(index) " + String(repeating: "x", count: index * 37) }
        // The pipe holds 64 KiB, so somebody has to read.
        let reader = PipeReader(descriptor: capture.readEnd)
        for text in lines { capture.output.write(line(text)) }
        #expect(capture.output.flush(within: .seconds(5)))
        capture.output.close(within: .seconds(5))
        capture.closeWriteEnd()
        #expect(reader.lines(within: .seconds(5)) == lines)
    }

    @Test("Lines of many threads are not mixed")
    func manyThreads() throws {
        let capture = try LogCapture(.json, capacityBytes: 4 << 20)
        let reader = PipeReader(descriptor: capture.readEnd)
        let output = capture.output
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            let log = Logger(label: "t\(thread)") { output.handler(label: $0) }
            for index in 0..<500 { log.info("m", metadata: ["n": .stringConvertible(index)]) }
        }
        capture.output.close(within: .seconds(5))
        capture.closeWriteEnd()
        var next = [String: Int]()
        for line in try #require(reader.lines(within: .seconds(5))) {
            let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let label = try #require(object["logger"] as? String)
            #expect(object["n"] as? Int == next[label, default: 0])
            next[label, default: 0] += 1
        }
        #expect(next.count == 8 && next.values.allSatisfy { $0 == 500 })
    }

    @Test(
        "When nobody reads, writing does not wait; what is dropped is counted and told",
        arguments: LogFormat.allCases
    )
    func fullPipe(format: LogFormat) throws {
        let capture = try LogCapture(format, capacityBytes: 128 * 1024)
        let text = String(repeating: "x", count: 1000)
        let count = 5000
        let started = ContinuousClock.now
        for index in 0..<count { capture.output.write(line("\(index) \(text)")) }
        #expect(started.duration(to: .now) < .seconds(2))
        let dropped = capture.output.droppedLines
        #expect(dropped > 0 && dropped < count)
        #expect(!capture.output.flush(within: .milliseconds(20)))
        // Now somebody reads again.
        let reader = PipeReader(descriptor: capture.readEnd)
        #expect(capture.output.flush(within: .seconds(5)))
        capture.output.write(line("after"))
        capture.output.close(within: .seconds(5))
        capture.closeWriteEnd()
        let lines = try #require(reader.lines(within: .seconds(5)))
        #expect(lines.last == "after")
        let payload = lines.filter { $0.hasSuffix(text) }
        #expect(payload.count == count - dropped)
        #expect(payload == payload.sorted { Int($0.prefix { $0 != " " })! < Int($1.prefix { $0 != " " })! })
        let notices = lines.filter { $0.contains("dropped") }
        let told = notices.compactMap { notice in
            notice.range(of: #"count"?[:=]\d+"#, options: .regularExpression)
                .flatMap { Int(notice[$0].filter(\.isNumber)) }
        }
        #expect(told.reduce(0, +) == dropped, "\(notices)")
    }

    @Test("Closing does not wait longer than it may for a pipe that nobody reads")
    func closeWithoutReader() throws {
        let capture = try LogCapture(.text)
        for _ in 0..<200 { capture.output.write(line(String(repeating: "x", count: 1000))) }
        let started = ContinuousClock.now
        #expect(!capture.output.close(within: .milliseconds(50)))
        #expect(started.duration(to: .now) < .seconds(2))
        capture.output.write(line("late"))
        #expect(capture.output.droppedLines > 0)
    }

    @Test("A closed pipe neither ends the process nor blocks it; the lines count as dropped")
    func closedPipe() throws {
        let capture = try LogCapture(.text)
        capture.closeReadEnd()
        for round in 0..<3 {
            capture.output.write(line("round \(round)"))
            #expect(capture.output.flush(within: .seconds(5)))
            #expect(capture.output.droppedLines == round + 1)
        }
        #expect(capture.output.close(within: .seconds(5)))
    }

    @Test("Lines lost to a full disk are told once there is room again")
    func failedWrite() throws {
        let full = open("/dev/full", O_WRONLY)
        try #require(full >= 0)
        let output = LogOutput(descriptor: full, format: .text)
        output.write(line("one"))
        #expect(output.flush(within: .seconds(5)))
        output.write(line("two"))
        #expect(output.flush(within: .seconds(5)))
        #expect(output.droppedLines == 2)
        // The same descriptor, now with room.
        let path = NSTemporaryDirectory() + "log-output-\(UUID().uuidString)"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(dup2(file, full) == full)
        output.write(line("three"))
        #expect(output.close(within: .seconds(5)))
        close(file)
        close(full)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        try FileManager.default.removeItem(atPath: path)
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("count=2") == true)
        #expect(lines.last == "three")
    }

    @Test("An output that nobody wrote to has no thread and closes at once")
    func unused() throws {
        let capture = try LogCapture(.json)
        #expect(capture.output.flush(within: .zero))
        #expect(capture.output.close(within: .zero))
        #expect(capture.output.close(within: .zero))
    }

    @Test("The thread is named and gone after close")
    func thread() throws {
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { task in
                (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == "log-output\n"
            }
        }
        let capture = try LogCapture(.text)
        capture.output.write(line("one"))
        #expect(capture.output.flush(within: .seconds(5)))
        #expect(try threads() >= 1)
        #expect(try capture.lines() == ["one"])
    }
}
