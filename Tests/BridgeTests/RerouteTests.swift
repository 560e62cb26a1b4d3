import Bitrix24
import Foundation
import Glibc
import Journal
import KafkaClient
import Synchronization
import Testing

@testable import Bridge

@Suite struct RerouteTests {
    private typealias Record = FilledJournal.Record

    private static func reroute(
        _ journal: FilledJournal,
        fileSystem: any FileSystem = POSIXFileSystem(),
        isStopped: () -> Bool = { false }
    ) throws -> Reroute.Outcome {
        try Reroute(
            directory: journal.directory,
            from: "wrong",
            to: "right",
            segmentBytes: 8 << 10,
            fileSystem: fileSystem
        )
        .run(isStopped: isStopped) { _, _ in }
    }

    /// Twenty records of each of two topics, in turn, and at the end two of a kind of their own; ten are delivered.
    private static func filled() throws -> (temporary: TemporaryDirectory, journal: FilledJournal) {
        let temporary = try TemporaryDirectory()
        let journal = FilledJournal(temporary)
        try journal.append(FilledJournal.numbered(100...105, "wrong"))
        var records: [Record] = []
        for number in 1...20 {
            records += [Record(topic: "wrong", number: number), Record(topic: "other", number: number)]
        }
        records.append(Record(topic: "wrong", number: 21, flags: .refused))
        records.append(Record(topic: "wrong", number: 22, flags: .oversized))
        try journal.append(records, to: journal.parked, confirmed: 11)
        return (temporary, journal)
    }

    private static func parked(_ journal: FilledJournal) throws -> [String] {
        try journal.exported([.parked], undelivered: true).map { line in
            let flags = ["oversized", "refused"].filter { line[$0] as? Bool ?? false }
            return "\(line["topic"] ?? "") \(FilledJournal.numbers([line])[0]) \(flags.joined())"
        }
    }

    @Test func `parked records of one topic get the other one, in their order`() throws {
        let (temporary, journal) = try Self.filled()
        let ids = FilledJournal.ids(try journal.exported([.parked], undelivered: true))
        let main = try journal.exported([.main]).count
        let plan = try Reroute(directory: journal.directory, from: "wrong", to: "right", segmentBytes: 1 << 20)
            .count(in: journal.site()) { _, _ in }
        #expect(plan.rerouted == 17 && plan.records == 32)
        let outcome = try Self.reroute(journal)
        #expect(outcome.rerouted == 17 && outcome.records == 32 && outcome.refused == 1 && outcome.oversized == 1)
        #expect(outcome.kept == nil)
        var expected: [String] = []
        for number in 6...20 { expected += ["right \(number) ", "other \(number) "] }
        // What brokers refused for a reason of its own is tried like any other; what is too large stays so.
        expected += ["right 21 ", "right 22 oversized"]
        #expect(try Self.parked(journal) == expected)
        let after = FilledJournal.ids(try journal.exported([.parked]))
        #expect(after == ids)
        let findings = JournalVerification(of: try journal.site()) { _ in }
        #expect(findings.isSound)
        #expect(try journal.exported([.main]).count == main)
        let names = try FileManager.default.contentsOfDirectory(atPath: journal.directory)
        #expect(!names.contains { $0.hasPrefix("parked.") }, "\(names)")
        #expect(throws: JournalToolError.self) { try Self.reroute(journal) }
        #expect(try Self.parked(journal) == expected)
        withExtendedLifetime(temporary) {}
    }

    @Test func `a running bridge, a signal and a full disk leave everything as it was`() throws {
        let (temporary, journal) = try Self.filled()
        let before = try temporary.files(below: "journal")
        for path in [journal.directory, journal.parked] {
            let lock = try JournalLock(path)
            let error = #expect(throws: JournalToolError.self) { try Self.reroute(journal) }
            #expect(error?.description.contains("a bridge runs") ?? false)
            withExtendedLifetime(lock) {}
        }
        #expect(throws: JournalToolError.self) { try Self.reroute(journal, isStopped: { true }) }
        for room in [0, 100, 5000, 15_000] {
            let error = #expect(throws: (any Error).self) {
                try Self.reroute(journal, fileSystem: FullDisk(room: room))
            }
            #expect("\(error.map(String.init(describing:)) ?? "")".contains("No space left"), "\(error as Any)")
        }
        #expect(try temporary.files(below: "journal") == before)
        #expect(try Self.reroute(journal, fileSystem: FullDisk(room: 1 << 20)).rerouted == 17)
    }

    @Test func `what an earlier attempt left is cleared away, and damaged files are kept`() throws {
        let (temporary, journal) = try Self.filled()
        let left = "\(journal.directory)/\(Reroute.workName)"
        try FileManager.default.copyItem(atPath: journal.parked, toPath: left)
        let file = journal.parked + "/" + JournalDirectory.Segment.name(of: 2)
        var data = try Data(contentsOf: URL(filePath: file))
        data[1000] ^= 1
        try data.write(to: URL(filePath: file))
        let outcome = try Self.reroute(journal)
        let findings = JournalVerification(of: try journal.site()) { _ in }
        #expect(outcome.records == 31 && findings.isSound)
        let kept = try #require(outcome.kept)
        #expect(try Data(contentsOf: URL(filePath: kept + "/" + JournalDirectory.Segment.name(of: 2))) == data)
        #expect(!FileManager.default.fileExists(atPath: left))
        withExtendedLifetime(temporary) {}
    }

    @Test func `an earlier attempt that left what could not be read is not cleared away`() throws {
        for hasDamage in [true, false] {
            let (temporary, journal) = try Self.filled()
            let left = "\(journal.directory)/\(Reroute.workName)"
            try FileManager.default.copyItem(atPath: journal.parked, toPath: left)
            if hasDamage {
                let file = URL(filePath: left + "/" + JournalDirectory.Segment.name(of: 2))
                var data = try Data(contentsOf: file)
                data[1000] ^= 1
                try data.write(to: file)
            } else {
                try FileManager.default.createDirectory(atPath: left + "/set-aside", withIntermediateDirectories: true)
                try Data("kept".utf8).write(to: URL(filePath: left + "/set-aside/1-128.bytes"))
            }
            let before = try temporary.files(below: "journal/\(Reroute.workName)")
            let outcome = try Self.reroute(journal)
            #expect(outcome.rerouted == 17 && outcome.kept == nil)
            let kept = try #require(outcome.keptEarlier)
            #expect(try temporary.files(below: "journal/" + URL(filePath: kept).lastPathComponent) == before)
            #expect(!FileManager.default.fileExists(atPath: left))
        }
    }

    @Test func `an exchange that cannot be synced is done, and nothing is removed`() throws {
        let (temporary, journal) = try Self.filled()
        let before = try temporary.files(below: "journal/parked")
        let disk = FullDisk(room: 1 << 20, unsyncable: journal.directory)
        let outcome = try Self.reroute(journal, fileSystem: disk)
        #expect(outcome.rerouted == 17 && outcome.notDurable?.contains("Input/output error") ?? false, "\(outcome)")
        #expect(try Self.parked(journal).filter { $0.hasPrefix("right ") }.count == 17)
        let kept = try #require(outcome.kept)
        #expect(try temporary.files(below: "journal/" + URL(filePath: kept).lastPathComponent) == before)
    }

    @Test func `names that no topic can have are refused`() {
        for name in ["", ".", "..", "a b", "ä", String(repeating: "x", count: 250), "wrong"] {
            #expect(Reroute.fault(from: "wrong", to: name) != nil)
        }
        #expect(Reroute.fault(from: "wrong", to: "right") == nil)
    }

    @Test func `a bridge delivers what was rerouted before what comes later`() async throws {
        try await Kafka.withCluster { cluster in
            let temporary = try TemporaryDirectory()
            let journal = FilledJournal(temporary)
            cluster.setTopicError("re.wrong", .unknownTopicOrPartition)
            func run(_ topic: String, _ body: (RunningBridge) async throws -> Void) async throws {
                try await RunningBridge.with(servers: cluster.bootstrapServers, directory: temporary, prefix: "re") {
                    $0.kafka.parkAfter = .milliseconds(200)
                    $0.kafka.topic = try .init(topic)
                } _: {
                    try await body($0)
                }
            }
            try await run("re.wrong") { bridge in
                try await bridge.take(DeliveryTests.numbered(1...20))
                try await wait(for: "the records to be parked") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("records_parked") == 20
                }
            }
            let outcome = try Reroute(
                directory: journal.directory,
                from: "re.wrong",
                to: "re.right",
                segmentBytes: 1 << 20
            )
            .run { _, _ in }
            #expect(outcome.rerouted == 20)
            try await run("re.right") { bridge in
                try await bridge.take(DeliveryTests.numbered(21...30))
                try await wait(for: "delivery; \(bridge.logs.lines.suffix(4))") { bridge.delivered.count == 30 }
                #expect(DeliveryTests.numbers(bridge.delivered) == Array(1...30))
                #expect(bridge.delivered.allSatisfy { $0.topic == "re.right" })
                try await bridge.expectSums()
            }
        }
    }
}

/// The machine's file system on a disk that takes so many bytes and no more, and cannot sync one of its directories.
private final class FullDisk: FileSystem {
    private let disk = POSIXFileSystem()
    private let room: Atomic<Int>
    private let unsyncable: String?

    init(room: Int, unsyncable: String? = nil) {
        self.room = Atomic(room)
        self.unsyncable = unsyncable
    }

    func write(_ file: OpenFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileSystemError) -> Int {
        guard room.subtract(bytes.count, ordering: .relaxed).newValue >= 0 else {
            throw FileSystemError(operation: "write", path: file.path, code: ENOSPC)
        }
        return try disk.write(file, bytes, at: offset)
    }

    func makeDirectory(_ path: String) throws(FileSystemError) { try disk.makeDirectory(path) }
    func entries(of directory: String) throws(FileSystemError) -> [FileEntry] { try disk.entries(of: directory) }
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> OpenFile { try disk.open(path, mode) }
    func close(_ file: OpenFile) { disk.close(file) }
    func tryLock(_ file: OpenFile) throws(FileSystemError) -> Bool { try disk.tryLock(file) }
    func read(_ file: OpenFile, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileSystemError)
        -> Int
    { try disk.read(file, into: buffer, at: offset) }
    func syncData(_ file: OpenFile) throws(FileSystemError) { try disk.syncData(file) }
    func sync(_ file: OpenFile) throws(FileSystemError) { try disk.sync(file) }
    func syncDirectory(_ path: String) throws(FileSystemError) {
        if path == unsyncable { throw FileSystemError(operation: "fsync", path: path, code: EIO) }
        try disk.syncDirectory(path)
    }
    func size(of file: OpenFile) throws(FileSystemError) -> Int { try disk.size(of: file) }
    func rename(_ path: String, to newPath: String) throws(FileSystemError) { try disk.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileSystemError) { try disk.remove(path) }
}
