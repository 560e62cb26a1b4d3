import Bitrix24
import Foundation
import Journal
import KafkaClient
import ServiceLifecycle
import Testing

@testable import Bridge

@Suite struct ReplayTests {
    private typealias Record = FilledJournal.Record

    private static func settings(
        _ temporary: TemporaryDirectory,
        _ prefix: String,
        servers: String,
        parkAfter: Duration = .milliseconds(200)
    ) throws -> BridgeSettings {
        var settings = try RunningBridge.settings(servers: servers, directory: temporary, prefix: prefix)
        settings.kafka.parkAfter = parkAfter
        settings.journal.retain = .seconds(3600)
        return settings
    }

    /// Runs one to its end.
    private static func replay(
        _ settings: BridgeSettings,
        timeout: Duration = .seconds(10),
        logs: LogLines = LogLines()
    ) async throws -> Replay.Result {
        let backlog = try Backlog(of: JournalSite(inspecting: settings.journal.directory)) { _ in }
        let replay = try Replay(settings, backlog: backlog, timeout: timeout, logger: logs.logger) { _, _ in }
        let services = replay.services.map {
            ServiceGroupConfiguration.ServiceConfiguration(
                service: $0,
                successTerminationBehavior: .gracefullyShutdownGroup
            )
        }
        try await ServiceGroup(configuration: ServiceGroupConfiguration(services: services, logger: logs.logger)).run()
        return replay.end()
    }

    @Test func `what waits in both journals is delivered in order and the checkpoint moves`() async throws {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        let prefix = "replay\(UUID().uuidString.prefix(8).lowercased())"
        try journal.append(FilledJournal.numbered(1...30, prefix), to: journal.parked, confirmed: 11)
        try journal.append(FilledJournal.numbered(31...200, prefix), confirmed: 21)
        let waiting = FilledJournal.ids(try journal.exported([.parked], undelivered: true))
        let settings = try Self.settings(temporary, prefix, servers: Kafka.servers)
        let result = try await Self.replay(settings)
        #expect(result.delivered == 170 && result.left == 0 && result.stopped == nil && result.topics.isEmpty)
        let records = try await Kafka.read(170, from: [prefix], at: Kafka.servers)
        // Nothing overtakes the parked ones.
        #expect(DeliveryTests.numbers(records) == Array(11...30) + Array(51...200))
        let ids = records.prefix(20).compactMap { $0.header("ce_id").map { String(decoding: $0, as: UTF8.self) } }
        #expect(ids == waiting)
        let site = try journal.site()
        #expect(try Backlog(of: site) { _ in }.records == 0)
        #expect(site.parts.allSatisfy { $0.directory.isCleanlyClosed })
        #expect(try journal.exported([.main]).count == 170, "retained")
    }

    @Test func `what a topic refuses is told, stays, and is delivered in order when it is mended`() async throws {
        try await Kafka.withCluster { cluster in
            let temporary = try TemporaryDirectory()
            let journal = FilledJournal(temporary)
            var records: [Record] = []
            for number in 1...20 {
                records += [Record(topic: "r.bad", number: number), Record(topic: "r.good", number: number)]
            }
            records.append(Record(topic: "r.good", number: 21, flags: .oversized, pad: 2000))
            try journal.append(records)
            cluster.setTopicError("r.bad", .unknownTopicOrPartition)
            var settings = try Self.settings(temporary, "r", servers: cluster.bootstrapServers)
            settings.kafka.maxRecordBytes = 2000
            let result = try await Self.replay(settings, timeout: .seconds(2))
            #expect(result.delivered == 20 && result.left == 21 && result.stopped == nil)
            #expect(result.topics.map(\.topic) == ["r.bad", "r.good"] && result.topics.map(\.records) == [20, 1])
            #expect(result.topics[0].error.contains("UNKNOWN_TOPIC"), "\(result.topics)")
            #expect(result.topics[1].error.contains("maxRecordBytes"), "\(result.topics)")
            #expect(try Backlog(of: journal.site()) { _ in }.topics.map(\.tally.parked) == [20, 1])

            cluster.setTopicError("r.bad", .noError)
            settings.kafka.maxRecordBytes = 10_000
            let second = try await Self.replay(settings)
            #expect(second.delivered == 21 && second.left == 0)
            let bad = try await Kafka.read(20, from: ["r.bad"], at: cluster.bootstrapServers)
            #expect(DeliveryTests.numbers(bad) == Array(1...20))
            #expect(try Backlog(of: journal.site()) { _ in }.records == 0)
        }
    }

    @Test func `without Kafka it gives up in time and everything stays`() async throws {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        try journal.append(FilledJournal.numbered(1...10, "deals"))
        let settings = try Self.settings(temporary, "away", servers: "127.0.0.1:1")
        let result = try await Self.replay(settings, timeout: .seconds(1))
        #expect(result.delivered == 0 && result.left == 10)
        #expect(result.stopped?.contains("Kafka cannot be reached") ?? false, "\(result)")
        #expect(try Backlog(of: journal.site()) { _ in }.records == 10)
    }

    @Test func `what lies beside the journal and only a bridge can deal with is counted and not touched`() throws {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        try journal.append(FilledJournal.numbered(1...3, "deals"), confirmed: 3)
        #expect(try Backlog(of: journal.site()) { _ in }.unread == Backlog.Unread())
        for (directory, count) in [
            (BridgeSettings.waitingDirectory(of: journal.directory), 2),
            (BridgeSettings.installsDirectory(of: journal.directory), 1),
        ] {
            let folder = DurableFolder(directory, fileSystem: POSIXFileSystem())
            _ = try folder.open()
            try folder.write((0...count).map { DurableFolder.File(name: "\($0)", bytes: [1]) })
            try folder.setAside("0")
            try Data().write(to: URL(filePath: "\(directory)/9.new"))
        }
        let unread = try Backlog(of: journal.site()) { _ in }.unread
        #expect(unread == Backlog.Unread(waitingFiles: 2, installCalls: 1) && unread.needsBridge && !unread.isLoss)
        #expect(
            FileManager.default.fileExists(atPath: BridgeSettings.waitingDirectory(of: journal.directory) + "/9.new")
        )
    }

    @Test func `what cannot be read is counted, unless it is delivered or a write cut short`() throws {
        func unread(_ damage: (FilledJournal) throws -> Void) throws -> Backlog.Unread {
            let temporary = try TemporaryDirectory()
            let journal = FilledJournal(temporary)
            try journal.append(FilledJournal.numbered(1...40, "deals"), confirmed: 20)
            try journal.append(FilledJournal.numbered(1...5, "deals"), to: journal.parked)
            try damage(journal)
            let backlog = try Backlog(of: journal.site()) { _ in }
            withExtendedLifetime(temporary) {}
            return backlog.unread
        }
        func change(_ path: String, _ change: (inout Data) -> Void) throws {
            var data = try Data(contentsOf: URL(filePath: path))
            change(&data)
            try data.write(to: URL(filePath: path))
        }
        /// The file that holds a record of the main journal, and where.
        func place(_ journal: FilledJournal, _ position: UInt64) throws -> (path: String, Range<Int>) {
            let directory = try journal.site().parts[0].directory
            var found: (String, Range<Int>)?
            for segment in directory.segments {
                var start = 128
                try directory.read(segment, maxBytes: 1) { finding, end in
                    if case .records(let block) = finding, block.first.rawValue == position {
                        found = ("\(directory.path)/\(segment.name)", start..<end)
                    }
                    start = end
                    return true
                }
            }
            return try #require(found)
        }
        #expect(try unread { _ in } == Backlog.Unread())
        for (position, isLost) in [(15, false), (19, false), (20, true), (25, true), (40, false)] as [(UInt64, Bool)] {
            var bytes = 0
            let found = try unread { journal in
                let (path, range) = try place(journal, position)
                bytes = range.count
                try change(path) { $0[range.upperBound - 1] ^= 1 }
            }
            #expect(found.damagedBytes == (isLost ? bytes : 0), "\(position)")
            #expect(found.unfinishedBytes == (position == 40 ? bytes : 0) && found.isLoss == isLost, "\(position)")
        }
        let parked = try unread { journal in
            try change(journal.parked + "/" + JournalDirectory.Segment.name(of: 1)) { $0[300] ^= 1 }
        }
        #expect(parked.isLoss && parked.damagedBytes > 0)
        for (position, isLost) in [(1, false), (25, true)] as [(UInt64, Bool)] {
            let newer = try unread { journal in
                try change(place(journal, position).path) { JournalVerificationTests.makeNewer(&$0) }
            }
            #expect(newer == Backlog.Unread(newerVersionFiles: isLost ? 1 : 0) && newer.isLoss == isLost)
        }
        let kept = try unread { journal in
            try FileManager.default.createDirectory(
                atPath: journal.parked + "/set-aside",
                withIntermediateDirectories: true
            )
            try Data("kept".utf8).write(to: URL(filePath: journal.parked + "/set-aside/1-128.bytes"))
        }
        #expect(kept == Backlog.Unread(setAsideFiles: 1) && !kept.isLoss)
    }

    @Test func `the judge waits for progress, for a few trials of refusing topics, and for nothing else`() {
        let start = ContinuousClock.now
        func status(_ change: (inout ShipperStatus) -> Void) -> ShipperStatus {
            var status = ShipperStatus()
            status.isRunning = true
            change(&status)
            return status
        }
        var judge = ReplayJudge(timeout: .seconds(30))
        #expect(judge.verdict(ShipperStatus(), delivered: 0, now: start) == nil, "not running yet")
        let working = status { $0.waitingRead = 5 }
        #expect(judge.verdict(working, delivered: 0, now: start) == nil)
        #expect(judge.verdict(working, delivered: 1, now: start + .seconds(20)) == nil)
        #expect(judge.verdict(working, delivered: 1, now: start + .seconds(49)) == nil)
        #expect(judge.verdict(working, delivered: 1, now: start + .seconds(50)) != nil)
        let refused = status {
            $0.parked = 2
            $0.isAtRest = true
        }
        #expect(judge.verdict(refused, delivered: 1, now: start + .seconds(51)) == nil)
        let trying = status { $0.parked = 2 }
        #expect(judge.verdict(trying, delivered: 1, now: start + .seconds(61)) == nil, "a trial is under way")
        #expect(judge.verdict(refused, delivered: 1, now: start + .seconds(61)) == .refused)
        let held = status {
            $0.waitingRead = 2
            $0.isAtRest = true
            $0.brokersUnreachable = "down"
        }
        #expect(judge.verdict(held, delivered: 1, now: start + .seconds(62)) == nil, "it may still be parked")
        #expect(
            judge.verdict(held, delivered: 1, now: start + .seconds(92)) == .stalled("Kafka cannot be reached: down")
        )
        #expect(judge.verdict(status { $0.isAtRest = true }, delivered: 9, now: start + .seconds(93)) == .delivered)
    }

    // MARK: A range

    @Test func `a range is sent again with the same bytes, and the checkpoint stays`() async throws {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        let topic = "resend\(UUID().uuidString.prefix(8).lowercased())"
        var records = FilledJournal.numbered(1...50, topic)
        records += (51...60).map { Record(topic: topic + ".other", number: $0, portal: "p2") }
        try journal.append(records, confirmed: 41)
        let settings = try Self.settings(temporary, "x", servers: Kafka.servers)
        var filter = RecordFilter()
        (filter.from, filter.to) = (.position(5), .position(45))
        let before = try temporary.files(below: "journal")
        let site = try journal.site()
        let resend = Resend(site, filter: filter, timeout: .seconds(10))
        #expect(try resend.count { _ in }.sent.map(\.records) == [41])
        let result = try await blocking { [resend] in
            try resend.run(with: settings.producerConfiguration, isStopped: { false }, progress: { _, _ in })
        }
        #expect(result.records == 41 && result.refused.isEmpty && result.stopped == nil && result.reachesBackTo == nil)
        #expect(try temporary.files(below: "journal") == before, "it only reads")
        let sent = try await Kafka.read(41, from: [topic], at: Kafka.servers)
        #expect(DeliveryTests.numbers(sent) == Array(5...45))
        let exported = try journal.exported { $0 = filter }
        let ids = sent.compactMap { $0.header("ce_id").map { String(decoding: $0, as: UTF8.self) } }
        #expect(ids == FilledJournal.ids(exported))

        filter.portals = ["p2"]
        (filter.from, filter.to) = (nil, .position(55))
        let other = Resend(site, filter: filter, timeout: .seconds(10))
        #expect(try other.count { _ in }.sent.map(\.records) == [5])
    }

    @Test func `beside a running bridge it leaves alone what is not delivered, and it says how far back it reaches`()
        throws
    {
        let journal = FilledJournal(try TemporaryDirectory())
        let payloads = try FilledJournal.numbered(1...60, "deals").map { try $0.payload() }
        try journal.append(payloads, to: journal.directory, confirmed: 41, retain: .zero)
        // The first files are deleted now.
        let oldest = try #require(try journal.exported([.main]).first?["position"] as? Int)
        #expect(oldest > 1 && oldest <= 41)
        var filter = RecordFilter()
        filter.from = .position(1)
        try journal.append([], to: journal.directory) {
            let result = try Resend(journal.site(), filter: filter, timeout: .seconds(1)).count { _ in }
            #expect(result.records == 41 - oldest && result.leftToBridge == 20)
            #expect(result.reachesBackTo?.contains("position \(oldest)") ?? false)
        }
        filter.from = .position(UInt64(oldest))
        let result = try Resend(journal.site(), filter: filter, timeout: .seconds(1)).count { _ in }
        #expect(result.records == 61 - oldest && result.leftToBridge == 0 && result.reachesBackTo == nil)
    }

    @Test func `what is refused is told by topic and error, and the rest is sent`() async throws {
        try await Kafka.withCluster { cluster in
            let temporary = try TemporaryDirectory()
            let journal = FilledJournal(temporary)
            var records = FilledJournal.numbered(1...10, "again.good")
            records += FilledJournal.numbered(1...10, "again.bad")
            try journal.append(records, confirmed: 21)
            cluster.setTopicError("again.bad", .unknownTopicOrPartition)
            let settings = try Self.settings(temporary, "again", servers: cluster.bootstrapServers)
            let site = try journal.site()
            let result = try await blocking {
                var filter = RecordFilter()
                filter.from = .position(1)
                return try Resend(site, filter: filter, timeout: .seconds(10))
                    .run(with: settings.producerConfiguration, isStopped: { false }, progress: { _, _ in })
            }
            #expect(result.sent.map(\.topic) == ["again.good"] && result.records == 10)
            #expect(result.refused.map(\.topic) == ["again.bad"] && result.refused.map(\.records) == [10])
        }
    }
}
