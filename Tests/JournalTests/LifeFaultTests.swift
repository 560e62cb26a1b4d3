import Foundation
import Synchronization
import Testing

@testable import Journal

/// Random lives of a journal on a disk that fails or loses power, and what must hold after each.
///
/// `B24_FAULTS=full` makes it long. A failure names the seed of its life; `B24_FAULTS_SEED` in the environment begins with it.
@Suite struct LifeFaultTests {
    private static let isFull = ProcessInfo.processInfo.environment["B24_FAULTS"] == "full"
    private static let firstSeed = ProcessInfo.processInfo.environment["B24_FAULTS_SEED"].flatMap { UInt64($0) }

    /// The simulated disk's operations in one life without faults, roughly: where to put a fault.
    private func operationCount(_ seed: UInt64) -> Int {
        let fileSystem = Life.disk(seed)
        var life = Life(seed: seed)
        life.run(on: fileSystem)
        return fileSystem.operationCount
    }

    /// - Returns: how much is not as it must be.
    private func check(_ life: Life, _ fileSystem: SimulatedFileSystem, _ seed: UInt64, _ what: String) -> Int {
        var problems = life.problems + fileSystem.violations
        problems += life.problems(after: fileSystem.copy()).map { "after a kill: \($0)" }
        for loss in [seed * 2, seed * 2 + 1] {
            problems += life.problems(after: fileSystem.copy(afterPowerLoss: loss)).map { "power loss \(loss): \($0)" }
        }
        #expect(problems.isEmpty, "seed \(seed), \(what)")
        return problems.count
    }

    @Test func aPowerLossAtEveryOperationOfAWholeLifeLosesNothing() {
        let seeds: [UInt64] = Self.isFull ? Array(1...20) : [1]
        var lives = 0
        var problems = 0
        for seed in seeds {
            for index in stride(from: 0, through: operationCount(seed) + 3, by: Self.isFull ? 1 : 2) {
                let fileSystem = Life.disk(seed)
                fileSystem.setFault { $0.index == index ? .powerLoss : nil }
                var life = Life(seed: seed)
                life.run(on: fileSystem)
                problems += check(life, fileSystem, seed, "power loss at \(index)")
                lives += 1
            }
        }
        print(
            "fault: power loss at every operation of a journal's life: \(lives) lives, 3 restarts each, \(problems) faults found"
        )
    }

    @Test(arguments: [EIO, ENOSPC, EDQUOT, EFBIG])
    func aFailureOfEveryOperationOfAWholeLifeLosesNothing(code: Int32) {
        let seeds: [UInt64] = Self.isFull ? Array(21...30) : [2]
        var lives = 0
        var problems = 0
        for seed in seeds {
            for index in stride(from: Int(code) % 4, through: operationCount(seed), by: Self.isFull ? 1 : 4) {
                let fileSystem = Life.disk(seed)
                fileSystem.setFault { operation in
                    guard operation.index == index else { return nil }
                    return operation.kind == .write && seed % 2 == 0 ? .halfWrite(code) : .error(code)
                }
                var life = Life(seed: seed)
                life.run(on: fileSystem)
                problems += check(life, fileSystem, seed, "\(String(cString: strerror(code))) at \(index)")
                lives += 1
            }
        }
        print(
            "fault: \(String(cString: strerror(code))) at every operation of a journal's life: \(lives) lives,",
            "3 restarts each, \(problems) faults found"
        )
    }

    @Test func randomLivesWithRandomFaultsLoseNothing() {
        let first = Self.firstSeed ?? (Self.isFull ? UInt64.random(in: 1000...1 << 40) : 1000)
        let count = Self.isFull ? 3000 : 60
        if Self.isFull { print("random lives from seed \(first)") }
        var committed = 0
        var problems = 0
        for seed in first..<(first + UInt64(count)) {
            let fileSystem = Life.disk(seed)
            let fault = RandomFault(seed)
            fileSystem.setFault { fault.decide($0) }
            var life = Life(seed: seed)
            life.run(on: fileSystem)
            committed += life.acknowledged.count
            problems += check(life, fileSystem, seed, fault.words)
        }
        print(
            "fault: random faults in random lives: \(count) lives from seed \(first), \(committed) records, \(problems) faults found"
        )
    }

    /// As the bridge parks records: they are confirmed in one journal once the other has them.
    @Test func recordsThatMoveToAnotherJournalAreInOneOfThemAtAnyMoment() throws {
        func open(_ fileSystem: SimulatedFileSystem, _ directory: String) throws -> Journal {
            var configuration = small { $0.tailBytes = 300 }
            configuration.directory = directory
            return try Journal.open(configuration, fileSystem: fileSystem)
        }
        /// Fills the main journal and moves what it holds; returns what was committed there.
        func move(_ fileSystem: SimulatedFileSystem) throws -> [Read] {
            let main = try open(fileSystem, "/j")
            defer { main.close() }
            let parked = try open(fileSystem, "/j/parked")
            defer { parked.close() }
            let (appender, mover) = (TestAppender(main), TestAppender(parked))
            let reader = main.makeReader()
            var committed: [Read] = []
            for index in 0..<12 {
                let text = "record \(index) " + String(repeating: "p", count: 100)
                if let done = appender.append(text), done.outcome == .committed {
                    committed.append(Read(position: done.position.rawValue, text: text))
                }
                guard index % 2 == 1, let block = try? reader.next(maxBytes: 300) else { continue }
                for record in block.reads {
                    guard mover.append(record.text)?.outcome == .committed else { return committed }
                    main.confirm(below: JournalPosition(record.position + 1))
                }
            }
            return committed
        }
        let whole = SimulatedFileSystem()
        try #expect(move(whole).count == 12)
        var crashes = 0
        var lost = 0
        for index in stride(from: 0, through: whole.operationCount, by: Self.isFull ? 1 : 3) {
            let fileSystem = SimulatedFileSystem { $0.index == index ? .powerLoss : nil }
            let committed = (try? move(fileSystem)) ?? []
            for seed in UInt64(index * 4)..<UInt64(index * 4 + 4) {
                let survivor = fileSystem.copy(afterPowerLoss: seed)
                var found: [[String]] = []
                for directory in ["/j", "/j/parked"] {
                    let journal = try open(survivor, directory)
                    defer { journal.close() }
                    found.append(try journal.makeReader().all().map(\.text))
                }
                let missing = committed.map(\.text).filter { !found[0].contains($0) && !found[1].contains($0) }
                #expect(missing.isEmpty, "power loss at \(index), seed \(seed)")
                #expect(Set(found[1]).count == found[1].count, "parked once, power loss at \(index), seed \(seed)")
                crashes += 1
                lost += missing.count
            }
        }
        print("fault: power loss while records move to another journal: \(crashes) crashes, \(lost) records lost")
    }
}

/// Faults by a seed: one, a run of them, now and then one, or the end of the power.
private final class RandomFault: Sendable {
    let words: String
    private let decision: @Sendable (SimulatedFileSystem.Operation) -> SimulatedFileSystem.Fault?

    init(_ seed: UInt64) {
        var random = SplitMix(seed ^ 0xFA17)
        let code = [EIO, ENOSPC, EDQUOT, EFBIG].randomElement(using: &random) ?? EIO
        let start = Int.random(in: 0..<120, using: &random)
        let length = Int.random(in: 1..<12, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            words = "power loss at \(start)"
            decision = { $0.index == start ? .powerLoss : nil }
        case 1:
            words = "error \(code) at \(start), \(length) times"
            decision = { $0.index >= start && $0.index < start + length ? .error(code) : nil }
        case 2:
            words = "failing syncs from \(start), \(length) times"
            decision = { operation in
                let isSync = [.syncData, .sync, .syncDirectory].contains(operation.kind)
                return isSync && operation.index >= start && operation.index < start + length ? .error(EIO) : nil
            }
        case 3:
            words = "half writes and error \(code) now and then"
            decision = { operation in
                var own = SplitMix(seed &+ UInt64(operation.index) &* 77)
                guard operation.kind != .read, operation.kind != .open, own.next() % 12 == 0 else { return nil }
                return operation.kind == .write ? .halfWrite(code) : .error(code)
            }
        default:
            words = "unreadable blocks now and then"
            let count = Atomic(0)
            decision = { operation in
                guard operation.kind == .read, operation.path.hasSuffix(".segment") else { return nil }
                return count.add(1, ordering: .relaxed).newValue % 5 == 0 ? .error(EIO) : nil
            }
        }
    }

    func decide(_ operation: SimulatedFileSystem.Operation) -> SimulatedFileSystem.Fault? { decision(operation) }
}
