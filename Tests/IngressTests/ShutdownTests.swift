import Dispatch
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Ingress

@Suite(.serialized) struct ShutdownTests {
    /// Clients that connect, send some requests one after the other, and connect again, until nobody listens.
    private struct Tally: Sendable {
        var connected = 0
        var answered = 0
        var unanswered: [String] = []
    }

    private static func hammer(_ port: Int, requestsPerConnection: Int) -> Tally {
        var tally = Tally()
        while true {
            guard let client = try? SocketClient(port: port) else { return tally }
            tally.connected += 1
            for number in 0..<requestsPerConnection {
                do {
                    try client.send(post("event \(number)"))
                    guard let answer = try client.response() else {
                        tally.unanswered.append("end of stream instead of answer \(number)")
                        break
                    }
                    tally.answered += 1
                    if answer.contains("Connection: close") { break }
                } catch {
                    tally.unanswered.append("\(error) at request \(number)")
                    break
                }
            }
        }
    }

    @Test(arguments: [(0, 1), (0, 5), (100, 3)])
    func `no request goes unanswered when the listener shuts down under load`(_ delay: Int, _ perConnection: Int)
        async throws
    {
        try await RunningListener.with({ $0.shutdownDelay = .milliseconds(delay) }) { running in
            let tallies = try await withThrowingTaskGroup(of: Tally.self) { tasks in
                for _ in 0..<16 {
                    tasks.addTask {
                        try await blocking { Self.hammer(running.port, requestsPerConnection: perConnection) }
                    }
                }
                try await running.wait { $0.owner.handled.load(ordering: .relaxed) > 500 }
                running.shutdown()
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(tallies.flatMap(\.unanswered) == [])
            let answered = tallies.map(\.answered).reduce(0, +)
            #expect(answered == running.owner.handled.load(ordering: .relaxed))
            #expect(running.owner.shutdownsBegun.load(ordering: .relaxed) == 1)
        }
    }

    @Test func `connections that wait in the accept queue are still answered`() async throws {
        try await RunningListener.with(threads: 1) { running in
            let blocked = DispatchSemaphore(value: 0)
            let release = DispatchSemaphore(value: 0)
            running.group.next().execute {
                blocked.signal()
                release.wait()
            }
            try await blocking { blocked.wait() }
            let clients = try await blocking {
                try (0..<60).map { number in
                    let client = try Waiting(running.port)
                    try client.send(post("waiting \(number)"))
                    return client
                }
            }
            #expect(running.listener.statistics.acceptedConnections == 0)
            running.shutdown()
            release.signal()
            try await blocking {
                for (number, client) in clients.enumerated() {
                    let answer = try client.receiveAll()
                    #expect(answer.hasSuffix("Connection: close\r\n\r\nwaiting \(number)"))
                }
            }
        }
    }

    @Test func `shutdown goes beyond the connection limit to empty the accept queue`() async throws {
        try await RunningListener.with({ $0.maxConnections = 1 }) { running in
            let first = try await blocking { try Waiting(running.port) }
            let second = try await blocking {
                let client = try Waiting(running.port)
                try client.send(post("second"))
                return client
            }
            try await running.wait { $0.listener.statistics.isAtConnectionLimit }
            running.shutdown()
            let answer = try await blocking { try second.receiveAll() }
            #expect(answer.hasSuffix("second"))
            #expect(try await blocking { try first.receiveAll() } == "")
        }
    }

    @Test func `requests under way are completed and answered, idle connections end`() async throws {
        try await RunningListener.with(delay: .milliseconds(300)) { running in
            let idle = try await blocking { try Waiting(running.port) }
            let half = try await blocking { try Waiting(running.port) }
            let waiting = try await blocking { try Waiting(running.port) }
            try await blocking {
                #expect(try idle.exchange("x").hasSuffix("x"))
                try half.send("POST / HTTP/1.1\r\nContent-Length: 8\r\n\r\nhalf")
                try waiting.send(post("waiting"))
            }
            try await running.wait { $0.owner.handled.load(ordering: .relaxed) == 2 }
            running.shutdown()
            try await blocking {
                #expect(try idle.receiveAll() == "")
                #expect(try waiting.receiveAll().hasSuffix("Connection: close\r\n\r\nwaiting"))
                // The listener has closed; the connection that is under way has not.
                try half.send(" way")
                #expect(try half.receiveAll().hasSuffix("Connection: close\r\n\r\nhalf way"))
            }
        }
    }

    @Test func `during the delay connections are accepted and every answer closes`() async throws {
        try await RunningListener.with({ $0.shutdownDelay = .milliseconds(400) }) { running in
            running.shutdown()
            try await running.wait { $0.owner.shutdownsBegun.load(ordering: .relaxed) == 1 }
            try await blocking {
                for _ in 0..<5 {
                    let client = try SocketClient(port: running.port)
                    try client.send(post("late"))
                    #expect(try client.receiveAll().hasSuffix("Connection: close\r\n\r\nlate"))
                }
            }
        }
    }
}
