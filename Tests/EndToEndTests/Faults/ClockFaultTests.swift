import Foundation
import Glibc
import Testing

/// The wall clock is set, forward and back, while events come.
@Suite(.serialized) struct ClockFaultTests {
    /// What a process takes for the wall clock: seconds by which it is off, in a file that ``JumpingClock`` maps.
    private struct WallClock {
        let path: String

        init(in folder: Folder) throws {
            path = folder.file("clock")
            try Data(count: 8).write(to: URL(filePath: path))
        }

        func jump(to seconds: Int64) throws {
            let file = try FileHandle(forWritingTo: URL(filePath: path))
            try file.write(contentsOf: withUnsafeBytes(of: seconds) { Data($0) })
            try file.close()
        }

        var environment: [String: String] { ["LD_PRELOAD": BuiltProducts.jumpingClock, "JUMPING_CLOCK": path] }
    }

    private static let hour: Int64 = 3600

    /// The journal keeps confirmed segments for an hour, so that its retention sees the jumps too.
    @Test func nothingStopsAndNothingIsLost() async throws {
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["journal"] = ["segmentBytes": "64KiB", "retain": "1h"]
        setup.settings["shutdownTimeout"] = "2s"
        let clock = try WallClock(in: setup.folder)
        let jumps = Campaign.pick(short: [6, -6, 0], full: [6, -6, 30, -200, 24 * 365, -1, 1, 0, -24 * 30, 0])
        try await Siege.run(
            "clock jumps",
            setup,
            start: { try $0.start(environment: clock.environment) },
            memoryMiB: 48
        ) { siege in
            var slowest = Duration.zero
            for (index, hours) in jumps.enumerated() {
                // Every other time records wait for Kafka across the jump, and nothing new comes to wake anybody.
                let isAway = index % 2 == 1
                if isAway {
                    cluster.pause()
                    try await siege.moreAnswers(50)
                }
                siege.load.direct(to: isAway ? nil : siege.port)
                try clock.jump(to: Int64(hours) * Self.hour)
                if isAway { cluster.resume() } else { try await siege.moreAnswers(100) }
                let sofar = siege.load.outcome.acknowledged
                let began = ContinuousClock.now
                try await eventually("delivered after a jump to \(hours) hours") {
                    sofar.isSubset(of: siege.reader.numbers)
                }
                slowest = max(slowest, ContinuousClock.now - began)
                siege.load.direct(to: siege.port)
                // While a record waits across a jump its age is off by as much; it is not when the record has gone.
                var age = try await siege.metric("oldest_undelivered_seconds")
                let soon = ContinuousClock.now + .seconds(5)
                while !(0..<30).contains(age), ContinuousClock.now < soon {
                    #expect(age >= 0)
                    age = try await siege.metric("oldest_undelivered_seconds")
                }
                #expect((0..<30).contains(age), "oldest undelivered: \(age) s after a jump to \(hours) hours")
            }
            let records = siege.reader.records
            let times = records.compactMap { UInt64($0.id.prefix(13).replacing("-", with: ""), radix: 16) }
            let span = ((times.max() ?? 0) - (times.min() ?? 0)) / 3_600_000
            #expect(span >= 6, "the clock of the process did not jump, so nothing is shown")
            #expect(Set(records.map(\.id)).count == Set(records.map(\.number)).count)
            #expect(records.allSatisfy { $0.id.dropFirst(14).first == "7" }, "an id is no UUID of version 7")
            return Siege.Report(
                figures: "\(jumps.count) jumps (to \(jumps.map { "\($0) h" }.joined(separator: ", "))), "
                    + "all delivered within \(String(format: "%.1f", slowest / .seconds(1))) s of each"
            )
        }
    }
}
