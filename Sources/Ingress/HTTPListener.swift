package import Logging
package import NIOCore
package import NIOPosix
import ServiceLifecycle

/// An HTTP/1 server on one address. Connections spread over the group's event loops, each with its own handler.
///
/// Graceful shutdown: `onShutdownBegan` is called; for `shutdownDelay` connections are accepted as before while every
/// answer closes its connection; the accept queue is emptied, the listener closed; idle connections end, requests under
/// way are completed within their deadlines and answered; `run()` returns. Cancellation closes everything at once.
package final class HTTPListener: Service {
    private let configuration: ListenerConfiguration
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger
    private let makeHandler: @Sendable (any EventLoop) -> any RequestHandler
    private let onShutdownBegan: (@Sendable () -> Void)?
    private let onBound: (@Sendable (SocketAddress) -> Void)?
    private let counters: ListenerCounters
    private let bound = BoundAddress()

    /// - Parameters:
    ///   - makeHandler: called once for each event loop, on it, before the listener binds.
    ///   - onShutdownBegan: called once, on some thread, when graceful shutdown begins.
    ///   - onBound: called once connections are accepted.
    package init(
        configuration: ListenerConfiguration,
        eventLoopGroup: MultiThreadedEventLoopGroup,
        logger: Logger,
        makeHandler: @Sendable @escaping (any EventLoop) -> any RequestHandler,
        onShutdownBegan: (@Sendable () -> Void)? = nil,
        onBound: (@Sendable (SocketAddress) -> Void)? = nil
    ) {
        self.configuration = configuration
        group = eventLoopGroup
        var logger = logger
        logger[metadataKey: LoggingKeys.listener] = "\(configuration.name)"
        self.logger = logger
        self.makeHandler = makeHandler
        self.onShutdownBegan = onShutdownBegan
        self.onBound = onBound
        counters = ListenerCounters(maxBufferedBodyBytes: configuration.maxBufferedBodyBytes)
    }

    /// Waits until the listener is bound. Throws when `run()` could not bind.
    package var boundAddress: SocketAddress {
        get async throws { try await bound.value }
    }

    /// Readable at any time from any thread.
    package var statistics: ListenerStatistics { counters.snapshot }

    /// Binds and serves until shutdown or cancellation. To be called once.
    ///
    /// - Throws: ``ListenerError`` when the address cannot be bound or the listening socket fails.
    package func run() async throws {
        let session: ListenerSession
        do {
            session = try await open()
        } catch {
            bound.resolve(.failure(error))
            throw error
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await session.waitUntilFinished()
            } onGracefulShutdown: {
                session.beginShutdown()
            }
        } onCancel: {
            session.closeAtOnce()
        }
        try session.checkFailure()
    }

    /// `127.0.0.1:8080` or `[::1]:8080`, as it would stand in a URL.
    private static func text(of address: SocketAddress) -> String {
        guard let host = address.ipAddress, let port = address.port else { return "\(address)" }
        return address.protocol == .inet6 ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private func open() async throws -> ListenerSession {
        var loops: [NIOLoopBound<ServingLoop>] = []
        for eventLoop in group.makeIterator() {
            let loop = try await eventLoop.submit { [configuration, counters, makeHandler] in
                NIOLoopBound(
                    ServingLoop(
                        eventLoop: eventLoop,
                        handler: makeHandler(eventLoop),
                        configuration: configuration,
                        counters: counters
                    ),
                    eventLoop: eventLoop
                )
            }.get()
            loops.append(loop)
        }
        let session = ListenerSession(
            configuration: configuration,
            loops: loops,
            group: group,
            logger: logger,
            onShutdownBegan: onShutdownBegan
        )
        do {
            let address = try await session.bind(counters: counters)
            logger.info("listening", metadata: [LoggingKeys.address: "\(Self.text(of: address))"])
            bound.resolve(.success(address))
            onBound?(address)
            return session
        } catch {
            session.closeAtOnce()
            throw ListenerError(
                code: .cannotBind,
                message: "cannot listen on \(configuration.host) port \(configuration.port): \(error); "
                    + "check that the address is this host's and that no other process uses the port"
            )
        }
    }
}

/// Why a listener does not serve.
package struct ListenerError: Error, CustomStringConvertible {
    package enum Code: Sendable { case cannotBind, listeningSocketFailed }

    package let code: Code
    package let message: String

    package var description: String { message }
}
