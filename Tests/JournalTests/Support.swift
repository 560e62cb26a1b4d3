import Foundation
import Synchronization
import Testing

@testable import Journal

/// Gathers the resolutions of one appender and lets a test wait for them.
final class Resolutions: @unchecked Sendable {  // guarded by the condition's lock
    private let condition = NSCondition()
    private var all: [AppendResolution] = []

    func add(_ resolution: AppendResolution) {
        condition.lock()
        all.append(resolution)
        condition.broadcast()
        condition.unlock()
    }

    var list: [AppendResolution] {
        condition.lock()
        defer { condition.unlock() }
        return all
    }

    func outcome(of position: JournalPosition) -> AppendResolution.Outcome? {
        list.first { $0.through >= position }?.outcome
    }

    func wait(for position: JournalPosition, _ location: SourceLocation = #_sourceLocation) -> AppendResolution.Outcome?
    {
        let limit = Date(timeIntervalSinceNow: 10)
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let found = all.first(where: { $0.through >= position }) { return found.outcome }
            if !condition.wait(until: limit) {
                Issue.record("no resolution for \(position) within 10 s", sourceLocation: location)
                return nil
            }
        }
    }
}

/// One appender with its resolutions.
struct TestAppender {
    let resolutions = Resolutions()
    let appender: JournalAppender

    init(_ journal: Journal) {
        let resolutions = resolutions
        appender = journal.makeAppender { resolutions.add($0) }
    }

    func begin(_ text: String, stampAt: Int? = nil) -> AppendResult {
        Array(text.utf8).withUnsafeBytes { appender.append($0, stampAt: stampAt) }
    }

    /// Appends and waits for the outcome.
    func append(_ text: String) -> (position: JournalPosition, outcome: AppendResolution.Outcome?)? {
        guard case .pending(let position) = begin(text) else { return nil }
        return (position, resolutions.wait(for: position))
    }
}

struct Read: Equatable, CustomStringConvertible {
    let position: UInt64
    let text: String
    var description: String { "\(position):\(text)" }
}

extension RecordBlock {
    var reads: [Read] {
        var reads: [Read] = []
        forEach {
            reads.append(Read(position: $0.position.rawValue, text: String(decoding: $0.payload, as: UTF8.self)))
        }
        return reads
    }
}

extension JournalReader {
    func all(maxBytes: Int = 1 << 20) throws -> [Read] {
        var reads: [Read] = []
        while let block = try next(maxBytes: maxBytes) { reads += block.reads }
        return reads
    }
}

/// Waits for a condition, not for a time.
func eventually(
    _ what: String,
    within seconds: Double = 10,
    _ location: SourceLocation = #_sourceLocation,
    _ holds: () -> Bool
) {
    let limit = Date(timeIntervalSinceNow: seconds)
    while !holds() {
        if Date() > limit {
            Issue.record("not within \(seconds) s: \(what)", sourceLocation: location)
            return
        }
        usleep(500)
    }
}

/// A directory of the real file system that is gone afterwards.
func withDirectory<R>(_ body: (String) throws -> R) throws -> R {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("journal-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

func withJournal<R>(
    _ configuration: JournalConfiguration,
    _ fileSystem: any FileSystem = POSIXFileSystem(),
    observer: JournalObserver = .init(),
    _ body: (Journal) throws -> R
) throws -> R {
    let journal = try Journal.open(configuration, fileSystem: fileSystem, observer: observer)
    defer { journal.close() }
    return try body(journal)
}

/// Small everything, for tests in memory.
func small(_ change: (inout JournalConfiguration) -> Void = { _ in }) -> JournalConfiguration {
    var configuration = JournalConfiguration(directory: "/j", maxBytes: 1 << 20, segmentBytes: 1024)
    configuration.checkpointInterval = .milliseconds(1)
    configuration.chunkBytes = 1024
    change(&configuration)
    return configuration
}

/// A fault-free journal that was closed, with what is in it.
func filled(_ count: Int, _ configuration: JournalConfiguration = small()) throws -> (SimulatedFileSystem, [Read]) {
    let fileSystem = SimulatedFileSystem()
    let reads = try withJournal(configuration, fileSystem) { journal in
        let appender = TestAppender(journal)
        return try (0..<count).map { index in
            let text = "record \(index) " + String(repeating: "x", count: index * 7 % 90)
            let done = try #require(appender.append(text))
            #expect(done.outcome == .committed)
            return Read(position: done.position.rawValue, text: text)
        }
    }
    return (fileSystem, reads)
}

/// The frames of an undamaged segment.
func frames(_ bytes: [UInt8]) -> [(position: UInt64, range: Range<Int>)] {
    var frames: [(UInt64, Range<Int>)] = []
    var offset = SegmentHeader.bytes
    while offset < bytes.count {
        bytes.withUnsafeBytes { buffer in
            let length = Frame.bytes(of: buffer.baseAddress! + offset)
            frames.append((Frame.position(of: buffer.baseAddress! + offset), offset..<(offset + length)))
            offset += length
        }
    }
    return frames
}

extension SimulatedFileSystem {
    var segments: [String] { paths.filter { $0.hasPrefix("/j/0") && $0.hasSuffix(".segment") } }

    /// As a segment of the next format version, its checksum right.
    func makeNewer(_ path: String) throws {
        var bytes = try #require(contents(path))
        bytes[8] = 2
        let crc = bytes.withUnsafeBytes { CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[..<124])) }
        withUnsafeBytes(of: crc.littleEndian) { bytes.replaceSubrange(124..<128, with: $0) }
        setContents(path, bytes)
    }
}
