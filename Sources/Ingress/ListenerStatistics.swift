import NIOCore
import Synchronization

/// One reading of a listener's counters. The values are read one after the other, not at one instant.
package struct ListenerStatistics: Sendable, Equatable {
    package var openConnections: Int
    /// Received bodies that are not answered yet, in bytes; bounded by `maxBufferedBodyBytes`.
    package var bufferedBodyBytes: Int
    /// Since the start.
    package var acceptedConnections: Int
    /// Failed calls of accept(2) since the start.
    package var acceptErrors: Int
    /// True while `maxConnections` keeps further connections in the accept queue.
    package var isAtConnectionLimit: Bool
    /// Time spent at `maxConnections` since the start. What waits then may give up, and is lost for a sender that
    /// never repeats.
    package var timeAtConnectionLimit: Duration
}

/// The counters behind ``ListenerStatistics``, written by all event loops.
final class ListenerCounters: Sendable {
    let openConnections = Atomic<Int>(0)
    let bufferedBodyBytes = Atomic<Int>(0)
    let acceptedConnections = Atomic<Int>(0)
    let acceptErrors = Atomic<Int>(0)
    /// True while the accept gate waits for a connection to close.
    let isAtConnectionLimit = Atomic<Bool>(false)
    private let limitReachedAt = Atomic<UInt64>(0)
    private let nanosecondsAtLimit = Atomic<UInt64>(0)
    private let maxBufferedBodyBytes: Int

    init(maxBufferedBodyBytes: Int) {
        self.maxBufferedBodyBytes = maxBufferedBodyBytes
    }

    var snapshot: ListenerStatistics {
        let isAtLimit = isAtConnectionLimit.load(ordering: .relaxed)
        var nanoseconds = nanosecondsAtLimit.load(ordering: .relaxed)
        if isAtLimit {
            let since = limitReachedAt.load(ordering: .relaxed)
            let now = NIODeadline.now().uptimeNanoseconds
            nanoseconds += now > since ? now - since : 0
        }
        return ListenerStatistics(
            openConnections: openConnections.load(ordering: .relaxed),
            bufferedBodyBytes: bufferedBodyBytes.load(ordering: .relaxed),
            acceptedConnections: acceptedConnections.load(ordering: .relaxed),
            acceptErrors: acceptErrors.load(ordering: .relaxed),
            isAtConnectionLimit: isAtLimit,
            timeAtConnectionLimit: .nanoseconds(Int64(clamping: nanoseconds))
        )
    }

    /// Charges the budget of buffered bodies. False, and nothing is charged, when there is no room.
    func chargeBody(_ bytes: Int) -> Bool {
        let charged = bufferedBodyBytes.add(bytes, ordering: .relaxed).newValue
        if charged <= maxBufferedBodyBytes { return true }
        bufferedBodyBytes.subtract(bytes, ordering: .relaxed)
        return false
    }

    func releaseBody(_ bytes: Int) {
        bufferedBodyBytes.subtract(bytes, ordering: .relaxed)
    }

    /// Only the accept gate's loop calls this and ``leftConnectionLimit()``.
    func reachedConnectionLimit() {
        limitReachedAt.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
        isAtConnectionLimit.store(true, ordering: .sequentiallyConsistent)
    }

    func leftConnectionLimit() {
        isAtConnectionLimit.store(false, ordering: .sequentiallyConsistent)
        let since = limitReachedAt.load(ordering: .relaxed)
        let now = NIODeadline.now().uptimeNanoseconds
        nanosecondsAtLimit.add(now > since ? now - since : 0, ordering: .relaxed)
    }
}
