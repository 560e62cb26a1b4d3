import Foundation
import Glibc
import Testing

@Suite(.serialized) struct ShutdownTests {
    @Test func stoppingUnderLoadLeavesNoRequestUnanswered() async throws {
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["shutdownDelay"] = "300ms"
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        let load = Load(clients: 6, keys: 6)
        defer { load.stop() }
        for _ in 0..<2 {
            let bridge = try setup.start()
            load.direct(to: try await bridge.port())
            let before = load.outcome.acknowledged.count
            try await eventually("300 events are answered") { load.outcome.acknowledged.count >= before + 300 }
            bridge.program.send(SIGTERM)
            let end = try await bridge.program.waitForEnd()
            load.direct(to: nil)
            #expect(end == .exit(0))
        }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        let outcome = load.outcome
        #expect(outcome.unanswered == [])
        #expect(outcome.refused == [])
        #expect(outcome.announcedCloses >= 6)
        try await eventually("all that was acknowledged is delivered") {
            outcome.acknowledged.isSubset(of: reader.numbers)
        }
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [])
    }

    @Test func withoutADelayNoBusyClientIsCutOffEither() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let load = Load(clients: 8, keys: 8)
        defer { load.stop() }
        load.direct(to: try await bridge.port())
        try await eventually("100 events are answered") { load.outcome.acknowledged.count >= 100 }
        try await bridge.stop()
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        #expect(load.outcome.unanswered == [])
        #expect(load.outcome.refused == [])
    }

    @Test func withKafkaAwayItStopsInTimeAndDeliversAfterTheNextStart() async throws {
        var setup = try Setup(servers: Cluster.nowhere)
        setup.settings["shutdownTimeout"] = "1s"
        let began = ContinuousClock.now
        let first = try setup.start()
        let port = try await first.port()
        #expect(ContinuousClock.now - began < .seconds(10))
        for number in 0..<20 {
            #expect(
                try await post(SampleEvent.form(id: "\(number % 3)", number: "\(number)"), port: port).status == 200
            )
        }
        first.program.send(SIGTERM)
        let asked = ContinuousClock.now
        #expect(try await first.program.waitForEnd() == .exit(0))
        // 1 s for Kafka; the rest is the ends of listeners and journal, and other tests on the same cores.
        #expect(ContinuousClock.now - asked < .seconds(8))

        setup.servers = try Cluster.shared.get().servers
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let second = try setup.start()
        try await eventually("all 20 are delivered") { reader.numbers.count == 20 }
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [])
        try await second.stop()
    }

    @Test func startingWithKafkaAwayTakesLessThanASecond() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        // The best of three, as other tests share the cores.
        var best = Duration.seconds(1000)
        for _ in 0..<3 where best > .seconds(1) {
            let began = ContinuousClock.now
            let bridge = try setup.start()
            let admin = try await bridge.port("admin")
            let port = try await bridge.port()
            let answer = try await httpRequest("GET", "/readyz", port: admin)
            #expect(answer.status == 200, "\(answer.body)")
            best = min(best, ContinuousClock.now - began)
            #expect(try await post(SampleEvent.form(), port: port).status == 200)
            try await bridge.program.killAtOnce()
        }
        #expect(best < .seconds(1))
    }

    /// Kafka is there later, at the address that was configured, while the bridge runs on.
    @Test func whatWaitedIsDeliveredWhenKafkaComesBack() async throws {
        let cluster = try Cluster()
        let setup = try Setup(servers: cluster.servers)
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        cluster.pause()
        let bridge = try setup.start()
        let port = try await bridge.port()
        for number in 0..<10 {
            #expect(try await post(SampleEvent.form(number: "\(number)"), port: port).status == 200)
        }
        #expect(reader.numbers.isEmpty)
        cluster.resume()
        try await eventually("all 10 are delivered") { reader.numbers.count == 10 }
        try await bridge.stop()
    }
}
