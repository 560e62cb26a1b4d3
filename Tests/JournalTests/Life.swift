import Foundation
import Testing

@testable import Journal

/// A scripted life of a journal, the same for the same seed but for what its threads make of it: appends of two owners,
/// reading, confirming, replaying, closing and opening again, on a disk with damage from an earlier time or a new one.
struct Life {
    private let seed: UInt64
    private let configuration: JournalConfiguration
    /// Resolved as committed, or committed before this life.
    private(set) var acknowledged: [UInt64: String] = [:]
    /// Whatever was appended, by position; a position may have been given again after a failure.
    private var given: [UInt64: Set<String>] = [:]
    private var confirmedBelow: UInt64 = 0
    private(set) var problems: [String] = []

    init(seed: UInt64) {
        self.seed = seed
        var random = SplitMix(seed)
        configuration = small {
            $0.maxBytes = [1 << 20, 8192].randomElement(using: &random)!
            $0.segmentBytes = [512, 1024, 2048].randomElement(using: &random)!
            $0.tailBytes = [0, 300, 4096].randomElement(using: &random)!
            $0.retain = [.zero, .milliseconds(5), .seconds(3600)].randomElement(using: &random)!
            $0.roomTimeout = .milliseconds(10)
            $0.readPatience = 1000
        }
        for (position, text) in Self.earlier(seed) where position != Self.damaged {
            acknowledged[position] = text
            given[position] = [text]
        }
    }

    // MARK: Before

    private static let damaged: UInt64 = 7
    private static let newer = "/j/00000000000000000004.segment"

    private static func earlier(_ seed: UInt64) -> [UInt64: String] {
        guard seed % 3 != 0 else { return [:] }
        // Those from 10 on lie in the file of a newer version.
        return Dictionary(uniqueKeysWithValues: (1...9).map { ($0, text($0)) })
    }

    private static func text(_ number: UInt64) -> String {
        "earlier \(number) " + String(repeating: "e", count: 200)
    }

    /// New, or with nine records of an earlier run of which one is damaged, and a file of a newer version.
    static func disk(_ seed: UInt64) -> SimulatedFileSystem {
        let fileSystem = SimulatedFileSystem()
        guard seed % 3 != 0, let journal = try? Journal.open(small(), fileSystem: fileSystem) else { return fileSystem }
        let appender = TestAppender(journal)
        for number in 1...UInt64(11) { _ = appender.append(text(number)) }
        journal.close()
        for path in fileSystem.segments {
            guard var bytes = fileSystem.contents(path) else { continue }
            guard let frame = frames(bytes).first(where: { $0.position == damaged }) else { continue }
            bytes[frame.range.upperBound - 1] ^= 1
            fileSystem.setContents(path, bytes)
        }
        try? fileSystem.makeNewer(newer)
        // What was done up to here is no part of the life.
        return fileSystem.copy()
    }

    // MARK: Life

    mutating func run(on fileSystem: SimulatedFileSystem) {
        var random = SplitMix(seed ^ 0x11FE)
        var steps = 22
        while steps > 0 {
            guard let journal = try? Journal.open(configuration, fileSystem: fileSystem) else {
                steps -= 5
                continue
            }
            let owners = [TestAppender(journal), TestAppender(journal)]
            let reader = journal.makeReader()
            var isOpen = true
            while steps > 0, isOpen {
                steps -= 1
                switch random.next() % 8 {
                case 0...3: append(to: owners, &random)
                case 4, 5: read(reader, journal)
                case 6:
                    // Replay, as far back as there is something.
                    while let block = try? journal.makeReader(from: .first).next(maxBytes: 500) {
                        note(block)
                        break
                    }
                default: isOpen = false
                }
            }
            journal.close()
        }
    }

    private mutating func append(to owners: [TestAppender], _ random: inout SplitMix) {
        var pending: [(owner: TestAppender, position: JournalPosition, text: String)] = []
        for _ in 0...(random.next() % 4) {
            let owner = owners[Int(random.next() % 2)]
            let text = "record \(random.next()) " + String(repeating: "l", count: Int(random.next() % 150))
            guard case .pending(let position) = owner.begin(text) else { continue }
            given[position.rawValue, default: []].insert(text)
            pending.append((owner, position, text))
        }
        for (owner, position, text) in pending where owner.resolutions.wait(for: position) == .committed {
            if acknowledged.updateValue(text, forKey: position.rawValue) != nil {
                problems.append("position \(position.rawValue) was given twice")
            }
        }
    }

    private mutating func read(_ reader: JournalReader, _ journal: Journal) {
        guard let block = try? reader.next(maxBytes: 600) else { return }
        note(block)
        confirmedBelow = max(confirmedBelow, block.last.rawValue + 1)
        journal.confirm(below: JournalPosition(block.last.rawValue + 1))
    }

    private mutating func note(_ block: RecordBlock) {
        for read in block.reads where given[read.position]?.contains(read.text) != true {
            problems.append("made up: \(read)")
        }
    }

    // MARK: After

    /// What is wrong with the journal that is on `disk` after this life.
    func problems(after disk: SimulatedFileSystem) -> [String] {
        var problems: [String] = []
        do {
            let journal = try Journal.open(configuration, fileSystem: disk)
            defer { journal.close() }
            let checkpoint = journal.statistics.confirmedBelow.rawValue
            if checkpoint > confirmedBelow {
                problems.append("the checkpoint is at \(checkpoint), not \(confirmedBelow)")
            }
            let found = try journal.makeReader().all(maxBytes: 500)
            let texts = Dictionary(found.map { ($0.position, $0.text) }, uniquingKeysWith: { first, _ in first })
            if found.map(\.position) != texts.keys.sorted() { problems.append("out of order or read twice") }
            for (position, text) in acknowledged where position >= confirmedBelow && texts[position] != text {
                problems.append("lost: \(position):\(text)")
            }
            for read in found where given[read.position]?.contains(read.text) != true {
                problems.append("made up: \(read)")
            }
            journal.confirm(below: journal.statistics.next)
            let appender = TestAppender(journal)
            // In a full journal the first one may come before the confirmed segments are gone.
            let done = (1...20).lazy.compactMap { _ in appender.append("afterwards") }.first {
                $0.outcome == .committed
            }
            guard let done else { return problems + ["nothing is committed any more"] }
            let highest = max(found.last?.position ?? 0, acknowledged.keys.max() ?? 0)
            if done.position.rawValue <= highest {
                problems.append("position \(done.position.rawValue) was given twice")
            }
        } catch {
            problems.append("no start: \(error)")
        }
        return problems
    }
}
