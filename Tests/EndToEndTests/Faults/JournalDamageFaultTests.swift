import Foundation
import Glibc
import Testing

/// Damage to a dead process's journal, seen from outside: what is readable arrives, the rest is counted, the start goes on.
@Suite struct JournalDamageFaultTests {
    struct Damage: Sendable, CustomTestStringConvertible {
        let name: String
        /// Changes the journal's directory; returns the numbers of the events that nothing can bring back, and the file that
        /// the log must name.
        let apply: @Sendable (_ directory: String) throws -> (lost: Set<String>, file: String?)
        /// `kind` of journal_findings_total.
        var finding: String?
        var damagesBytes = false
        var testDescription: String { name }
    }

    /// A journal of several segments, left by a kill while Kafka was away.
    private struct Filled: Sendable {
        let folder: Folder
        let directory: String
        let topic: String
        let acknowledged: Set<String>

        static let shared = Task { try await Filled() }

        init() async throws {
            var setup = try Setup(servers: Cluster.nowhere)
            setup.settings["journal"] = ["segmentBytes": "64KiB"]
            let bridge = try setup.start()
            let port = try await bridge.port()
            acknowledged = try await onThread {
                let client = try HTTPClient(port: port)
                var acknowledged: Set<String> = []
                for number in 0..<150 {
                    let answer = try client.post(numberedForm(number, key: number % 3, padding: 800))
                    if answer.status == 200 { acknowledged.insert("\(number % 3)-\(number)") }
                }
                return acknowledged
            }
            try await bridge.program.killAtOnce()
            folder = setup.folder
            directory = setup.folder.file("journal")
            topic = setup.dealTopic
        }
    }

    private static func change(
        _ directory: String,
        _ index: Int,
        _ body: (inout SegmentFile) -> Set<String>
    ) throws -> (Set<String>, String?) {
        var segments = try SegmentFile.all(in: directory)
        let place = index < 0 ? segments.count + index : index
        let lost = body(&segments[place])
        try segments[place].write()
        return (lost, URL(filePath: segments[place].path).lastPathComponent)
    }

    static let table: [Damage] = [
        Damage(
            name: "torn tail",
            apply: { directory in
                try change(directory, -1) { segment in
                    segment.bytes += segment.bytes[segment.frames[0].range].prefix(200)
                    return []
                }
            },
            damagesBytes: true
        ),
        Damage(
            name: "a flipped bit",
            apply: { directory in
                try change(directory, 1) { segment in
                    let range = segment.frames[2].range
                    segment.bytes[range.upperBound - 5] ^= 1
                    return segment.numbers(touching: range)
                }
            },
            damagesBytes: true
        ),
        Damage(
            name: "a zeroed block of 4 KiB",
            apply: { directory in
                try change(directory, 1) { segment in
                    let lost = segment.numbers(touching: 4096..<8192)
                    for index in 4096..<8192 { segment.bytes[index] = 0 }
                    return lost
                }
            },
            damagesBytes: true
        ),
        Damage(
            name: "header and first frame of the last segment zeroed",
            apply: { directory in
                try change(directory, -1) { segment in
                    let first = segment.frames[0].range
                    let lost = segment.numbers(touching: first)
                    for index in 0..<first.upperBound { segment.bytes[index] = 0 }
                    return lost
                }
            },
            finding: "header-damaged",
            damagesBytes: true
        ),
        Damage(
            name: "a missing middle segment",
            apply: { directory in
                let segment = try SegmentFile.all(in: directory)[1]
                try FileManager.default.removeItem(atPath: segment.path)
                return (segment.numbers, segment.path)
            },
            finding: "segment-missing"
        ),
        Damage(
            name: "a file of a newer version",
            apply: { directory in
                try change(directory, 1) { segment in
                    segment.bytes[8] = 2
                    segment.sealHeader()
                    return segment.numbers
                }
            },
            finding: "newer-version"
        ),
        Damage(
            name: "no checkpoint, foreign files, an empty segment, a directory with a segment's name",
            apply: { directory in
                let files = FileManager.default
                let last = try #require(SegmentFile.all(in: directory).last)
                let number = try #require(Int(URL(filePath: last.path).lastPathComponent.prefix(20)))
                func name(_ number: Int) -> String {
                    let text = String(number)
                    return directory + "/" + String(repeating: "0", count: 20 - text.count) + text + ".segment"
                }
                try? files.removeItem(atPath: directory + "/checkpoint")
                try? files.removeItem(atPath: directory + "/reserve")
                _ = files.createFile(atPath: directory + "/core", contents: Data("x".utf8))
                _ = files.createFile(atPath: name(number + 1), contents: Data())
                try files.createDirectory(atPath: name(number + 2), withIntermediateDirectories: true)
                try files.createDirectory(atPath: name(number + 3), withIntermediateDirectories: true)
                try files.createSymbolicLink(atPath: name(number + 4), withDestinationPath: "/nowhere")
                return ([], name(number + 2))
            },
            finding: "not-a-file"
        ),
    ]

    @Test(arguments: table) func whatIsReadableArrivesInOrder(_ damage: Damage) async throws {
        let filled = try await Filled.shared.value
        #expect(filled.acknowledged.count == 150)
        let cluster = try Cluster()
        var setup = try Setup(servers: cluster.servers)
        setup.settings["journal"] = ["segmentBytes": "64KiB"]
        let directory = setup.folder.file("journal")
        try FileManager.default.copyItem(atPath: filled.directory, toPath: directory)
        let (lost, file) = try damage.apply(directory)
        let reader = RecordReader(filled.topic, at: cluster.servers)
        defer { reader.stop() }

        let began = ContinuousClock.now
        let bridge = try setup.start()
        let port = try await bridge.port()
        let ready = ContinuousClock.now - began
        #expect(try await post(numberedForm(999, key: 0), port: port).status == 200, "the start goes on")
        let due = filled.acknowledged.subtracting(lost)
        try await eventually("all that is readable arrives", within: .seconds(40)) { due.isSubset(of: reader.numbers) }
        #expect(reader.numbers.isDisjoint(with: lost))
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0).filter { $0.contains("out of order") } == [])

        let damagedBytes = try await bridge.metric("journal_damaged_bytes_total")
        #expect(damage.damagesBytes ? damagedBytes > 0 : damagedBytes == 0)
        if let finding = damage.finding {
            #expect(try await bridge.metric("journal_findings_total{kind=\"\(finding)\"}") >= 1)
        }
        if let file {
            #expect(bridge.log().contains { ($0["file"] as? String)?.hasSuffix(file) == true }, "the log names \(file)")
        }
        try await bridge.stop()
        let kept = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/set-aside")) ?? []
        if damage.damagesBytes || damage.finding == "newer-version" { #expect(!kept.isEmpty, "set aside") }
        Campaign.report(
            "journal damage, \(damage.name)",
            "150 acknowledged, \(lost.count) destroyed, "
                + "\(reader.numbers.intersection(due).count) delivered of \(due.count) readable, \(Int(damagedBytes)) bytes "
                + "damaged, \(kept.count) set aside, started in \(ready)"
        )
    }

    @Test func aSecondProcessOnTheDirectoryRefusesToStartAndTheFirstGoesOn() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        let first = try setup.start()
        let port = try await first.port()
        let second = try await runBridge(["serve", "--config", setup.folder.file("b24bridge.yaml")])
        #expect(second.end == .exit(1))
        #expect(
            second.errors.contains("journal directory \(setup.folder.file("journal")) is in use by another process")
        )
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        try await first.program.killAtOnce()
        Campaign.report("two processes on one journal", "the second ended with 1 and named the directory")
    }
}
