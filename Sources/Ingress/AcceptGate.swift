import Logging
import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// First handler of the listening channel: lets it read, that is accept, only while there is room.
///
/// At `maxConnections` it stops until a connection closes. When the process or the system is out of descriptors or
/// memory it pauses for 100 ms and tries again, for as long as it takes. Each change of state is logged once.
final class AcceptGate: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = any Channel

    private static let pause = TimeAmount.milliseconds(100)
    private static let acceptsPerRead = 32

    private let counters: ListenerCounters
    private let maxConnections: Int
    private let maxConnectionsWhileDraining: Int
    private let logger: Logger
    private var context: ChannelHandlerContext?
    private var isReadHeld = false
    private var isPaused = false
    private var reportsFailure = false
    private var isDraining = false
    private var acceptsAllowed = 0

    init(counters: ListenerCounters, maxConnections: Int, maxConnectionsWhileDraining: Int = .max, logger: Logger) {
        self.counters = counters
        self.maxConnections = maxConnections
        self.maxConnectionsWhileDraining = maxConnectionsWhileDraining
        self.logger = logger
    }

    /// Empties the accept queue, also beyond `maxConnections`.
    func drain() {
        isDraining = true
        resume()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if hasRoom(context) { context.read() } else { isReadHeld = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let child = Self.unwrapInboundIn(data)
        counters.openConnections.add(1, ordering: .sequentiallyConsistent)
        counters.acceptedConnections.add(1, ordering: .relaxed)
        if reportsFailure {
            reportsFailure = false
            logger.notice("accepting connections again")
        }
        let counters = counters
        let gate = NIOLoopBound(self, eventLoop: context.eventLoop)
        child.closeFuture.whenComplete { _ in
            counters.openConnections.subtract(1, ordering: .sequentiallyConsistent)
            guard counters.isAtConnectionLimit.load(ordering: .sequentiallyConsistent) else { return }
            gate.eventLoop.execute { gate.value.resume() }
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError else {
            // A connection that ended while it was set up.
            return
        }
        counters.acceptErrors.add(1, ordering: .relaxed)
        switch error.errnoCode {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            guard !isPaused else { return }
            isPaused = true
            // The failed accept leaves the channel's read pending and its socket readable: held reads alone would not
            // keep the selector from trying again at once.
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
            if !reportsFailure {
                reportsFailure = true
                logger.warning(
                    "cannot accept connections; raise the limit of open files or memory",
                    metadata: [
                        LoggingKeys.errno: "\(error.errnoCode)",
                        LoggingKeys.connections: "\(counters.openConnections.load(ordering: .relaxed))",
                    ]
                )
            }
            context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
                self.isPaused = false
                try? self.context?.channel.syncOptions?.setOption(.autoRead, value: true)
                self.resume()
            }
        default:
            // One connection that was gone before it could be accepted.
            logger.debug(
                "A connection failed while it was accepted",
                metadata: [LoggingKeys.errno: "\(error.errnoCode)"]
            )
        }
    }

    private func resume() {
        guard let context, isReadHeld, hasRoom(context) else { return }
        isReadHeld = false
        context.read()
    }

    private func hasRoom(_ context: ChannelHandlerContext) -> Bool {
        if isPaused { return false }
        let limit = isDraining ? max(maxConnections, maxConnectionsWhileDraining) : maxConnections
        var room = limit - counters.openConnections.load(ordering: .sequentiallyConsistent)
        if room <= 0, !counters.isAtConnectionLimit.load(ordering: .relaxed) {
            counters.reachedConnectionLimit()
            logger.warning(
                """
                connection limit reached, further connections wait and idle ones are closed; raise the limit of open \
                files, or find who keeps connections open
                """,
                metadata: [LoggingKeys.connections: "\(limit)"]
            )
            // One may have closed before it could see that it is waited for.
            room = limit - counters.openConnections.load(ordering: .sequentiallyConsistent)
        }
        guard room > 0 else { return false }
        if counters.isAtConnectionLimit.load(ordering: .relaxed) {
            counters.leftConnectionLimit()
            logger.notice("below the connection limit again")
        }
        allow(min(room, Self.acceptsPerRead), context)
        return true
    }

    private func allow(_ accepts: Int, _ context: ChannelHandlerContext) {
        guard accepts != acceptsAllowed else { return }
        acceptsAllowed = accepts
        try? context.channel.syncOptions?.setOption(.maxMessagesPerRead, value: UInt(accepts))
    }
}
