internal import CLibrdkafka
internal import Locks
internal import Synchronization

/// Ends another thread's `poll`. The only part of a producer that other threads may touch; it may outlive the producer.
package final class ProducerWakeHandle: Sendable {
    /// Set from a wake until the polling thread comes back. In between further wakes cost one atomic exchange.
    private let isPending = Atomic<Bool>(false)
    /// The lock keeps the queue alive during the yield; it is taken by wakers and by `close`, never by `poll` or `send`.
    private let queue: Guarded<Queue>

    /// Sendable, as librdkafka lets any thread yield a queue (rdkafka.h, `rd_kafka_queue_yield`) and the lock around it keeps
    /// the queue from being destroyed meanwhile.
    private struct Queue: @unchecked Sendable {
        var pointer: OpaquePointer?
    }

    init(queue: OpaquePointer) {
        self.queue = Guarded(Queue(pointer: queue))
    }

    /// Makes the `poll` that is under way return, or else the next one. Never waits for the polling thread. After the
    /// producer was closed it does nothing.
    package func wake() {
        guard !isPending.exchange(true, ordering: .acquiringAndReleasing) else { return }
        queue.withLock { queue in
            if let pointer = queue.pointer { rd_kafka_queue_yield(pointer) }
        }
    }

    /// The polling thread is back and will look for work: what was done before a wake that found this set is visible to
    /// it from here on.
    func acknowledge() {
        if isPending.load(ordering: .relaxed) {
            _ = isPending.exchange(false, ordering: .acquiringAndReleasing)
        }
    }

    func invalidate() {
        queue.withLock { $0.pointer = nil }
    }
}
