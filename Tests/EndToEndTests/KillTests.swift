import Foundation
import Glibc
import Testing

@Suite struct KillTests {
    /// The promise: what was answered with 200 arrives, in order per key, whatever kills the process. `KILLS` in the
    /// environment makes it a longer search.
    @Test func everythingAcknowledgedArrivesInOrderAcrossKills() async throws {
        let kills = ProcessInfo.processInfo.environment["KILLS"].flatMap { Int($0) } ?? 10
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["journal"] = ["segmentBytes": "128KiB"]
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        let load = Load(clients: 6, keys: 4)
        defer { load.stop() }

        for round in 0..<kills {
            let bridge = try setup.start()
            if round % 5 == 4 {
                // In the middle of a start: while it recovers, or before.
                try await Task.sleep(for: .milliseconds(.random(in: 0...150)))
            } else {
                load.direct(to: try await bridge.port())
                // Somewhere among so many answers, however fast this machine is at the moment.
                let enough = load.outcome.acknowledged.count + .random(in: 1...400)
                try await eventually("events are answered") { load.outcome.acknowledged.count >= enough }
                try await Task.sleep(for: .milliseconds(.random(in: 0...10)))
                if round % 5 == 2 {
                    // In the middle of an orderly end.
                    bridge.program.send(SIGTERM)
                    try await Task.sleep(for: .milliseconds(.random(in: 0...400)))
                }
            }
            try await bridge.program.killAtOnce()
            load.direct(to: nil)
        }
        let last = try setup.start()
        load.direct(to: try await last.port())
        let before = load.outcome.acknowledged.count
        try await eventually("the last run answers 200 events") { load.outcome.acknowledged.count >= before + 200 }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        let outcome = load.outcome
        #expect(outcome.refused.isEmpty)
        do {
            try await eventually("all that was acknowledged is delivered", within: .seconds(60)) {
                outcome.acknowledged.isSubset(of: reader.numbers)
            }
        } catch {
            let missing = outcome.acknowledged.subtracting(reader.numbers).sorted()
            let status = try? await httpRequest("GET", "/status", port: try await last.port("admin")).body
            Issue.record(
                """
                \(missing.count) of \(outcome.acknowledged.count) are missing: \(missing.prefix(20)); reader: \
                \(reader.failure ?? "reads"), \(reader.records.count) read; \(status ?? "no status"); \
                \(last.program.standardError)
                """
            )
            throw error
        }
        try await last.stop()
        #expect(reader.failure == nil)
        let records = reader.records
        #expect(Set(records.map(\.number)).isSubset(of: outcome.sent))
        #expect(DeliveryOrder.faults(in: records, kills: kills) == [])
        let repeats = records.count - Set(records.map(\.id)).count
        print(
            "kill -9: \(kills) kills, \(outcome.sent.count) sent, \(outcome.acknowledged.count) acknowledged,",
            "\(Set(records.map(\.number)).count) delivered, \(repeats) repeated"
        )
    }
}
