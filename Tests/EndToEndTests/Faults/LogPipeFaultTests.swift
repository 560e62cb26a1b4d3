import Foundation
import Glibc
import Testing

/// The reader of the log stalls, and goes on later.
@Suite struct LogPipeFaultTests {
    @Test func aStalledReaderCostsLinesAndNothingElse() async throws {
        let pipes = try Pipes()
        let port = 20_000 + Int.random(in: 0..<10_000)
        var setup = try Setup()
        setup.settings["http"] = ["port": port, "maxBodyBytes": 1024]
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let bridge = try setup.start(["--log-level", "debug"], errors: .descriptor(pipes.writing))
        close(pipes.writing)
        let load = Load(clients: 3, keys: 6, pause: 0.005)
        defer { load.stop() }
        try await eventually("it listens") { (try? HTTPClient(port: port)) != nil }
        load.direct(to: port)

        // Each of these is a line of the log, and the pipe and the bridge's own buffer take some 7,500 together.
        let refusals = Campaign.pick(short: 9_000, full: 200_000)
        let big = [UInt8](repeating: UInt8(ascii: "x"), count: 1025)
        let before = try ProcessFigures(bridge.program.identifier)
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    try await onThread {
                        for _ in 0..<(refusals / 4) {
                            let answer = try HTTPClient(port: port).request("POST", "/b24/events", big)
                            if answer.status != 413 { throw NotInTime(description: "413 and not \(answer.status)") }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let after = try ProcessFigures(bridge.program.identifier)
        #expect(after.peakResidentMiB - before.residentMiB < 24)

        // Somebody reads again: each line is there or counted.
        let text = Task { try await onThread { readToEnd(pipes.reading) } }
        let enough = load.outcome.acknowledged.count + 50
        try await eventually("genuine events are answered") { load.outcome.acknowledged.count >= enough }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        try await bridge.stop()
        let lines = try await text.value.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        let written = lines.count { ($0["message"] as? String)?.hasPrefix("a body over") == true }
        let dropped = lines.filter { ($0["message"] as? String)?.hasPrefix("log lines dropped") == true }
            .reduce(0) { $0 + (($1["count"] as? Int) ?? Int($1["count"] as? String ?? "") ?? 0) }
        #expect(dropped > 0, "the pipe was not full, so nothing is shown")
        #expect(written + dropped >= refusals)
        #expect(written + dropped < refusals + 100)

        let outcome = load.outcome
        #expect(outcome.refused == [] && outcome.unanswered == [] && outcome.notAccepted == 0)
        try await eventually("all that was acknowledged is delivered") {
            outcome.acknowledged.isSubset(of: reader.numbers)
        }
        Campaign.report(
            "full log pipe",
            """
            \(outcome.acknowledged.count) genuine events, all answered 200 and delivered, \
            p99 \(String(format: "%.1f", outcome.answerMilliseconds(0.99))) ms; of \(refusals) lines \(written) written, \
            \(dropped) lines dropped and counted
            """
        )
    }
}

private func readToEnd(_ descriptor: Int32) -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        all += buffer[..<count]
    }
    close(descriptor)
    return String(decoding: all, as: UTF8.self)
}
