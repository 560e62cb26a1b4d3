import Locks
import Logging
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import Ingress

@Suite struct AcceptGateTests {
    /// Counts the reads that get through to the socket.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = any Channel
        var reads = 0
        func read(context: ChannelHandlerContext) { reads += 1 }
    }

    private let server = EmbeddedChannel()
    private let socket = ReadCounter()
    private let counters = ListenerCounters(maxBufferedBodyBytes: 1)
    private let log = LogLines()

    private func start(maxConnections: Int, maxConnectionsWhileDraining: Int = .max) throws -> AcceptGate {
        let gate = AcceptGate(
            counters: counters,
            maxConnections: maxConnections,
            maxConnectionsWhileDraining: maxConnectionsWhileDraining,
            logger: log.logger
        )
        try server.pipeline.syncOperations.addHandlers([socket, gate])
        return gate
    }

    private func accept() throws -> EmbeddedChannel {
        let child = EmbeddedChannel(loop: server.embeddedEventLoop)
        try child.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 1)).wait()
        server.pipeline.fireChannelRead(child as any Channel)
        return child
    }

    @Test func `at the limit nothing is accepted until a connection closes`() throws {
        _ = try start(maxConnections: 2)
        server.pipeline.read()
        #expect(socket.reads == 1)
        let first = try accept()
        _ = try accept()
        server.pipeline.read()
        server.pipeline.read()
        #expect(socket.reads == 1)
        #expect(counters.snapshot.isAtConnectionLimit)
        try first.close().wait()
        server.embeddedEventLoop.run()
        #expect(socket.reads == 2)
        #expect(!counters.snapshot.isAtConnectionLimit)
        #expect(counters.snapshot.openConnections == 1)
        #expect(log.lines.filter { $0.contains("limit") }.count == 2)
    }

    @Test func `draining accepts beyond the limit`() throws {
        let gate = try start(maxConnections: 1)
        server.pipeline.read()
        _ = try accept()
        server.pipeline.read()
        #expect(socket.reads == 1)
        gate.drain()
        #expect(socket.reads == 2)
    }

    @Test func `draining takes no descriptor that connections may not have`() throws {
        let gate = try start(maxConnections: 1, maxConnectionsWhileDraining: 2)
        server.pipeline.read()
        let first = try accept()
        gate.drain()
        server.pipeline.read()
        #expect(socket.reads == 2)
        _ = try accept()
        server.pipeline.read()
        #expect(socket.reads == 2)
        try first.close().wait()
        server.embeddedEventLoop.run()
        #expect(socket.reads == 3)
    }

    @Test(arguments: [24, 23, 105, 12])
    func `without descriptors or memory it pauses, goes on and says so once`(_ code: CInt) throws {
        _ = try start(maxConnections: 10)
        server.pipeline.read()
        for round in 1...5 {
            server.pipeline.fireErrorCaught(IOError(errnoCode: code, reason: "accept"))
            server.pipeline.read()
            server.embeddedEventLoop.advanceTime(by: .milliseconds(99))
            #expect(socket.reads == round)
            server.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            #expect(socket.reads == round + 1)
        }
        #expect(counters.snapshot.acceptErrors == 5)
        #expect(log.lines.count == 1)
        _ = try accept()
        _ = try accept()
        #expect(log.lines.count == 2)
    }

    @Test func `a connection that is gone before it is accepted changes nothing`() throws {
        _ = try start(maxConnections: 10)
        server.pipeline.fireErrorCaught(IOError(errnoCode: 103, reason: "accept"))
        server.pipeline.read()
        #expect(socket.reads == 1)
        #expect(log.lines.isEmpty)
    }
}

/// Keeps the lines of level info and above.
final class LogLines: Sendable {
    private let kept = Guarded<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.kept.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }
}
