import Foundation
import Glibc
import KafkaClient
import Testing

/// The journal's tools on what real bridges left.
@Suite struct JournalToolTests {
    // MARK: A dead replica

    @Test func whatADeadReplicaLeftIsSeenAndDelivered() async throws {
        let cluster = try Cluster.shared.get()
        var setup = try Setup(servers: Cluster.nowhere)
        setup.settings["journal"] = ["segmentBytes": "64KiB"]
        let acknowledged = try await setup.fill(clients: 3, each: 100)
        let directory = setup.folder.file("journal")

        let inspected = try await setup.tool("inspect", ["--json"])
        let survey = try #require(try json(inspected.output) as? [String: Any])
        let main = try #require((survey["journals"] as? [[String: Any]])?.first)
        #expect(main["undelivered"] as? Int == acknowledged.count && main["isInUse"] as? Bool == false)
        #expect((main["segments"] as? [Any])?.count ?? 0 > 2)
        let portals = try #require(survey["portals"] as? [[String: Any]])
        #expect(portals.map { $0["name"] as? String } == [SampleEvent.portal])
        let shown = try await setup.tool("inspect")
        #expect(shown.end == .exit(0) && shown.errors.isEmpty)
        for word in [setup.dealTopic, SampleEvent.portal, "not closed", "\(acknowledged.count)"] {
            #expect(shown.output.contains(word), "\(word) in \(shown.output)")
        }
        #expect(try await runBridge(["journal", "verify", "--directory", directory]).end == .exit(0))

        let exported = try await setup.exportedIDs(["--undelivered"])
        #expect(exported.count == acknowledged.count)
        let before = try Self.files(directory)
        let plan = try await setup.tool("replay", ["--dry-run"])
        #expect(plan.end == .exit(0) && plan.output.contains("\(acknowledged.count) records would be sent"))
        #expect(try Self.files(directory) == before, "looking changes nothing")

        // On another host, with its own configuration.
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        var host = try Setup(servers: cluster.servers)
        host.settings["journal"] = ["segmentBytes": "64KiB"]
        let replay = try await host.tool("replay", ["--directory", directory, "--timeout", "10"])
        #expect(replay.end == .exit(0), "\(replay)")
        #expect(replay.output.contains("\(acknowledged.count) records delivered, 0 left"), "\(replay.output)")
        try await eventually("all is read") { reader.numbers == acknowledged }
        #expect(Set(reader.records.map(\.id)) == Set(exported) && reader.records.count == exported.count)
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [])

        let again = try await host.tool("replay", ["--directory", directory])
        #expect(again.end == .exit(0) && again.output.contains("0 records delivered, 0 left"), "\(again)")
        #expect(try await setup.exportedIDs(["--undelivered"]).isEmpty)
    }

    @Test func replayKilledAtAnyMomentLosesNothing() async throws {
        let cluster = try Cluster.shared.get()
        var setup = try Setup(servers: Cluster.nowhere)
        setup.settings["journal"] = ["segmentBytes": "128KiB"]
        let acknowledged = try await setup.fill(clients: 3, each: 400)
        setup.servers = cluster.servers
        let file = try setup.write()
        let reader = RecordReader(setup.dealTopic, at: cluster.servers)
        defer { reader.stop() }
        let kills = 4
        for _ in 0..<kills {
            let before = reader.records.count
            let program = try RunningProgram(BuiltProducts.bridge, ["journal", "replay", "--config", file])
            // In the middle of its work, or when it is just done.
            try await eventually("it delivers") { program.currentEnd() != nil || reader.records.count > before }
            usleep(.random(in: 0...50_000))
            try await program.killAtOnce()
        }
        let last = try await setup.tool("replay", ["--timeout", "10"])
        #expect(last.end == .exit(0), "\(last)")
        try await eventually("all is read") { reader.numbers == acknowledged }
        #expect(DeliveryOrder.faults(in: reader.records, kills: kills) == [])
    }

    // MARK: A running bridge

    @Test func aRunningBridgeIsLeftAloneAndARangeIsSentBesideIt() async throws {
        var setup = try Setup()
        setup.settings["journal"] = ["retain": "1h"]
        let reader = RecordReader(setup.dealTopic, at: setup.servers)
        defer { reader.stop() }
        let bridge = try setup.start()
        let port = try await bridge.port()
        for number in 1...50 {
            #expect(try await post(SampleEvent.form(number: "1-\(number)"), port: port).status == 200)
        }
        try await eventually("all is delivered") { reader.records.count == 50 }
        // The checkpoint follows within a second.
        let deadline = ContinuousClock.now + .seconds(20)
        while try await !setup.exportedIDs(["--undelivered"]).isEmpty {
            try #require(ContinuousClock.now < deadline, "the checkpoint does not follow")
        }

        let refused = try await setup.tool("replay")
        #expect(refused.end == .exit(1) && refused.errors.contains("delivers what waits there itself"), "\(refused)")
        let reroute = try await setup.tool("reroute", ["--from-topic", "a", "--to-topic", "b"])
        #expect(reroute.end == .exit(1) && reroute.errors.contains("stop it first"), "\(reroute)")
        let verified = try await setup.tool("verify")
        #expect(verified.end == .exit(0) && verified.errors.contains("half written"), "\(verified)")

        let range = try await setup.tool("replay", ["--from", "11", "--to", "20", "--topic", setup.dealTopic])
        #expect(range.end == .exit(0) && range.output.contains("10 records sent again"), "\(range)")
        let first = reader.records
        try await eventually("the range is read") { reader.records.count == 60 }
        let repeated = reader.records.dropFirst(50).map(\.id)
        #expect(Array(repeated) == first[10..<20].map(\.id))
        let nothing = try await setup.tool("replay", ["--from", "2030-01-01T00:00:00Z"])
        #expect(nothing.end == .exit(0) && nothing.output.contains("0 records sent again"), "\(nothing)")
        let time = try await setup.tool("replay", ["--from", "2020-01-01T00:00:00Z", "--dry-run"])
        #expect(time.output.contains("50 records would be sent"), "\(time)")

        #expect(try await post(SampleEvent.form(number: "1-51"), port: port).status == 200)
        try await eventually("the bridge goes on") { reader.numbers.contains("1-51") }
        try await bridge.stop()
    }

    // MARK: Damage

    @Test func damageIsNamedByFileAndBytesAndTheRestIsPrinted() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        let acknowledged = try await setup.fill(clients: 1, each: 30)
        let path = try #require(
            try Self.files(setup.folder.file("journal")).keys.filter { $0.hasSuffix(".segment") && !$0.contains("/") }
                .min()
        )
        let file = setup.folder.file("journal/" + path)
        var data = try Data(contentsOf: URL(filePath: file))
        data[4000] ^= 1
        try data.write(to: URL(filePath: file))

        let verified = try await setup.tool("verify")
        #expect(verified.end == .exit(1))
        let line = try #require(verified.outputLines.first)
        let range = try #require(line.firstMatch(of: /bytes (\d+) to (\d+)/))
        #expect(line.hasPrefix("damage") && line.contains(file), "\(line)")
        let bytes = try #require(Int(range.output.1))..<#require(Int(range.output.2))
        #expect(bytes.contains(4000), "\(line)")
        let faults = try json(try await setup.tool("verify", ["--json"]).output) as? [String: Any]
        #expect(faults?["faultsCounted"] as? Int == 1)

        let exported = try await setup.tool("export")
        #expect(exported.end == .exit(1) && exported.errors.contains("damaged"), "\(exported.errors)")
        #expect(exported.outputLines.count == acknowledged.count - 1)

        let plan = try await setup.tool("replay", ["--dry-run"])
        #expect(plan.end == .exit(1) && plan.output.contains("Keep the volume"), "\(plan)")
        let planned = try json(try await setup.tool("replay", ["--dry-run", "--json"]).output) as? [String: Any]
        let unread = try #require(planned?["unread"] as? [String: Int])
        #expect(unread["damagedBytes"] == bytes.count && unread["newerVersionFiles"] == 0)
        let host = try Setup()
        let replay = try await host.tool(
            "replay",
            ["--directory", setup.folder.file("journal"), "--timeout", "10"]
        )
        #expect(replay.end == .exit(1) && replay.output.contains("\(acknowledged.count - 1) records delivered, 0 left"))
        #expect(replay.output.contains("Keep the volume"), "\(replay)")
    }

    @Test func aJournalOfWhichNothingCanBeReadIsNotSaidToBeDelivered() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        _ = try await setup.fill(clients: 1, each: 1)
        let directory = setup.folder.file("journal")
        let name = try #require(try Self.files(directory).keys.filter { $0.hasSuffix(".segment") }.min())
        var data = try Data(contentsOf: URL(filePath: directory + "/" + name))
        // Its only record and its header; a torn write would leave the header.
        for index in data.indices { data[index] = 0x5a }
        try data.write(to: URL(filePath: directory + "/" + name))
        let replay = try await setup.tool("replay")
        #expect(replay.end == .exit(1) && replay.output.contains("0 records delivered, 0 left"), "\(replay)")
        #expect(replay.output.contains("Keep the volume"), "\(replay)")
    }

    @Test func whoeverStopsReadingEndsAnExportQuietly() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        _ = try await setup.fill(clients: 1, each: 300)
        let pipe = try Pipes()
        close(pipe.reading)
        let program = try RunningProgram(
            BuiltProducts.bridge,
            ["journal", "export", "--directory", setup.folder.file("journal")],
            output: .descriptor(pipe.writing)
        )
        close(pipe.writing)
        #expect(try await program.waitForEnd() == .exit(0))
        #expect(program.standardError.isEmpty)
    }

    // MARK: Reroute

    @Test func reroutedRecordsArriveOnTheNewTopicInOrderWhateverKillsTheTool() async throws {
        // One that can refuse a topic, which the shared one cannot be asked for.
        let cluster = try await onThread { try MockCluster() }
        defer { cluster.close() }
        var setup = try Setup(servers: cluster.bootstrapServers)
        cluster.setTopicError(setup.dealTopic, .unknownTopicOrPartition)
        setup.settings["kafka"] = [
            "parkAfter": "100ms", "properties": ["topic.metadata.propagation.max.ms": "300"],
        ]
        setup.settings["journal"] = ["segmentBytes": "64KiB"]
        let bridge = try setup.start()
        let load = Load(clients: 3, keys: 3, limit: 250)
        load.direct(to: try await bridge.port())
        try await eventually("the clients end") { load.isFinished }
        let acknowledged = load.outcome.acknowledged
        #expect(acknowledged.count == 750)
        let admin = try await bridge.port("admin")
        var parked = 0
        for _ in 0..<2000 where parked < acknowledged.count {
            let status = try json(try await httpRequest("GET", "/status", port: admin).body) as? [String: Any]
            parked = (status?["kafka"] as? [String: Any])?["parkedRecords"] as? Int ?? 0
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(parked == acknowledged.count)
        // In order: after a kill the main journal would offer the last of them to their old topic once more.
        try await bridge.stop()

        let ids = try await setup.exportedIDs(["--parked", "--undelivered"])
        #expect(ids.count == acknowledged.count)
        let right = setup.prefix + "right"
        let arguments = ["--from-topic", setup.dealTopic, "--to-topic", right]
        let plan = try await setup.tool("reroute", arguments + ["--dry-run"])
        #expect(plan.output.contains("750 of 750 parked records would go"), "\(plan)")
        let work = setup.folder.file("journal/parked.rerouting")
        for _ in 0..<5 {
            try? FileManager.default.removeItem(atPath: work)
            let program = try RunningProgram(
                BuiltProducts.bridge,
                ["journal", "reroute", "--directory", setup.folder.file("journal")] + arguments
            )
            // In the middle of its work, while it writes or exchanges.
            while program.currentEnd() == nil, !FileManager.default.fileExists(atPath: work) { usleep(500) }
            usleep(.random(in: 0...20_000))
            try await program.killAtOnce()
            #expect(try await setup.exportedIDs(["--parked", "--undelivered"]) == ids)
        }
        let last = try await setup.tool("reroute", arguments)
        // A killed one may have come to its end.
        #expect(last.end == .exit(0) || last.errors.contains("no parked record has the topic"), "\(last)")
        #expect(try await setup.exportedIDs(["--parked", "--undelivered", "--topic", right]) == ids)

        let reader = RecordReader(right, at: cluster.bootstrapServers)
        defer { reader.stop() }
        let replay = try await setup.tool("replay", ["--timeout", "10"])
        #expect(replay.end == .exit(0), "\(replay)")
        try await eventually("all is read") { reader.numbers == acknowledged }
        #expect(DeliveryOrder.faults(in: reader.records, kills: 0) == [])
        #expect(Set(reader.records.map(\.id)) == Set(ids))
    }

    // MARK: Usage

    @Test(arguments: [
        (["inspect"], "--config FILE or --directory"), (["replay"], "--config FILE or --directory"),
        (["inspect", "--helpp"], "--helpp"), (["verify", "--directory", "x", "--nonsense"], "--nonsense"),
        (["export", "--directory", "x", "--from", "yesterday"], "RFC 3339"),
        (["export", "--directory", "x", "--from", "9", "--to", "3"], "exchange them"),
        (["replay", "--directory", "x", "--from", "2026-11-21T00:00:00Z", "--to", "2026-11-20T00:00:00Z"], "exchange"),
        (["replay", "--directory", "x", "--topic", "t"], "--from or --to"),
        (["reroute", "--directory", "x", "--from-topic", "a", "--to-topic", "b c"], "cannot be a topic"),
        (["reroute", "--directory", "x", "--from-topic", "a", "--to-topic", "a"], "name two"),
    ])
    func badUsageIsStatusTwo(arguments: [String], words: String) async throws {
        let result = try await runBridge(["journal"] + arguments)
        #expect(result.end == .exit(2) && result.errors.contains(words), "\(result)")
        #expect(result.output.isEmpty)
    }

    @Test func aDirectoryWithoutAJournalIsToldAndStaysEmpty() async throws {
        let folder = try Folder()
        for tool in ["inspect", "verify", "export"] {
            let result = try await runBridge(["journal", tool, "--directory", folder.path])
            #expect(result.end == .exit(1) && result.errors.contains("no journal lies in"), "\(result)")
        }
        #expect(try Self.files(folder.path).isEmpty)
    }

    @Test func aFileAndTheParkedHalfAreToldFromAJournal() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        _ = try await setup.fill(clients: 1, each: 1)
        let file = try await runBridge(["journal", "inspect", "--directory", setup.folder.file("b24bridge.yaml")])
        #expect(file.end == .exit(1) && file.errors.contains("is a file; name the directory"), "\(file)")
        for path in ["journal/parked", "journal/parked/"] {
            let half = try await runBridge(["journal", "inspect", "--directory", setup.folder.file(path)])
            #expect(half.end == .exit(0) && half.errors.contains("the whole is"), "\(half)")
        }
        #expect(try await setup.tool("inspect").errors.isEmpty)
    }

    private static func files(_ path: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
            files[name] = FileManager.default.contents(atPath: "\(path)/\(name)")
        }
        return files
    }

}

private func json(_ text: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(text.utf8))
}

extension Setup {
    /// Runs a bridge, posts to it, kills it. Returns the numbers that were answered with 200.
    fileprivate func fill(clients: Int, each: Int) async throws -> Set<String> {
        let bridge = try start()
        let load = Load(clients: clients, keys: clients, limit: each)
        load.direct(to: try await bridge.port())
        try await eventually("the clients end") { load.isFinished }
        try await bridge.program.killAtOnce()
        #expect(load.outcome.acknowledged.count == clients * each)
        return load.outcome.acknowledged
    }

    /// Runs a subcommand of `journal` with this configuration.
    fileprivate func tool(_ name: String, _ arguments: [String] = []) async throws -> CommandResult {
        try await runBridge(["journal", name, "--config", try write()] + arguments, within: .seconds(60))
    }

    fileprivate func exportedIDs(_ arguments: [String]) async throws -> [String] {
        let result = try await tool("export", arguments)
        #expect(result.end == .exit(0), "\(result.errors)")
        return try result.outputLines.map { line in
            let object = try #require(try json(String(line)) as? [String: Any])
            return try #require((object["headers"] as? [String: String])?["ce_id"])
        }
    }
}
