import Dispatch
import Locks
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Ingress

@Suite(.serialized) struct ListenerTests {
    @Test func `when memory is short the largest unfinished body gives way`() async throws {
        try await RunningListener.with(threads: 1, { $0.maxBufferedBodyBytes = 200_000 }) { running in
            try await blocking {
                let large = try SocketClient(port: running.port)
                let small = try SocketClient(port: running.port)
                try large.send("POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
                try large.send(String(repeating: "x", count: 150_000))
                while running.listener.statistics.bufferedBodyBytes < 150_000 {}
                try small.send(post(String(repeating: "y", count: 60_000)))
                #expect(try small.response()?.hasPrefix("HTTP/1.1 200 ") == true)
                #expect(try large.response()?.hasPrefix("HTTP/1.1 503 ") == true)
            }
            #expect(running.owner.reasons.withLock { $0 } == [.overBudget])
            #expect(running.listener.statistics.bufferedBodyBytes == 0)
        }
    }

    @Test func `pipelined requests are answered in order over a socket`() async throws {
        try await RunningListener.with { running in
            try await blocking {
                let client = try SocketClient(port: running.port)
                try client.send((0..<50).map { post("number \($0)") }.joined())
                for number in 0..<50 { #expect(try client.response()?.hasSuffix("\r\n\r\nnumber \(number)") == true) }
            }
        }
    }

    @Test func `a body of a megabyte comes through whole, also chunked`() async throws {
        try await RunningListener.with { running in
            try await blocking {
                let body = String(repeating: "0123456789abcdef", count: 65_536)
                let client = try SocketClient(port: running.port)
                try client.send(post(body))
                #expect(try client.response()?.hasSuffix(body) == true)
                let chunk = "10000\r\n" + String(repeating: "0123456789abcdef", count: 4_096) + "\r\n"
                try client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                try client.send(String(repeating: chunk, count: 16) + "0\r\n\r\n")
                #expect(try client.response()?.hasSuffix(body) == true)
            }
            #expect(running.listener.statistics.bufferedBodyBytes == 0)
        }
    }

    @Test func `a client that sends far too much can still read its 413`() async throws {
        try await RunningListener.with { running in
            for framing in ["Content-Length: 8000000", "Transfer-Encoding: chunked"] {
                try await blocking {
                    let client = try SocketClient(port: running.port)
                    try client.send("POST / HTTP/1.1\r\n\(framing)\r\n\r\n")
                    let chunk = "f4240\r\n" + String(repeating: "x", count: 1_000_000) + "\r\n"
                    for _ in 0..<8 { try client.send(chunk) }
                    #expect(try client.receiveAll().hasPrefix("HTTP/1.1 413 "))
                }
            }
            #expect(running.owner.reasons.withLock { $0 } == [.bodyTooLarge, .bodyTooLarge])
        }
    }

    @Test func `a slow client is told and let go`() async throws {
        try await RunningListener.with({ $0.requestTimeout = .milliseconds(300) }) { running in
            try await blocking {
                let client = try SocketClient(port: running.port)
                try client.send("POST / HTTP/1.1\r\nContent-Le")
                #expect(try client.receiveAll().hasPrefix("HTTP/1.1 408 "))
            }
            #expect(running.owner.reasons.withLock { $0 } == [.timedOut])
        }
    }

    @Test func `an idle client is let go without a word`() async throws {
        try await RunningListener.with({ $0.idleTimeout = .milliseconds(200) }) { running in
            try await blocking {
                let client = try SocketClient(port: running.port)
                #expect(try client.receiveAll() == "")
            }
        }
    }

    @Test func `a client that has closed its side gets all its answers`() async throws {
        try await RunningListener.with(delay: .milliseconds(50)) { running in
            try await blocking {
                let client = try SocketClient(port: running.port)
                try client.send(post("one") + post("two"))
                client.endOutput()
                let all = try client.receiveAll()
                #expect(all.contains("\r\n\r\none") && all.hasSuffix("Connection: close\r\n\r\ntwo"))
            }
        }
    }

    @Test func `beyond the connection limit clients wait until another closes`() async throws {
        try await RunningListener.with({ $0.maxConnections = 2 }) { running in
            var clients: [Waiting] = []
            for _ in 0..<3 { clients.append(try await blocking { try Waiting(running.port) }) }
            try await running.wait { $0.listener.statistics.isAtConnectionLimit }
            #expect(running.listener.statistics.openConnections == 2)
            #expect(running.owner.handled.load(ordering: .relaxed) == 0)
            clients.removeFirst()
            let last = clients[1]
            let answer = try await blocking { try last.exchange("x") }
            #expect(answer.hasSuffix("x"))
            try await running.wait { $0.listener.statistics.timeAtConnectionLimit > .zero }
        }
    }

    @Test func `an address that is taken is named in the error`() async throws {
        try await RunningListener.with { running in
            let second = HTTPListener(
                configuration: ListenerConfiguration(host: "127.0.0.1", port: running.port),
                eventLoopGroup: running.group,
                logger: running.log.logger,
                makeHandler: { _ in ScriptedHandler() }
            )
            let error = await #expect(throws: ListenerError.self) { try await second.run() }
            #expect(error?.message.contains("port \(running.port)") == true)
            await #expect(throws: ListenerError.self) { _ = try await second.boundAddress }
        }
    }

    @Test func `cancellation closes everything at once`() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = HTTPListener(
            configuration: ListenerConfiguration(host: "127.0.0.1", port: 0, shutdownDelay: .seconds(60)),
            eventLoopGroup: group,
            logger: LogLines().logger,
            makeHandler: { _ in ScriptedHandler() }
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await listener.run() }
            let port = try await listener.boundAddress.port ?? 0
            let client = try await blocking { try Waiting(port) }
            try await blocking { try client.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n") }
            tasks.cancelAll()
            try await tasks.waitForAll()
            try await blocking {
                #expect(throws: SocketClient.Failure.self) { _ = try SocketClient(port: port) }
                return
            }
        }
        // One that was just being set up closes right after the others.
        let end = ContinuousClock.now + .seconds(5)
        while listener.statistics.openConnections > 0, ContinuousClock.now < end {
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(listener.statistics.openConnections == 0)
        try await group.shutdownGracefully()
    }
}

/// A client that is handed from one blocking call to the next.
final class Waiting: @unchecked Sendable {
    // One call at a time uses the client: each is awaited before the next.
    private let client: SocketClient

    init(_ port: Int) throws {
        client = try SocketClient(port: port)
    }

    func send(_ text: String) throws { try client.send(text) }

    func response() throws -> String? { try client.response() }

    func receiveAll() throws -> String { try client.receiveAll() }

    func exchange(_ body: String) throws -> String {
        try client.send(post(body))
        return try client.response() ?? ""
    }
}
