import Foundation
import Glibc
import KafkaClient
import Testing

@Suite struct DevelopmentTests {
    /// So that it can run beside others; a newcomer has 8080 and 9090.
    static let freePorts = ["B24_HTTP_PORT": "0", "B24_ADMIN_PORT": "0"]

    private func start(_ arguments: [String] = [], output: RunningProgram.Output = .file) throws -> RunningProgram {
        try RunningProgram(
            BuiltProducts.bridge,
            ["serve", "--dev"] + arguments,
            environment: Self.freePorts,
            output: output
        )
    }

    private func curlLine(_ program: RunningProgram) async throws -> String {
        try await eventually("a curl command is printed; \(program.standardError)") {
            let output = program.standardOutput
            guard output.contains("Ctrl-C\n") else { return nil }
            return output.split(separator: "\n").first { $0.contains("curl") }.map(String.init)
        }
    }

    @Test func theFirstCurlLineIsAWholeCommandThatWorks() async throws {
        let program = try start()
        let line = try await curlLine(program)
        #expect(line.trimmingCharacters(in: .whitespaces).hasPrefix("curl "))
        let shell = try RunningProgram("/bin/sh", ["-c", line])
        #expect(try await shell.waitForEnd() == .exit(0))
        #expect(shell.standardOutput.hasPrefix("HTTP/1.1 200 "), "\(shell.standardOutput)")
        // The record appears with its envelope, in the envelope's own order.
        let text = try await eventually("the record is printed") {
            let output = program.standardOutput
            return output.contains("\n}\n") ? output : nil
        }
        let words = [
            "bitrix24.crm.deal", "key: \(SampleEvent.portal)/crm.deal/4711",
            "content-type: application/cloudevents+json",
            "\n  \"specversion\": \"1.0\",\n  \"id\": ", "\"b24event\": \"ONCRMDEALUPDATE\"",
            "\"b24origin\": \"online\"", "\"FIELDS\": {\n      \"ID\": \"4711\"\n    }",
        ]
        for word in words { #expect(text.contains(word), "\(word) in \(text)") }
        #expect(text.ranges(of: SampleEvent.token).count == 1, "only the command holds the token")

        // The value as it was printed is JSON.
        let json = try #require(text.firstRange(of: "\n{\n")).lowerBound
        let end = try #require(text.firstRange(of: "\n}\n")).upperBound
        #expect(try JSONSerialization.jsonObject(with: Data(text[json..<end].utf8)) is [String: Any])

        // The printed addresses are those that were bound.
        let kcat = try #require(text.firstMatch(of: /kcat -C -b (\S+) -t (\S+)\n/))
        let reader = try RunningProgram(
            "/usr/bin/env",
            ["kcat", "-e", "-q", "-C", "-b", "\(kcat.1)", "-t", "\(kcat.2)"]
        )
        #expect(try await reader.waitForEnd() == .exit(0), "\(reader.standardError)")
        #expect(reader.standardOutput.contains(#""b24entityid":"4711""#), "\(reader.standardOutput)")
        let status = try #require(text.firstMatch(of: /http:\/\/127\.0\.0\.1:(\d+)\/\s/))
        let admin = try #require(Int(status.1))
        #expect(try await httpRequest("GET", "/", port: admin).body.contains("<!doctype html>"))
        let build = /\nb24bridge_build_info{librdkafka="\d+\.\d+\.\d+[^"]*",version="\d+\.\d+\.\d+[^"]*"} 1\n/
        #expect(try await httpRequest("GET", "/metrics", port: admin).body.contains(build))

        program.send(SIGTERM)
        #expect(try await program.waitForEnd() == .exit(0), "\(program.standardError)")
    }

    @Test(arguments: [SIGINT, SIGHUP])
    func ctrlCAndTheEndOfTheTerminalStopItInOrder(signal: Int32) async throws {
        let program = try start()
        _ = try await curlLine(program)
        program.send(signal)
        #expect(try await program.waitForEnd() == .exit(0), "\(program.standardError)")
        let directory = try #require(program.standardError.firstMatch(of: /journal=(\S+)\/journal\s/)).1
        #expect(!FileManager.default.fileExists(atPath: String(directory)), "the temporary journal is left behind")
    }

    @Test func aReaderThatGoesAwayDoesNotEndIt() async throws {
        let pipes = try Pipes()
        let program = try start(output: .descriptor(pipes.writing))
        close(pipes.writing)
        let port = try await Bridge(program: program).textPort("events")
        close(pipes.reading)
        for number in 0..<3 {
            #expect(try await post(SampleEvent.form(number: "\(number)"), port: port).status == 200)
        }
        let admin = try await Bridge(program: program).textPort("admin")
        for _ in 0..<50 where program.currentEnd() == nil {
            let status = try await httpRequest("GET", "/metrics", port: admin)
            if status.body.contains(/delivered[a-z_]*(\{.*\})? 3/) { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(program.currentEnd() == nil)
        program.send(SIGTERM)
        #expect(try await program.waitForEnd() == .exit(0))
    }

    @Test func anOutputThatNobodyReadsKeepsNothingWaiting() async throws {
        let pipes = try Pipes()
        let program = try start(output: .descriptor(pipes.writing))
        defer { for end in [pipes.writing, pipes.reading] { close(end) } }
        let port = try await Bridge(program: program).textPort("events")
        // Together more than a pipe takes.
        let padding = String(repeating: "x", count: 20_000)
        for _ in 0..<10 {
            #expect(try await post(SampleEvent.form() + "&data[PADDING]=\(padding)", port: port).status == 200)
        }
        program.send(SIGTERM)
        #expect(try await program.waitForEnd() == .exit(0))
    }

    @Test(arguments: ["http", "admin"])
    func aTakenPortIsExplainedWithItsKey(section: String) async throws {
        let holder = try Setup(servers: Cluster.nowhere).start()
        let taken = try await holder.port(section == "http" ? "events" : "admin")
        let name = "B24_\(section.uppercased())_PORT"
        let program = try RunningProgram(
            BuiltProducts.bridge,
            ["serve", "--dev"],
            environment: Self.freePorts.merging([name: "\(taken)", "B24_HTTP_HOST": "127.0.0.1"]) { _, new in new }
        )
        #expect(try await program.waitForEnd() == .exit(1))
        let words = program.standardError
        for word in ["\(section).port", name, "\(taken)", "in use", "free port"] {
            #expect(words.contains(word), "\(word) in \(words)")
        }
        #expect(!program.standardOutput.contains("is running"))
    }

    @Test func theTextFormatIsForPeople() async throws {
        let program = try start()
        _ = try await curlLine(program)
        program.send(SIGTERM)
        _ = try await program.waitForEnd()
        let lines = program.standardError.split(separator: "\n")
        #expect(lines.count >= 4)
        for line in lines {
            #expect(line.contains(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z (INFO|NOTICE|WARNING|ERROR)\s+\w/), "\(line)")
        }
    }
}

extension Bridge {
    /// As `port`, of the text format.
    func textPort(_ listener: String) async throws -> Int {
        try await eventually("\(listener) listens; \(program.standardError)") {
            program.standardError.split(separator: "\n").first { $0.contains("listener=\(listener)") }
                .flatMap { $0.firstMatch(of: /address=\S*:(\d+)/) }.flatMap { Int($0.1) }
        }
    }
}
