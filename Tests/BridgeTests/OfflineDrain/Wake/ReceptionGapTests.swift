import Bitrix24
import Foundation
import KafkaClient
import Locks
import Synchronization
import Testing

@testable import Bridge

@Suite struct ReceptionGapTests {
    private static let minute: Int64 = 60_000
    private static let start: Int64 = 2_000_000_000_000

    private static func time(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: start + milliseconds) }

    /// Lets an event come after each of the pauses.
    private static func gaps(
        after earlier: Int64? = nil,
        _ pauses: some Sequence<Int64>
    ) -> [ReceptionGap] {
        var rhythm = ReceptionRhythm(after: earlier.map(time))
        var now: Int64 = 0
        return pauses.compactMap { pause in
            now += pause
            return rhythm.received(at: time(now))
        }
    }

    @Test func `where events come all the time five minutes without one are a gap, and less is none`() throws {
        let busy = Array(repeating: Int64(1000), count: 60)
        #expect(Self.gaps(busy + [5 * Self.minute - 1] + busy).isEmpty)
        let gap = try #require(Self.gaps(busy + [5 * Self.minute] + busy).first)
        #expect(gap.from == Self.time(60_000) && gap.until == Self.time(360_000) && gap.seconds == 300)
        #expect(Self.gaps(busy + [5 * Self.minute] + busy).count == 1)
    }

    @Test func `where they come now and then a pause is a gap only when it is ten times as long`() {
        let rare = Array(repeating: 6 * Self.minute, count: 50)
        #expect(Self.gaps(rare).count <= 2, "until it is known what is usual")
        let known = Self.gaps(rare).count
        #expect(Self.gaps(rare + [59 * Self.minute]).count == known)
        #expect(Self.gaps(rare + [61 * Self.minute]).count == known + 1)
    }

    @Test func `bursts with pauses of minutes between them are told once, not each time`() {
        let bursts = (0..<50).flatMap { _ in Array(repeating: Int64(1000), count: 60) + [6 * Self.minute] }
        #expect(Self.gaps(bursts).count == 1)
    }

    @Test func `what was usual is forgotten within two hours of another rhythm`() {
        let night = [8 * 60 * Self.minute]
        let day = Array(repeating: Int64(1000), count: 7200)
        #expect(Self.gaps(day + night + day + [6 * Self.minute]).count == 2)
    }

    @Test func `over a restart five minutes count, and say nothing of what is usual`() {
        #expect(Self.gaps([10_000]).isEmpty, "nothing is known of earlier runs")
        #expect(Self.gaps(after: -4 * Self.minute, [10_000]).isEmpty)
        let gaps = Self.gaps(after: -600 * Self.minute, [10_000, 1000, 1000, 5 * Self.minute])
        #expect(gaps.map(\.seconds) == [36_010, 300])
    }

    @Test func `a clock that is put back makes no gap`() {
        #expect(Self.gaps([1000, -3_600_000, 1000, 1000]).isEmpty)
    }

    // MARK: Through the receiver

    @Test func `the first event after a restart has all queues drained, at whichever replica drains`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            // The range of the owners' group gives the work to the first by name.
            let owner = try RunningRegistry("a", servers: cluster.bootstrapServers, topic: topic)
            try await wait(for: "an owner") { owner.work.isRunning }
            let directory = try TemporaryDirectory()
            func run(_ body: (RunningBridge) async throws -> Void) async throws {
                try await RunningBridge.with(
                    servers: cluster.bootstrapServers,
                    directory: directory,
                    adjust: { settings in
                        settings.application.clientID = "app.1"
                        settings.application.clientSecret = Secret("s")
                        settings.application.publicURL = "https://bridge.example"
                        settings.application.standIn = "http://127.0.0.1:1"
                        settings.secrets = InstallationScene.secrets()
                        settings.keepsRegistry = true
                        settings.kafka.registryTopic = topic
                    },
                    body
                )
            }
            let began = WallClock.now()
            try await run { bridge in
                try await bridge.take([event()])
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                try await wait(for: "an owner again") { owner.work.isRunning }
            }
            let file = ReceptionFile(directory: directory.path + "/journal")
            let last = try #require(file.read())
            #expect(last >= began && last <= WallClock.now())
            // A run without an event does not count.
            try await run { _ in }
            #expect(file.read() == last)
            file.write(Timestamp(milliseconds: last.milliseconds - 3_600_000))

            try await HeardWords.hearing(owner.parts.signals) { heard in
                try await run { bridge in
                    #expect(bridge.metric("reception_gap_seconds") == 0)
                    try await wait(for: "readiness") { try await bridge.get("/readyz").status == 200 }
                    try await bridge.take([event(id: "2")])
                    try await wait(for: "the gap") { bridge.metric("reception_gap_seconds") >= 3600 }
                    #expect(bridge.metric("reception_gap_seconds") < 3660)
                    #expect(bridge.logs.contains("notice no event reached this replica", "seconds=36"))
                    try await wait(for: "word to the owner; \(bridge.logs.lines.suffix(5))") {
                        heard.reasons.contains { $0.contains("no event reached replica test-0 from") }
                    }
                }
            }
            try await owner.stop()
        }
    }

    @Test func `a replica that is no application's looks for no gaps`() async throws {
        let directory = try TemporaryDirectory()
        try await RunningBridge.with(directory: directory) { try await $0.take([event()]) }
        #expect(ReceptionFile(directory: directory.path + "/journal").read() == nil)
    }
}
