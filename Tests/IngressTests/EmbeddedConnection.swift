import NIOCore
import NIOEmbedded

@testable import Ingress

/// One connection without a socket: bytes in, bytes out, time by hand.
final class EmbeddedConnection {
    let handler = ScriptedHandler()
    let channel = EmbeddedChannel()
    let counters: ListenerCounters
    let loop: ServingLoop

    init(_ change: (inout ListenerConfiguration) -> Void = { _ in }) throws {
        var configuration = ListenerConfiguration()
        change(&configuration)
        counters = ListenerCounters(maxBufferedBodyBytes: configuration.maxBufferedBodyBytes)
        loop = ServingLoop(
            eventLoop: channel.embeddedEventLoop,
            handler: handler,
            configuration: configuration,
            counters: counters
        )
        try channel.pipeline.syncOperations.addHTTPConnection(loop: loop, configuration: configuration)
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.7", port: 4711)).wait()
    }

    /// Everything written since the last call.
    func output() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text
    }

    /// Sends bytes as one read and returns what was written.
    @discardableResult
    func send(_ text: String) throws -> String {
        try channel.writeInbound(ByteBuffer(string: text))
        return try output()
    }

    func endInput() throws -> String {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        return try output()
    }

    func pass(_ time: TimeAmount) throws -> String {
        channel.embeddedEventLoop.advanceTime(by: time)
        return try output()
    }

    func run() throws -> String {
        channel.embeddedEventLoop.run()
        return try output()
    }

    var isOpen: Bool { channel.isActive }
}

let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
let okClose = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
let okKeepAlive = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"

func post(_ body: String, path: String = "/e", _ fields: String = "") -> String {
    "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}
