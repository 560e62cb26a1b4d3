internal import Bitrix24
package import Bitrix24REST
package import KafkaClient
internal import Locks
package import Logging
internal import Metrics
internal import Synchronization

/// Empties the queues of offline events of all portals into Kafka, done by whichever replica owns the REST work.
package final class OfflineDrain: Sendable {
    /// What one portal's queue looks like to the owner, without asking the portal.
    package struct Standing: Sendable, Equatable {
        /// Rows that Kafka has confirmed since this replica owns the work.
        package var drained = 0
        /// Rows that lie reserved and are not cleared yet.
        package var held = 0
        /// Rows that cannot be published, since this replica owns the work.
        package var deadLettered = 0
        /// Milliseconds since 1970, when the queue was last seen empty.
        package var emptyAt: Int64?
        /// The change time of the oldest row seen and not cleared, in milliseconds since 1970.
        package var oldestChangeAt: Int64?
        /// Code of what keeps it from being drained.
        package var errorCode: String?
        /// When it is looked at next at the latest, in milliseconds since 1970.
        package var nextAt: Int64?
    }

    /// What came of a drain that somebody ordered.
    package struct Result: Sendable, Equatable {
        package var rows = 0
        package var deadLettered = 0
        /// Those of `rows` that somebody had reserved and not come to clear, or that were marked as erroneous.
        package var recovered = 0
        /// The queue was seen empty at the end; if not, draining goes on.
        package var isEmpty = false
        package var error: PortalReport.Fault?
    }

    struct State {
        var schedule: OfflineSchedule
        /// By portal.
        var orders: [String: [OfflineOrder]] = [:]
        var gate = OfflineGate()
        /// `nil`: nobody drains.
        var wake: AsyncStream<Void>.Continuation?
    }

    let settings: BridgeSettings
    let registry: PortalRegistry
    let client: RESTClient
    let signals: OfflineSignals
    let conditions: OfflineConditions
    let metrics: OfflineMetrics
    let pace: OfflinePace
    /// Called for a portal of whose rows Kafka has confirmed so many, within its turn: on any thread, and for several portals at
    /// once. It must not block.
    let didConfirm: (@Sendable (_ memberID: String, _ rows: Int) -> Void)?
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    let logger: Logger
    let sender: OfflineSender
    let ledger = OfflineLedger()
    let state: Guarded<State>

    package init(
        settings: BridgeSettings,
        registry: PortalRegistry,
        client: RESTClient,
        signals: OfflineSignals,
        conditions: OfflineConditions = OfflineConditions(),
        metrics: OfflineMetrics = OfflineMetrics(factory: NOOPMetricsHandler.instance),
        pace: OfflinePace? = nil,
        didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)? = nil,
        didConfirm: (@Sendable (_ memberID: String, _ rows: Int) -> Void)? = nil,
        now: @escaping @Sendable () -> Int64 = { WallClock.now().milliseconds },
        logger: Logger
    ) {
        let pace = pace ?? OfflinePace(settings)
        self.settings = settings
        self.registry = registry
        self.client = client
        self.signals = signals
        self.conditions = conditions
        self.metrics = metrics
        self.pace = pace
        self.didConfirm = didConfirm
        self.now = now
        self.logger = logger
        sender = OfflineSender(OfflineSender.Settings(settings, didDeliver: didDeliver), logger: logger)
        state = Guarded(State(schedule: OfflineSchedule(pace)))
    }

    /// Drains one portal before all others, and waits until its queue was seen empty, it failed, or `patience` is over;
    /// then draining goes on by itself. While nothing may be drained it says so at once, and the portal comes first afterwards.
    ///
    /// - Parameter since: Milliseconds since 1970: recover. Rows that others have reserved and those marked as erroneous are
    ///   taken as well, if they were changed since. `nil`: rows that wait.
    package func drain(_ memberID: String, since: Int64?, patience: Duration) async -> Result {
        guard let portal = registry.portal(memberID), portal.queues(settings) != nil else {
            return Result(error: Self.notConnected)
        }
        let (order, now) = (OfflineOrder(since: since), now())
        let (wake, closed) = state.withLock { state -> (AsyncStream<Void>.Continuation?, String?) in
            guard let wake = state.wake else { return (nil, nil) }
            state.schedule.notice(portal, now)
            state.schedule.ordered(memberID, now)
            if let reason = state.gate.reason { return (wake, reason) }
            state.orders[memberID, default: []].append(order)
            return (wake, nil)
        }
        guard let wake else { return Result(error: Self.notOwner) }
        if let closed { return Result(error: Self.paused(closed)) }
        wake.yield()
        await order.wait(patience)
        return order.result
    }

    /// `nil`: the portal has no queue that is drained, or nobody runs this.
    package func standing(of memberID: String) -> Standing? {
        let (isKnown, nextAt) = state.withLock { state in
            (state.wake != nil && state.schedule.knows(memberID), state.schedule.nextAt(of: memberID))
        }
        guard isKnown else { return nil }
        var standing = ledger[memberID] ?? Standing()
        standing.nextAt = nextAt
        return standing
    }

    /// All portals with offline events are drained at once, before anything else that waits.
    package func drainAll(because reason: String) {
        let now = now()
        let wake = state.withLock { state in
            for memberID in state.schedule.memberIDs { state.schedule.ordered(memberID, now) }
            return state.wake
        }
        logger.info("all offline queues are drained", metadata: ["reason": "\(reason)"])
        wake?.yield()
    }

    /// For a scrape.
    var waiting: OfflineWaiting {
        let now = now()
        let (due, forRate, isClosed) = state.withLock { state in
            let waiting = state.schedule.waiting(now)
            return (waiting.due, waiting.forRate, state.gate.reason != nil)
        }
        let sums = ledger.sums
        return OfflineWaiting(
            lag: sums.lag(at: now) ?? 0,
            heldRows: sums.held,
            portals: [.budget: forRate, .turn: isClosed ? 0 : due, .gate: isClosed ? due : 0],
            callsLeft: ledger.memberIDs.map { client.budget(of: $0).calls }.min()
        )
    }
}
