import Foundation
import Glibc
import Testing

/// Ends that were asked for, in unkind ways, while clients go on posting.
@Suite(.serialized) struct SignalFaultTests {
    struct End: Sendable, CustomTestStringConvertible {
        let name: String
        let signals: [Int32]
        /// Signals that come in between and must not matter.
        var noise: [Int32] = []
        var isKafkaAway = false
        var testDescription: String { name }
    }

    private static let ends = [
        End(name: "SIGTERM", signals: [SIGTERM]),
        End(name: "SIGTERM with Kafka away", signals: [SIGTERM], isKafkaAway: true),
        End(name: "SIGTERM twice", signals: [SIGTERM, SIGTERM]),
        End(name: "SIGINT, then SIGTERM, with Kafka away", signals: [SIGINT, SIGTERM], isKafkaAway: true),
        End(name: "a storm of SIGHUP and SIGPIPE, then SIGINT", signals: [SIGINT], noise: [SIGHUP, SIGPIPE]),
    ]

    @Test(arguments: ends) func noAcceptedRequestGoesUnanswered(_ end: End) async throws {
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["shutdownTimeout"] = "1s"
        setup.settings["shutdownDelay"] = "100ms"
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        let load = Load(clients: 6, keys: 6, pause: 0.001)
        defer { load.stop() }
        let rounds = Campaign.pick(short: 1, full: 10)
        for _ in 0..<rounds {
            let bridge = try setup.start()
            load.direct(to: try await bridge.port())
            let half = load.outcome.acknowledged.count + 100
            try await eventually("100 events are answered") { load.outcome.acknowledged.count >= half }
            if end.isKafkaAway { cluster.pause() }
            for _ in 0..<100 { for signal in end.noise { bridge.program.send(signal) } }
            try await eventually("100 more are answered") { load.outcome.acknowledged.count >= half + 100 }
            for signal in end.signals {
                bridge.program.send(signal)
                try await Task.sleep(for: .milliseconds(20))
            }
            let status = try await bridge.program.waitForEnd()
            load.direct(to: nil)
            #expect(status == .exit(0), "\(bridge.program.standardError.suffix(2000))")
            if end.isKafkaAway { cluster.resume() }
        }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        let outcome = load.outcome
        #expect(outcome.unanswered == [])
        #expect(outcome.refused == [])
        let last = try setup.start()
        _ = try await last.port()
        try await eventually("all that was acknowledged is delivered") {
            outcome.acknowledged.isSubset(of: reader.numbers)
        }
        #expect(DeliveryOrder.faults(in: reader.records, kills: rounds) == [])
        try await last.stop()
        Campaign.report(
            end.name,
            "\(outcome.acknowledged.count) genuine events answered 200, none unanswered, all delivered; \(rounds) ends, exit 0"
        )
    }

    /// As under a supervisor that gives it no descriptors 0 and 1, which the first files opened would then get.
    @Test func withoutStandardInputAndOutput() async throws {
        try await Siege.run(
            "no standard input and output",
            try Setup(),
            start: { try $0.start(launcher: ["/bin/sh", "-c", "exec <&- >&- && exec \"$0\" \"$@\""]) },
            memoryMiB: 32
        ) { siege in
            siege.bridge.program.send(SIGHUP)
            try await siege.moreAnswers(200)
            return Siege.Report(figures: "descriptors 0 and 1 closed")
        }
    }
}
