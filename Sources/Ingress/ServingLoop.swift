import NIOCore
import Synchronization

/// What the connections of one event loop share: the owner's handler, the clock, the deadlines, the way out.
///
/// Deadlines are values that connections keep; one tick per loop compares them all. A request so costs no timer. A
/// deadline is met late by at most one tick: a twentieth of the shortest limit, 250 ms at most.
final class ServingLoop {
    private enum Phase {
        case serving
        /// Connections are accepted still; every answer is the last on its connection.
        case closing
        /// No connection comes any more; `drained` is kept when the last one has gone.
        case quiescing
        /// Everything was closed at once; so is whatever still comes.
        case ended
    }

    let eventLoop: any EventLoop
    let handler: any RequestHandler
    let counters: ListenerCounters
    let maxBodyBytes: Int
    let requestTimeout: TimeAmount
    let idleTimeout: TimeAmount
    let answerTimeout: TimeAmount
    private let crowdedIdleTimeout: TimeAmount
    let idleGrace = TimeAmount.milliseconds(50)
    let firstRequestGrace = TimeAmount.seconds(1)

    private let tickInterval: TimeAmount
    private var phase = Phase.serving
    private var connections: [Connection] = []
    private var isTicking = false
    private var time: NIODeadline?
    private var drained: EventLoopPromise<Void>?
    /// The time of the last tick.
    private(set) var coarseNow = NIODeadline.now()

    init(
        eventLoop: any EventLoop,
        handler: any RequestHandler,
        configuration: ListenerConfiguration,
        counters: ListenerCounters
    ) {
        self.eventLoop = eventLoop
        self.handler = handler
        self.counters = counters
        maxBodyBytes = configuration.maxBodyBytes
        requestTimeout = TimeAmount(configuration.requestTimeout)
        idleTimeout = TimeAmount(configuration.idleTimeout)
        answerTimeout = TimeAmount(configuration.answerTimeout)
        crowdedIdleTimeout = min(TimeAmount(configuration.crowdedIdleTimeout), idleTimeout)
        let shortest = min(requestTimeout, idleTimeout, answerTimeout).nanoseconds
        tickInterval = .nanoseconds(min(max(shortest / 20, 5_000_000), 250_000_000))
    }

    /// How long the client may go on sending after its last answer.
    var lingerTimeout: TimeAmount { phase == .quiescing || phase == .ended ? .seconds(1) : .seconds(5) }

    var closesConnections: Bool { phase != .serving }

    /// The time of the current read: one call of the clock for all that comes of it.
    func now() -> NIODeadline {
        if let time { return time }
        let now = eventLoop.now
        time = now
        return now
    }

    func forgetTime() {
        time = nil
    }

    /// Returns the connection's first deadline.
    func add(_ connection: Connection) -> NIODeadline {
        connection.slot = connections.count
        connections.append(connection)
        if phase == .ended {
            // Accepted before the listening socket closed and set up after all others were closed.
            eventLoop.assumeIsolated().execute { connection.closeNow() }
        }
        if !isTicking {
            coarseNow = eventLoop.now
            scheduleTick()
        }
        return eventLoop.now + (phase == .quiescing ? min(firstRequestGrace, idleTimeout) : idleTimeout)
    }

    /// False when the connection was removed before.
    func remove(_ connection: Connection) -> Bool {
        let slot = connection.slot
        guard slot < connections.count, connections[slot] === connection else { return false }
        let last = connections.removeLast()
        if last !== connection {
            connections[slot] = last
            last.slot = slot
        }
        if connections.isEmpty { reportDrained() }
        return true
    }

    /// The largest body that is still being received, if it is larger than this. When memory is short it is the one to
    /// go: otherwise a few clients that send large bodies slowly would keep everybody's small ones out.
    func unfinishedBody(largerThan bytes: Int) -> Connection? {
        var largest: Connection?
        for connection in connections where connection.unfinishedBodyBytes > largest?.unfinishedBodyBytes ?? bytes {
            largest = connection
        }
        return largest
    }

    // MARK: Shutdown

    /// From now on every answer carries `Connection: close`.
    func beginClosing() {
        if phase == .serving { phase = .closing }
    }

    /// Ends idle connections and lets the others finish. The promise is kept when none is left.
    func quiesce(_ promise: EventLoopPromise<Void>) {
        if phase != .ended { phase = .quiescing }
        drained = promise
        let now = eventLoop.now
        coarseNow = now
        for connection in connections { connection.quiesce(now) }
        if connections.isEmpty { return reportDrained() }
        eventLoop.assumeIsolated().scheduleTask(in: idleGrace) { self.sweep() }
    }

    func closeAll() {
        phase = .ended
        // From the end: closing removes a connection by putting the last one in its place.
        for index in connections.indices.reversed() where index < connections.count {
            connections[index].closeNow()
        }
    }

    private func reportDrained() {
        drained?.succeed(())
        drained = nil
    }

    // MARK: The tick

    private func scheduleTick() {
        isTicking = true
        let interval = phase == .quiescing ? min(tickInterval, .milliseconds(10)) : tickInterval
        eventLoop.assumeIsolated().scheduleTask(in: interval) { self.tick() }
    }

    private func tick() {
        sweep()
        if connections.isEmpty { isTicking = false } else { scheduleTick() }
    }

    private func sweep() {
        let now = eventLoop.now
        coarseNow = now
        for index in connections.indices.reversed() where index < connections.count {
            let connection = connections[index]
            if connection.deadline <= now { connection.deadlinePassed() }
        }
        if counters.isAtConnectionLimit.load(ordering: .relaxed) { makeRoom(now) }
    }

    /// Somebody may be waiting to be accepted, and connections without a request are in the way. Those that never had one
    /// go after a quarter of the time: whoever has something to say does so with the connection. Of the others an eighth
    /// goes at each tick, the longest idle first.
    private func makeRoom(_ now: NIODeadline) {
        let begun = now + idleTimeout
        let unused = connections.filter {
            $0.isUnused && $0.deadline <= begun - .nanoseconds(crowdedIdleTimeout.nanoseconds / 4)
        }
        for connection in unused { connection.closeNow() }
        var idle = connections.filter { $0.isIdle && $0.deadline <= begun - crowdedIdleTimeout }
        idle.sort { $0.deadline < $1.deadline }
        for connection in idle.prefix(max(1, connections.count / 8)) { connection.closeNow() }
    }
}
