import Foundation
import Glibc
import Testing

/// More connections than the process may have open files.
@Suite(.serialized) struct DescriptorFaultTests {
    /// The journal begins a new segment every few hundred events, for which it needs a descriptor each time.
    private func setup() throws -> Setup {
        var setup = try Setup()
        setup.settings["journal"] = ["segmentBytes": "64KiB"]
        return setup
    }

    private static let limit = 160
    private func start(_ setup: Setup) throws -> Bridge {
        try setup.start(launcher: ["/bin/sh", "-c", "ulimit -n \(Self.limit) && exec \"$0\" \"$@\""])
    }

    /// Connections come to the bound and no further, so that the journal keeps what it needs; who has no request goes
    /// after 2 s, so that those who have one come in.
    @Test func moreConnectionsThanOpenFiles() async throws {
        let count = Campaign.pick(short: 300, full: 600)
        try await Siege.run("descriptors", setup(), start: start, memoryMiB: 48, reconnects: true) { siege in
            let before = try siege.figures()
            let began = ContinuousClock.now
            let crowd = try await onThread {
                let connections = try (0..<count).map { _ in try RawConnection(port: siege.port) }
                return HeldConnections(connections)
            }
            try await siege.goOn(for: Campaign.pick(short: .seconds(2), full: .seconds(20)))
            try await siege.moreAnswers(20)
            let during = try siege.figures()
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            let cpu = during.cpuSeconds - before.cpuSeconds
            #expect(during.openFiles < Self.limit)
            // A listener that spins takes a whole core.
            #expect(cpu / seconds < 0.6, "\(cpu) s of processor time in \(seconds) s")
            crowd.leave()
            // Segments went by while connections were at their bound; one event refused would be the end of the test.
            try await siege.moreAnswers(400)
            return Siege.Report(
                figures: "\(count) connections with a limit of \(Self.limit) open files, \(during.openFiles) open, "
                    + "\(String(format: "%.1f", cpu)) s of processor time in \(String(format: "%.1f", seconds)) s"
            )
        }
    }

    /// Without a descriptor for the next segment events are refused, as many as come; and no more when there is one again.
    @Test func theJournalGoesOnWhenThereAreDescriptorsAgain() async throws {
        let setup = try setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let load = Load(clients: 3, keys: 6, pause: 0.002)
        defer { load.stop() }
        load.direct(to: port)
        try await eventually("100 events are answered") { load.outcome.acknowledged.count >= 100 }
        try await setLimit(of: bridge, 3)
        try await eventually("the journal finds no descriptor") { !load.outcome.refused.isEmpty }
        try await setLimit(of: bridge, 1024)
        let began = ContinuousClock.now
        let enough = load.outcome.acknowledged.count + 500
        try await eventually("500 more are answered; \(bridge.program.standardError.suffix(2000))") {
            load.outcome.acknowledged.count >= enough
        }
        let recovery = ContinuousClock.now - began
        let refused = load.outcome.refused.count
        try await eventually("several segments later") { load.outcome.acknowledged.count >= enough + 500 }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        let outcome = load.outcome
        #expect(outcome.refused.count == refused, "still refused after it had recovered")
        #expect(outcome.refused.allSatisfy { $0.hasPrefix("503 ") })
        #expect(outcome.unanswered == [])
        try await eventually("all that was acknowledged is delivered") {
            outcome.acknowledged.isSubset(of: reader.numbers)
        }
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [])
        try await bridge.stop()
        Campaign.report(
            "no descriptor for the journal",
            "\(outcome.acknowledged.count) events answered 200 and delivered, \(refused) answered 503 meanwhile, "
                + "500 taken within \(String(format: "%.1f", recovery / .seconds(1))) s after"
        )
    }

    /// The soft limit of open files; the hard one stays.
    private func setLimit(of bridge: Bridge, _ count: Int) async throws {
        let arguments = ["--pid", "\(bridge.program.identifier)", "--nofile=\(count):"]
        #expect(try await RunningProgram("/usr/bin/prlimit", arguments).waitForEnd() == .exit(0))
    }

    /// The limit is lowered below what is open: accept and the journal's next segment fail. Connections that are open go
    /// on, and all is well again once there are descriptors.
    @Test func noDescriptorIsLeft() async throws {
        try await Siege.run("EMFILE", try Setup(), memoryMiB: 48) { siege in
            let usual = try await processorShare(of: siege, for: .seconds(1))
            try await setLimit(of: siege.bridge, 3)
            let waiting = try await onThread {
                HeldConnections(try (0..<20).map { _ in try RawConnection(port: siege.port) })
            }
            try await eventually("accept fails") {
                siege.bridge.program.standardError.contains("cannot accept connections")
            }
            // A listener that tries again without a pause takes all that is left of a core, in every second. What else
            // this machine does makes one second or another dear, but not each of them.
            var shares: [Double] = []
            repeat {
                let time = Campaign.pick(short: Duration.seconds(1), full: .seconds(10))
                shares.append(try await processorShare(of: siege, for: time))
            } while shares.count < 8 && shares.allSatisfy { $0 >= usual + 0.15 }
            let share = shares.min() ?? 1
            #expect(share < usual + 0.15, "shares of a core, one after the other: \(shares)")
            try await siege.moreAnswers(50)
            try await setLimit(of: siege.bridge, 1024)
            try await onThread { waiting.expectAnswers() }
            return Siege.Report(
                figures: "no descriptor left: \(percent(share)) of a core, \(percent(usual)) before; "
                    + "20 waiting connections answered afterwards"
            )
        }
    }

    /// Of one core.
    private func processorShare(of siege: Siege, for time: Duration) async throws -> Double {
        let before = try siege.figures()
        let began = ContinuousClock.now
        try await siege.goOn(for: time)
        return (try siege.figures().cpuSeconds - before.cpuSeconds) / ((ContinuousClock.now - began) / .seconds(1))
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
}
