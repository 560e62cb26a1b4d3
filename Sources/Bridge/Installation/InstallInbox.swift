internal import Bitrix24REST
internal import Journal
internal import Locks
internal import NIOPosix
internal import Synchronization

/// Calls about installations that wait to be verified, sealed, each in a file of its own. They outlive the process and are
/// never in the journal.
///
/// What was taken stays until it is verified or refused: nothing that comes later replaces it. Anybody can post in the name of
/// any portal, so a newer call is no better than an older one, and whoever wants to keep a portal out must not be able to push
/// its genuine call out with forged ones. Instead each portal has room for a few calls at a time, and when that is used up the
/// newest is refused, which its sender sees. Forged ones leave within seconds, as the authorization server denies them.
final class InstallInbox: Sendable {
    struct Limits: Sendable {
        var entries = 1000
        var bytes = 16 << 20
        var entriesOfPortal = 4
        var perSecond = 10
        /// Of `entries` and `bytes`, one in so many is for calls whose sender proved who it is.
        var reservedPart = 8
        /// Between two tries to verify one call.
        var pauses = Backoff(first: .seconds(1), cap: .seconds(60), least: 0.5)
    }

    private struct Entry {
        var memberID: String
        var bytes: Int
        var isProven: Bool
        /// `nil`: it is being written or verified.
        var dueAt: ContinuousClock.Instant?
        /// How often it was tried and failed for a reason that passes.
        var attempts = 0
    }

    private struct State {
        /// By id, which is the file's name.
        var entries: [String: Entry] = [:]
        var bytes = 0
        var bucket: TokenBucket
    }

    private struct Waiting: Sendable {
        let file: DurableFolder.File
        let done: @Sendable (InstallRefusal?) -> Void
    }

    private let limits: Limits
    private let keyring: Keyring
    private let folder: DurableFolder
    private let threads: NIOThreadPool
    private let outcomes: InstallOutcomes
    private let state: Guarded<State>
    private let commits: GroupCommit<Waiting>
    /// Rung when there may be something to verify.
    let bell = Bell()

    /// - Parameter threads: One thread, on which all that touches the disk is done. What earlier runs left is read there at once.
    init(
        _ directory: String,
        limits: Limits = Limits(),
        keyring: Keyring,
        fileSystem: any FileSystem,
        threads: NIOThreadPool,
        outcomes: InstallOutcomes
    ) {
        self.limits = limits
        self.keyring = keyring
        self.threads = threads
        self.outcomes = outcomes
        folder = DurableFolder(directory, fileSystem: fileSystem)
        state = Guarded(State(bucket: TokenBucket(perSecond: limits.perSecond)))
        commits = GroupCommit(on: threads)
        threads.submit { [self] in if $0 == .active { readBack() } }
    }

    /// Calls that wait, those that are being written among them.
    var count: Int { state.withLock { $0.entries.count } }

    // MARK: Taking

    /// Stores a call. Never blocks.
    ///
    /// - Parameter done: Called once, on any thread: with `nil` when the call is durable, else with why it was not taken.
    func put(_ call: UnverifiedCall, then done: @escaping @Sendable (InstallRefusal?) -> Void) {
        do throws(InstallRefusal) {
            let file = DurableFolder.File(name: call.id, bytes: try sealed(call))
            try state.withLock { state throws(InstallRefusal) in try reserve(file.bytes.count, for: call, in: &state) }
            commits.submit(Waiting(file: file, done: done)) { [self] in commit($0, isClosed: $1) }
        } catch {
            done(error)
        }
    }

    /// What can be seen without work comes first, so that a flood costs none.
    private func sealed(_ call: UnverifiedCall) throws(InstallRefusal) -> [UInt8] {
        guard keyring.canSeal else { throw .noKey }
        guard call.body.count <= UnverifiedCall.maxBodyBytes else { throw .tooLarge }
        if !call.kind.isProven, !state.withLock({ $0.bucket.take() }) { throw .tooFast }
        do throws(KeyringError) {
            return try call.sealed(with: keyring)
        } catch {
            throw .noKey
        }
    }

    private func reserve(_ bytes: Int, for call: UnverifiedCall, in state: inout State) throws(InstallRefusal) {
        let parts = call.kind.isProven ? 0 : limits.reservedPart
        func room(_ all: Int) -> Int { parts == 0 ? all : all - all / parts }
        guard state.entries.count < room(limits.entries), state.bytes + bytes <= room(limits.bytes) else {
            throw .inboxFull
        }
        let ofPortal = state.entries.values.count { $0.memberID == call.memberID && !$0.isProven }
        guard call.kind.isProven || ofPortal < limits.entriesOfPortal else { throw .portalFull }
        state.entries[call.id] = Entry(memberID: call.memberID, bytes: bytes, isProven: call.kind.isProven)
        state.bytes += bytes
    }

    private func commit(_ items: [Waiting], isClosed: Bool) {
        var refusal: InstallRefusal? = isClosed ? .shutdown : nil
        if !isClosed {
            do throws(FileSystemError) {
                try folder.write(items.map(\.file))
            } catch {
                refusal = .disk
                outcomes.diskFailed(error)
            }
        }
        for item in items {
            if refusal == nil {
                state.withLock { $0.entries[item.file.name]?.dueAt = .now }
            } else {
                forget(item.file.name)
                try? folder.remove(item.file.name)
            }
            item.done(refusal)
        }
        bell.ring()
    }

    private func forget(_ id: String) {
        state.withLock { state in
            if let entry = state.entries.removeValue(forKey: id) { state.bytes -= entry.bytes }
        }
    }

    // MARK: Verifying

    /// At most `limit` calls that are due, oldest first. They are the caller's until it says `finish` or `postpone`.
    func takeDue(_ limit: Int, at now: ContinuousClock.Instant = .now) -> [String] {
        state.withLock { state in
            let due = state.entries.filter { $0.value.dueAt.map { $0 <= now } ?? false }.keys.sorted().prefix(limit)
            for id in due { state.entries[id]?.dueAt = nil }
            return Array(due)
        }
    }

    /// `nil`: it cannot be opened, and is gone from the inbox.
    func call(_ id: String) async throws -> UnverifiedCall? {
        try await threads.runIfActive { [self] in try read(id) }
    }

    /// Replaces a call by the same one with other tokens; durable when it returns.
    func replace(_ call: UnverifiedCall) async throws {
        let file = DurableFolder.File(name: call.id, bytes: try call.sealed(with: keyring))
        try await threads.runIfActive { [folder] in try folder.write([file]) }
    }

    /// Tries again later, and each time later still.
    func postpone(_ id: String) {
        state.withLock { state in
            guard var entry = state.entries[id] else { return }
            entry.dueAt = .now + limits.pauses.delay(entry.attempts, random: .random(in: 0..<1))
            entry.attempts += 1
            state.entries[id] = entry
        }
    }

    /// Nothing is left to do. A file that comes back after a crash of the machine is verified once more, which changes nothing.
    func finish(_ id: String) async throws {
        try await threads.runIfActive { [folder] in try folder.remove(id) }
        forget(id)
    }

    // MARK: Reading

    private func readBack() {
        do throws(FileSystemError) {
            for (id, bytes) in try folder.open() {
                guard let call = try read(id) else { continue }
                state.withLock { state in
                    guard state.entries[id] == nil else { return }
                    let isProven = call.kind.isProven
                    state.entries[id] = Entry(memberID: call.memberID, bytes: bytes, isProven: isProven, dueAt: .now)
                    state.bytes += bytes
                }
            }
        } catch {
            outcomes.diskFailed(error)
        }
        bell.ring()
    }

    private func read(_ id: String) throws(FileSystemError) -> UnverifiedCall? {
        let sealed = try folder.read(id)
        do throws(KeyringError) {
            guard let sealed else { throw .damaged(id) }
            return try UnverifiedCall.open(sealed, id: id, with: keyring)
        } catch {
            if case .missingKey(let key) = error {
                // The file is good, and waits for a start with its key.
                outcomes.keyIsMissing(key)
            } else {
                try folder.setAside(id)
                outcomes.refused(.damaged, id: id)
            }
        }
        forget(id)
        return nil
    }
}
