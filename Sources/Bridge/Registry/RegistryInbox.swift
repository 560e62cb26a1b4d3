internal import KafkaClient
internal import Locks
internal import Synchronization

/// What other threads and tasks leave for the registry's writer, and how they wake it.
final class RegistryInbox: Sendable {
    struct Request: Sendable {
        let memberID: String
        let durability: PortalRegistry.Durability
        let edit: RegistryEdit
    }

    struct Waiting: Sendable {
        let request: Request
        let continuation: CheckedContinuation<Result<RegistryEntry, RegistryError>, Never>
    }

    private struct State {
        var wakeHandle: ProducerWakeHandle?
        var waiting: [Waiting] = []
        /// For other replicas, by key: the newest of each.
        var words: [String: OfflineWord] = [:]
        var isClosed = false
        var isTopicUsable = false
        var stopDeadline: ContinuousClock.Instant?
    }

    private let state = Guarded(State())
    private let owner = Atomic<Bool>(false)

    // MARK: Any thread

    func request(_ request: Request) async throws(RegistryError) -> RegistryEntry {
        let result = await withCheckedContinuation { continuation in
            let (isClosed, handle) = state.withLock { state in
                if !state.isClosed { state.waiting.append(Waiting(request: request, continuation: continuation)) }
                return (state.isClosed, state.wakeHandle)
            }
            if isClosed { return continuation.resume(returning: .failure(Self.stopped)) }
            handle?.wake()
        }
        return try result.get()
    }

    static let stopped = RegistryError(.refused, "the bridge is stopping; nothing was changed")

    /// Has the other replicas told, soon, if Kafka is there.
    func tell(_ word: OfflineWord) {
        let handle = state.withLock { state -> ProducerWakeHandle? in
            guard !state.isClosed else { return nil }
            let isFirst = state.words.isEmpty
            state.words[word.key] = word
            return isFirst ? state.wakeHandle : nil
        }
        handle?.wake()
    }

    /// Records may be sent: the topic is there and is the registry's.
    func topicIsUsable() {
        let handle = state.withLock { state in
            state.isTopicUsable = true
            return state.wakeHandle
        }
        handle?.wake()
    }

    /// Whether this replica does the REST work, and so mends the topic.
    var isOwner: Bool {
        get { owner.load(ordering: .relaxed) }
        set {
            owner.store(newValue, ordering: .relaxed)
            wake()
        }
    }

    func wake() { state.withLock { $0.wakeHandle }?.wake() }

    func stop(deadline: ContinuousClock.Instant) {
        let handle = state.withLock { state in
            state.stopDeadline = min(deadline, state.stopDeadline ?? deadline)
            return state.wakeHandle
        }
        handle?.wake()
    }

    var stopDeadline: ContinuousClock.Instant? { state.withLock { $0.stopDeadline } }

    // MARK: The writer's thread

    func attach(_ handle: ProducerWakeHandle) { state.withLock { $0.wakeHandle = handle } }

    func take() -> [Waiting] {
        state.withLock { state in
            defer { state.waiting.removeAll(keepingCapacity: true) }
            return state.waiting
        }
    }

    func takeWords() -> [OfflineWord] {
        state.withLock { state in
            guard !state.words.isEmpty else { return [] }
            defer { state.words.removeAll(keepingCapacity: true) }
            return Array(state.words.values)
        }
    }

    var isTopicUsable: Bool { state.withLock { $0.isTopicUsable } }

    /// No request is taken from now on. What was left is answered.
    func close() {
        let left = state.withLock { state in
            state.isClosed = true
            state.wakeHandle = nil
            state.words = [:]
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiting in left { waiting.continuation.resume(returning: .failure(Self.stopped)) }
    }
}
