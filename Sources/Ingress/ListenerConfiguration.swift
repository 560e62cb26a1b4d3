/// What one listener binds to and how much it takes. Every bound is per connection unless it says otherwise.
package struct ListenerConfiguration: Sendable {
    /// Names the listener in log metadata.
    package var name: String
    /// An address literal or a name that resolves to one.
    package var host: String
    /// 0 lets the system choose; see ``HTTPListener/boundAddress``.
    package var port: Int
    /// Bytes of one request's body, after chunked decoding. Beyond: 413.
    package var maxBodyBytes: Int
    /// From the first byte of the head to the end of the body, however the bytes are spread. Beyond: 408.
    package var requestTimeout: Duration
    /// Between requests, and before the first. Beyond: closed without a word. Keep it longer than the keep-alive of
    /// whatever stands in front, so that it is never this side that closes under a request.
    package var idleTimeout: Duration
    /// From the end of the request to the owner's answer. Beyond: 503.
    package var answerTimeout: Duration
    /// Open connections of this listener. Beyond, connections wait in the accept queue, and those that have had no
    /// request for ``crowdedIdleTimeout`` are closed to make room.
    package var maxConnections: Int
    /// The same while the accept queue is emptied for shutdown, when the queue's length is a bound as well.
    package var maxConnectionsWhileDraining: Int
    /// What counts instead of `idleTimeout` at `maxConnections`; a quarter of it for a connection's first request.
    package var crowdedIdleTimeout: Duration
    /// Bytes of received bodies that are not answered yet, over all connections of this listener. Beyond: 503, to the
    /// largest body that is still being received.
    package var maxBufferedBodyBytes: Int
    /// Bytes of one header field or of the request line's target. Beyond: 431.
    package var maxHeaderFieldBytes: Int
    /// Bytes of all header fields and the target together. Beyond: 431.
    package var maxHeaderBytes: Int
    /// Header and trailer fields of one request. Beyond: 431.
    package var maxHeaderFields: Int
    /// How long to go on accepting after shutdown began, every answer closing its connection.
    package var shutdownDelay: Duration
    /// Length of the system's accept queue. Linux caps it at `net.core.somaxconn`.
    package var backlog: Int

    package init(
        name: String = "http",
        host: String = "0.0.0.0",
        port: Int = 8080,
        maxBodyBytes: Int = 1 << 20,
        requestTimeout: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(75),
        answerTimeout: Duration = .seconds(30),
        maxConnections: Int = 10_000,
        maxConnectionsWhileDraining: Int = .max,
        crowdedIdleTimeout: Duration = .seconds(2),
        maxBufferedBodyBytes: Int = 256 << 20,
        maxHeaderFieldBytes: Int = 8 << 10,
        maxHeaderBytes: Int = 32 << 10,
        maxHeaderFields: Int = 64,
        shutdownDelay: Duration = .zero,
        backlog: Int = 4096
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.maxBodyBytes = maxBodyBytes
        self.requestTimeout = requestTimeout
        self.idleTimeout = idleTimeout
        self.answerTimeout = answerTimeout
        self.maxConnections = maxConnections
        self.maxConnectionsWhileDraining = maxConnectionsWhileDraining
        self.crowdedIdleTimeout = crowdedIdleTimeout
        self.maxBufferedBodyBytes = maxBufferedBodyBytes
        self.maxHeaderFieldBytes = maxHeaderFieldBytes
        self.maxHeaderBytes = maxHeaderBytes
        self.maxHeaderFields = maxHeaderFields
        self.shutdownDelay = shutdownDelay
        self.backlog = backlog
    }
}
