import Foundation
import Glibc
import KafkaClient
import Testing

/// kill -9 at random moments under load: while it takes events, while it recovers, with Kafka there and away.
@Suite struct KillFaultTests {
    @Test func `nothing acknowledged is lost when the process is killed again and again`() async throws {
        let kills = Campaign.pick(short: 8, full: 50)
        let cluster = try MockCluster()
        defer { cluster.close() }
        let port = try Loopback.freePort()
        var setup = try Setup(servers: cluster.bootstrapServers)
        setup.settings["http"] = ["port": port]
        setup.settings["journal"] = ["segmentBytes": "256KiB"]
        let oracle = try Oracle.start(setup, port: port, ["--hold", "--rate", "400", "--connections", "24"])
        var whileRecovering = 0
        var outages = 0
        for round in 0..<kills {
            // A third of the time there is no Kafka, so that journals pile up over several starts.
            if round % 6 == 2 {
                try cluster.setBroker(up: false)
                outages += 1
            }
            if round % 6 == 4 { try cluster.setBroker(up: true) }
            let bridge = try setup.start()
            if round % 4 == 3 {
                try await Task.sleep(for: .milliseconds(.random(in: 0...120)))
                whileRecovering += 1
            } else {
                _ = try await bridge.port()
                try await Task.sleep(for: .milliseconds(.random(in: 50...700)))
            }
            try await bridge.program.killAtOnce()
        }
        try cluster.setBroker(up: true)
        let last = try setup.start()
        _ = try await last.port()
        try await Task.sleep(for: .milliseconds(500))
        oracle.stopSending()
        let report = try await oracle.verdict("kill -9")
        // So that a run that tests nothing does not count.
        #expect(report.acknowledged > kills * 10)
        try await last.stop()
        Campaign.report(
            "kill -9",
            "\(kills) kills, \(whileRecovering) in a start, \(outages) outages; \(report.figures)"
        )
    }
}
