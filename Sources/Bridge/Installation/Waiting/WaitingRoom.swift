internal import Journal
internal import Locks
internal import NIOPosix
internal import Synchronization

/// Events of verified portals whose application token is still to be learned, in full and without their secrets, on disk: a
/// file for each portal and batch, in the order of receipt.
///
/// As long as a portal has events here, all its events come here, also when its token is known: what came first goes on first.
final class WaitingRoom: Sendable {
    enum Refusal: Sendable {
        case full
        case disk
        case shutdown
    }

    struct File: Sendable {
        let name: String
        let records: Int
        /// As the quota counts it.
        let bytes: Int
    }

    private struct Portal {
        /// Oldest first.
        var files: [File] = []
        /// Being written.
        var pending = 0
    }

    private struct State {
        var portals: [String: Portal] = [:]
        var records = 0
        var bytes = 0
        var lastNumber = 0

        mutating func add(_ file: File, of memberID: String) {
            portals[memberID, default: Portal()].files.append(file)
            records += file.records
            bytes += file.bytes
        }

        mutating func forgetIfEmpty(_ memberID: String) {
            if let portal = portals[memberID], portal.files.isEmpty, portal.pending == 0 { portals[memberID] = nil }
        }
    }

    private struct Waiting: Sendable {
        let memberID: String
        let payload: [UInt8]
        let done: @Sendable (Refusal?) -> Void
    }

    private let maxBytes: Int
    private let folder: DurableFolder
    private let threads: NIOThreadPool
    private let outcomes: InstallOutcomes
    private let state: Guarded<State>
    private let occupied = Atomic(0)
    private let commits: GroupCommit<Waiting>
    /// Rung when somebody may have to go on.
    let bell = Bell()

    /// Looks at what earlier runs left: names only, so that it takes no time.
    ///
    /// - Parameter threads: One thread, on which all that touches the disk is done from now on.
    init(
        _ directory: String,
        maxBytes: Int,
        fileSystem: any FileSystem,
        threads: NIOThreadPool,
        outcomes: InstallOutcomes
    ) {
        self.maxBytes = maxBytes
        self.threads = threads
        self.outcomes = outcomes
        folder = DurableFolder(directory, fileSystem: fileSystem)
        commits = GroupCommit(on: threads)
        var state = State()
        do throws(FileSystemError) {
            for (name, bytes) in try folder.open() {
                guard let parts = FileName(name) else { continue }
                state.add(File(name: name, records: parts.records, bytes: Self.charged(bytes)), of: parts.memberID)
                state.lastNumber = max(state.lastNumber, parts.number)
            }
        } catch {
            outcomes.diskFailed(error)
        }
        occupied.store(state.portals.count, ordering: .relaxed)
        self.state = Guarded(state)
        if !state.portals.isEmpty { bell.ring() }
    }

    // MARK: Going in

    /// One relaxed load, for every event of every portal.
    var isOccupied: Bool { occupied.load(ordering: .acquiring) > 0 }

    /// Whether the next event of this portal must come here as well.
    func holds(_ memberID: String) -> Bool { state.withLock { $0.portals[memberID] != nil } }

    /// Stores an event. Never blocks.
    ///
    /// - Parameter done: Called once, on any thread: with `nil` when the event is durable, else with why it is not here.
    func park(_ payload: [UInt8], of memberID: String, then done: @escaping @Sendable (Refusal?) -> Void) {
        let isTaken = state.withLock { state in
            guard state.bytes + payload.count <= maxBytes, FileName.canHold(memberID) else { return false }
            state.bytes += payload.count
            state.portals[memberID, default: Portal()].pending += 1
            occupied.store(state.portals.count, ordering: .releasing)
            return true
        }
        guard isTaken else { return done(.full) }
        commits.submit(Waiting(memberID: memberID, payload: payload, done: done)) { [self] in commit($0, isClosed: $1) }
    }

    private func commit(_ items: [Waiting], isClosed: Bool) {
        // One file of each portal, its events in order.
        var batches: [(memberID: String, items: [Waiting])] = []
        var places: [String: Int] = [:]
        for item in items {
            if let place = places[item.memberID] {
                batches[place].items.append(item)
            } else {
                places[item.memberID] = batches.count
                batches.append((item.memberID, [item]))
            }
        }
        for (memberID, items) in batches {
            var refusal: Refusal? = isClosed ? .shutdown : nil
            var file: File?
            if !isClosed {
                do throws(FileSystemError) {
                    file = try write(items, of: memberID)
                } catch {
                    refusal = .disk
                    outcomes.diskFailed(error)
                }
            }
            state.withLock { state in
                state.bytes -= items.reduce(0) { $0 + $1.payload.count }
                state.portals[memberID]?.pending -= items.count
                if let file { state.add(file, of: memberID) }
                state.forgetIfEmpty(memberID)
                occupied.store(state.portals.count, ordering: .releasing)
            }
            for item in items { item.done(refusal) }
        }
        bell.ring()
    }

    private func write(_ items: [Waiting], of memberID: String) throws(FileSystemError) -> File {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let name = FileName(number: number, records: items.count, memberID: memberID)
        let bytes = WaitingFile.encode(items.map(\.payload))
        do throws(FileSystemError) {
            try folder.write([DurableFolder.File(name: name.text, bytes: bytes)])
        } catch {
            try? folder.remove(name.text)
            throw error
        }
        return File(name: name.text, records: items.count, bytes: Self.charged(bytes.count))
    }

    /// A small file takes a block of the disk.
    private static func charged(_ bytes: Int) -> Int { (bytes + 4095) & ~4095 }

    // MARK: Going out

    var memberIDs: [String] { state.withLock { $0.portals.keys.sorted() } }

    var records: Int { state.withLock { state in state.records + state.portals.values.reduce(0) { $0 + $1.pending } } }
    var bytes: Int { state.withLock { $0.bytes } }

    /// The oldest file of a portal.
    func first(of memberID: String) -> File? { state.withLock { $0.portals[memberID]?.files.first } }

    /// What was parked, in order. A damaged file is set aside and gives nothing.
    func payloads(of file: File) async throws -> [[UInt8]] {
        try await threads.runIfActive { [folder, outcomes] in
            if let bytes = try folder.read(file.name), let payloads = WaitingFile.decode(bytes) { return payloads }
            try folder.setAside(file.name)
            outcomes.waitingFileIsDamaged(file.name, records: file.records)
            return []
        }
    }

    /// The events of a portal's oldest file are elsewhere now.
    func remove(_ file: File, of memberID: String) async throws {
        try await threads.runIfActive { [folder] in
            do throws(FileSystemError) {
                try folder.remove(file.name)
            } catch {
                // It was set aside.
                guard error.isMissing else { throw error }
            }
        }
        state.withLock { state in
            guard state.portals[memberID]?.files.first?.name == file.name else { return }
            state.portals[memberID]?.files.removeFirst()
            state.records -= file.records
            state.bytes -= file.bytes
            state.forgetIfEmpty(memberID)
            occupied.store(state.portals.count, ordering: .releasing)
        }
    }
}

/// `<number>-<records>-<member_id>`: enough to know at a start who is waiting.
private struct FileName {
    let number: Int
    let records: Int
    let memberID: String

    init(number: Int, records: Int, memberID: String) {
        self.number = number
        self.records = records
        self.memberID = memberID
    }

    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 2)
        guard parts.count == 3, let number = Int(parts[0]), let records = Int(parts[1]), records > 0,
            Self.canHold(String(parts[2]))
        else { return nil }
        self.init(number: number, records: records, memberID: String(parts[2]))
    }

    /// Rising numbers sort as texts.
    var text: String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 18 - digits.utf8.count)) + digits + "-\(records)-\(memberID)"
    }

    /// A verified portal's has 32 hexadecimal digits.
    static func canHold(_ memberID: String) -> Bool {
        (1...128).contains(memberID.utf8.count)
            && memberID.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
