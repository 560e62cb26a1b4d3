internal import Locks
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// One run of a listener, from bind to the end of the last connection. Its stages follow each other on the listening
/// channel's event loop; the two entries, `beginShutdown` and `closeAtOnce`, may be called on any thread, at any time.
final class ListenerSession: Sendable {
    private enum Stage { case serving, closing, finished }

    private struct State {
        var stage = Stage.serving
        var channel: (any Channel)?
        var failure: ListenerError?
    }

    /// How long to wait for connections whose handshake was under way when new attempts were shut out: a slow client's
    /// round trip.
    private static let handshakeGrace = TimeAmount.milliseconds(250)
    /// Each way; Linux doubles it for its own needs.
    private static let socketBufferBytes = 128 << 10
    private static let drainPoll = TimeAmount.milliseconds(10)
    private static let drainLimit = TimeAmount.seconds(5)

    private let configuration: ListenerConfiguration
    private let loops: [NIOLoopBound<ServingLoop>]
    private let loopsByIdentity: [ObjectIdentifier: NIOLoopBound<ServingLoop>]
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger
    private let onShutdownBegan: (@Sendable () -> Void)?
    private let finished: EventLoopPromise<Void>
    private let state = Guarded(State())

    init(
        configuration: ListenerConfiguration,
        loops: [NIOLoopBound<ServingLoop>],
        group: MultiThreadedEventLoopGroup,
        logger: Logger,
        onShutdownBegan: (@Sendable () -> Void)?
    ) {
        self.configuration = configuration
        self.loops = loops
        loopsByIdentity = Dictionary(
            loops.map { (ObjectIdentifier($0.eventLoop), $0) },
            uniquingKeysWith: { first, _ in first }
        )
        self.group = group
        self.logger = logger
        self.onShutdownBegan = onShutdownBegan
        finished = group.next().makePromise()
    }

    func bind(counters: ListenerCounters) async throws -> SocketAddress {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(clamping: configuration.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Connections inherit these. Left to itself the system lets each of them fill megabytes of its memory,
            // which a container is charged for.
            .serverChannelOption(.socketOption(.so_rcvbuf), value: Self.socketBufferBytes)
            .serverChannelOption(.socketOption(.so_sndbuf), value: Self.socketBufferBytes)
            .serverChannelInitializer { [configuration, logger] channel in
                channel.eventLoop.makeCompletedFuture {
                    let gate = AcceptGate(
                        counters: counters,
                        maxConnections: configuration.maxConnections,
                        maxConnectionsWhileDraining: configuration.maxConnectionsWhileDraining,
                        logger: logger
                    )
                    try channel.pipeline.syncOperations.addHandler(gate)
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // One small read for each connection in turn, so that a flood of small requests on one delays the others by
            // what fits into it and no more.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2048, maximum: RequestFeed.sliceBytes)
            )
            // Answers that a client does not read: beyond this nothing more of it is processed.
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 4 << 10, high: 16 << 10))
            .childChannelInitializer { [loopsByIdentity, configuration] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loopsByIdentity[ObjectIdentifier(channel.eventLoop)]?.value else {
                        throw ChannelError.ioOnClosedChannel
                    }
                    try channel.pipeline.syncOperations.addHTTPConnection(loop: loop, configuration: configuration)
                }
            }
        let channel = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
        channel.closeFuture.whenComplete { [self] _ in listeningChannelClosed() }
        let isWanted = state.withLock { state in
            state.channel = channel
            return state.stage == .serving
        }
        guard isWanted, let address = channel.localAddress else {
            channel.close(promise: nil)
            throw ChannelError.ioOnClosedChannel
        }
        return address
    }

    func waitUntilFinished() async {
        // The promise is only ever kept, not broken.
        try? await finished.futureResult.get()
    }

    func checkFailure() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    // MARK: Graceful shutdown

    func beginShutdown() {
        let channel: (any Channel)? = state.withLock { state in
            guard state.stage == .serving else { return nil }
            state.stage = .closing
            return state.channel
        }
        guard let channel else { return }
        logger.info("shutting down")
        onShutdownBegan?()
        for loop in loops { loop.eventLoop.execute { loop.value.beginClosing() } }
        channel.eventLoop.scheduleTask(in: TimeAmount(configuration.shutdownDelay)) { [self] in
            drainAcceptQueue(channel)
        }
    }

    private func drainAcceptQueue(_ channel: any Channel) {
        logger.debug("Emptying the accept queue")
        _ = try? channel.pipeline.syncOperations.handler(type: AcceptGate.self).drain()
        let begin = channel.eventLoop.now
        ListenSocket.dropNewAttempts(channel).whenComplete { [self] result in
            // Without the filter there is no way to tell attempts under way from new ones.
            let grace = if case .success = result { Self.handshakeGrace } else { TimeAmount.zero }
            closeOnceEmpty(channel, notBefore: begin + grace, notAfter: begin + Self.drainLimit)
        }
    }

    private func closeOnceEmpty(_ channel: any Channel, notBefore: NIODeadline, notAfter: NIODeadline) {
        ListenSocket.acceptQueueLength(channel).whenComplete { [self] result in
            let length = (try? result.get()) ?? 0
            let now = channel.eventLoop.now
            guard now < notAfter, now < notBefore || length > 0 else { return closeListener(channel) }
            channel.eventLoop.scheduleTask(in: Self.drainPoll) { [self] in
                closeOnceEmpty(channel, notBefore: notBefore, notAfter: notAfter)
            }
        }
    }

    /// An accepted connection is set up on its own loop and comes back to the listening channel, which drops it when it
    /// is closed by then. Event loops run their tasks in order: once each has run an empty one, all set-ups are through.
    private func closeListener(_ channel: any Channel) {
        let barriers = loops.map { $0.eventLoop.submit {} }
        EventLoopFuture.andAllComplete(barriers, on: channel.eventLoop).whenComplete { [self] _ in
            channel.close(promise: nil)
            logger.debug("Waiting for connections to end")
            let drained = loops.map { loop in
                let promise = loop.eventLoop.makePromise(of: Void.self)
                loop.eventLoop.execute { loop.value.quiesce(promise) }
                return promise.futureResult
            }
            EventLoopFuture.andAllComplete(drained, on: channel.eventLoop).whenComplete { [self] _ in finish() }
        }
    }

    // MARK: Other ends

    /// Closes the listener and all connections without waiting for anything.
    func closeAtOnce() {
        let channel: (any Channel)? = state.withLock { state in
            state.stage = .finished
            return state.channel
        }
        // First the listening socket, so that nothing is accepted after the connections were closed.
        let unbound = channel?.close() ?? finished.futureResult.eventLoop.makeSucceededVoidFuture()
        unbound.whenComplete { [self] _ in
            let closed = loops.map { loop in loop.eventLoop.submit { loop.value.closeAll() } }
            EventLoopFuture.andAllComplete(closed, on: finished.futureResult.eventLoop).whenComplete { _ in
                self.finish()
            }
        }
    }

    private func listeningChannelClosed() {
        let isUnexpected = state.withLock { state in
            guard state.stage == .serving else { return false }
            state.failure = ListenerError(
                code: .listeningSocketFailed,
                message: "the listening socket of \(configuration.name) failed; restart the process"
            )
            return true
        }
        if isUnexpected { closeAtOnce() }
    }

    private func finish() {
        state.withLock { $0.stage = .finished }
        finished.succeed(())
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// The whole pipeline of a connection.
    func addHTTPConnection(loop: ServingLoop, configuration: ListenerConfiguration) throws {
        let connection = Connection(loop: loop)
        try addHandlers([RequestFeed(connection: connection, configuration: configuration), connection])
    }
}
