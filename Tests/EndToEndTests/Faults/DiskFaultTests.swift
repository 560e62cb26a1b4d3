import Foundation
import Glibc
import Testing

/// Disks of the real system that fail: a limit of file size, and small volumes where they may be mounted.
@Suite struct DiskFaultTests {
    /// Posts one event after the other; returns the numbers answered 200 and the other statuses.
    private func post(_ range: Range<Int>, port: Int) async throws -> (acknowledged: Set<String>, refused: [Int]) {
        try await onThread {
            let client = try HTTPClient(port: port)
            var result: (acknowledged: Set<String>, refused: [Int]) = ([], [])
            for number in range {
                let status = try client.post(numberedForm(number, key: number % 3, padding: 1000)).status
                if status == 200 {
                    result.acknowledged.insert("\(number % 3)-\(number)")
                } else {
                    result.refused.append(status)
                }
            }
            return result
        }
    }

    private func limitFileSize(_ bridge: Bridge, _ limit: String) async throws {
        let program = try RunningProgram(
            "/usr/bin/prlimit",
            ["--pid", "\(bridge.program.identifier)", "--fsize=\(limit):unlimited"]
        )
        #expect(try await program.waitForEnd() == .exit(0), "\(program.standardError)")
    }

    @Test func aLimitOfFileSizeIsAFailureOfTheDiskAndNotTheEndOfTheProcess() async throws {
        let setup = try Setup()
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let bridge = try setup.start()
        let port = try await bridge.port()
        let before = try await post(0..<20, port: port)
        #expect(before.refused == [])

        // A segment may have 200 kB: the next one takes over, and nothing is lost.
        try await limitFileSize(bridge, "200000")
        let limited = try await post(20..<320, port: port)
        #expect(limited.refused == [])
        #expect(try await bridge.metric("journal_segments_abandoned_total") >= 1)

        // Nothing can be written.
        try await limitFileSize(bridge, "0")
        let none = try await post(320..<340, port: port)
        #expect(none.acknowledged.isEmpty)
        #expect(Set(none.refused) == [503])
        #expect(try await !bridge.answersReady())
        #expect(bridge.program.currentEnd() == nil)

        try await limitFileSize(bridge, "unlimited")
        try await eventually("readiness returns by itself") { try await bridge.answersReady() }
        let after = try await post(340..<360, port: port)
        #expect(after.refused == [])
        let acknowledged = before.acknowledged.union(limited.acknowledged).union(after.acknowledged)
        try await eventually("all that was acknowledged arrives") { acknowledged.isSubset(of: reader.numbers) }
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0).filter { $0.contains("out of order") } == [])
        try await bridge.stop()
        Campaign.report(
            "limit of file size",
            "\(acknowledged.count) acknowledged, \(none.refused.count) refused with 503, "
                + "\(acknowledged.subtracting(reader.numbers).count) missing"
        )
    }

    /// A volume of a few MiB, or `nil` where this process may not mount.
    private final class SmallVolume: Sendable {
        let path: String

        init?(_ path: String, options: String) async throws {
            self.path = path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            guard try await Self.run("mount", ["-t", "tmpfs", "-o", options, "none", path]) else { return nil }
        }

        static func run(_ name: String, _ arguments: [String]) async throws -> Bool {
            let program = try RunningProgram("/usr/bin/env", [name] + arguments)
            return try await program.waitForEnd() == .exit(0)
        }

        func remove() async throws { _ = try await Self.run("umount", ["-l", path]) }
    }

    @Test func aFullVolumeRefusesWithoutLossAndRecoversByItselfWhenKafkaIsBack() async throws {
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["journal"] = ["segmentBytes": "128KiB", "retain": "1h"]
        let directory = setup.folder.file("journal")
        guard let volume = try await SmallVolume(directory, options: "size=2m") else {
            return Campaign.report("full volume", "skipped, this process may not mount a tmpfs")
        }
        do {
            let reader = RecordReader(setup.dealTopic, at: cluster.servers)
            defer { reader.stop() }
            // Some that are delivered and only retained; these go first when the volume is full.
            let bridge = try setup.start()
            let port = try await bridge.port()
            var acknowledged = try await post(0..<200, port: port).acknowledged
            try await eventually("delivered") { acknowledged.isSubset(of: reader.numbers) }
            cluster.pause()
            let full = try await post(200..<1500, port: port)
            acknowledged.formUnion(full.acknowledged)
            #expect(full.refused.contains(503))
            #expect(full.acknowledged.count > 500)
            #expect(try await !bridge.answersReady())
            cluster.resume()
            try await eventually("all that was acknowledged arrives", within: .seconds(40)) {
                acknowledged.isSubset(of: reader.numbers)
            }
            try await eventually("readiness returns by itself") { try await bridge.answersReady() }
            let after = try await post(1500..<1520, port: port)
            #expect(after.refused == [])
            acknowledged.formUnion(after.acknowledged)
            try await eventually("the last arrive") { acknowledged.isSubset(of: reader.numbers) }
            #expect(DeliveryOrder.faults(in: reader.records, kills: 0).filter { $0.contains("out of order") } == [])
            try await bridge.stop()
            Campaign.report(
                "full volume of 2 MiB",
                "\(acknowledged.count) acknowledged, \(full.refused.count) refused with 503, "
                    + "\(acknowledged.subtracting(reader.numbers).count) missing, ready again by itself"
            )
        } catch {
            try await volume.remove()
            throw error
        }
        try await volume.remove()
    }

    @Test func aVolumeThatCannotBeWrittenEndsTheStartWithItsMend() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        let directory = setup.folder.file("journal")
        guard let volume = try await SmallVolume(directory, options: "ro,size=1m") else {
            return Campaign.report("volume that cannot be written", "skipped, this process may not mount a tmpfs")
        }
        let result = try await runBridge(["serve", "--config", try setup.write()])
        try await volume.remove()
        #expect(result.end == .exit(1))
        #expect(result.errors.contains(directory + "/lock"))
        #expect(result.errors.contains("mount the volume writable"))
        Campaign.report("volume that cannot be written", "ended with 1 and named the file and the mend")
    }
}
