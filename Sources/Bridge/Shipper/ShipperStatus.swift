internal import Locks
internal import Synchronization

/// What the shipper tells the rest of the process, a snapshot of a moment.
package struct ShipperStatus: Sendable {
    package struct RefusingTopic: Sendable {
        package var topic: String
        package var isParked: Bool
        package var error: String
        package var seconds: Int
    }

    /// Records of this run's and earlier journals that were read and are neither delivered nor parked.
    package var waitingRead = 0
    /// Records of this run that were read, once each.
    package var readOfThisRun = 0
    package var parked = 0
    package var oldestAppendedAt: UInt64?
    package var queuedRecords = 0
    package var queuedBytes = 0
    package var refusingTopics: [RefusingTopic] = []
    package var brokersUnreachable: String?
    package var brokers: BrokerStates?
    package var isRunning = false
    /// Nothing is under way or left to read, and each single parked record was tried: what is left waits for its topic.
    package var isAtRest = false

    package init() {}
}

/// The latest snapshot, readable from any thread.
package final class ShipperStatusBox: Sendable {
    private let status = Guarded(ShipperStatus())

    package init() {}

    package var current: ShipperStatus { status.withLock { $0 } }

    func publish(_ new: ShipperStatus) { status.withLock { $0 = new } }
}
