internal import Locks
internal import Synchronization

/// Closed while the quota of the parked records is used up: events that would be parked are then refused at the door, so that
/// a topic that takes nothing costs its own events and never those of others.
///
/// The shipper closes and opens it; each event loop asks.
final class ParkingGate: Sendable {
    private let isClosed = Atomic<Bool>(false)
    private let topics = Guarded<Set<String>>([])

    /// Costs an atomic load while the gate is open.
    ///
    /// - Parameter topic: the name in UTF-8. What is parked for a reason of its own is refused whatever its topic is.
    func refuses(topic: [UInt8], isSingle: Bool) -> Bool {
        guard isClosed.load(ordering: .relaxed) else { return false }
        return isSingle || topics.withLock { $0.contains(String(decoding: topic, as: UTF8.self)) }
    }

    func close(to parkedTopics: Set<String>) {
        topics.withLock { $0 = parkedTopics }
        isClosed.store(true, ordering: .relaxed)
    }

    func open() { isClosed.store(false, ordering: .relaxed) }
}
