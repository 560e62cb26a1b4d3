import Foundation
import Glibc
import Testing

/// Clients that take from the bridge what they can: connections, memory, time.
@Suite(.serialized) struct HostileClientFaultTests {
    /// Beyond what one process is allowed by default the test process must help itself.
    private static func allowOpenFiles() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Full: more than the bridge takes, which is 10,000 or what the limit of open files leaves.
    @Test func idleConnections() async throws {
        Self.allowOpenFiles()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let count = Campaign.pick(short: 1000, full: min(12_000, Int(clamping: limit.rlim_cur) - 500))
        try await Siege.run("idle connections", try Setup(), memoryMiB: 24 + Double(count) * 0.03, reconnects: true) {
            siege in
            let connections = try await onThread {
                HeldConnections(try (0..<count).map { _ in try RawConnection(port: siege.port) })
            }
            try await siege.moreAnswers(Campaign.pick(short: 300, full: 2000))
            let open = try await siege.metric("connections")
            // Beyond the bound those that never said anything go.
            if count < 9000 { #expect(open >= Double(count)) }
            let figures = try siege.figures()
            connections.leave()
            return Siege.Report(
                figures:
                    "\(count) connections that say nothing, \(Int(open)) of them kept, \(figures.openFiles) open files"
            )
        }
    }

    @Test func halfClosedConnectionsAreAnswered() async throws {
        let count = Campaign.pick(short: 100, full: 2000)
        try await Siege.run("half-closed", try Setup(), memoryMiB: 24) { siege in
            let numbers = (0..<count).map { "half-\($0)" }
            let answered = try await onThread {
                try numbers.count { number in
                    let connection = try RawConnection(port: siege.port)
                    let form = SampleEvent.form(id: "98", number: number)
                    connection.send(
                        "POST /b24/events HTTP/1.1\r\nHost: a\r\nContent-Length: \(form.utf8.count)\r\n\r\n\(form)"
                    )
                    connection.endOutput()
                    return connection.outcome() == .init(statuses: [200], isClosed: true)
                }
            }
            #expect(answered == count)
            return Siege.Report(
                figures: "\(count) connections closed their side at once, all answered",
                accepted: Set(numbers)
            )
        }
    }

    struct Flood: Sendable, CustomTestStringConvertible {
        let name: String
        let request: String
        var testDescription: String { name }
    }

    private static let floods: [Flood] = {
        let form = SampleEvent.form(code: "ONCRMLEADADD")
        let wrong = SampleEvent.form(token: "not-the-token-of-anybody")
        func post(_ form: String) -> String {
            "POST /b24/events HTTP/1.1\r\nHost: a\r\nContent-Length: \(form.utf8.count)\r\n\r\n\(form)"
        }
        return [
            Flood(name: "GET", request: "GET /b24/events HTTP/1.1\r\nHost: a\r\n\r\n"),
            Flood(name: "another path", request: "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            Flood(name: "events", request: post(form)),
            Flood(name: "wrong tokens", request: post(wrong)),
        ]
    }()

    /// Pipelined requests as fast as they are taken, and no answer is ever read.
    @Test(arguments: floods) func pipelinedFlood(_ flood: Flood) async throws {
        let count = Campaign.pick(short: 40, full: 200)
        let time = Campaign.pick(short: 0.5, full: 15)
        try await Siege.run("flood of \(flood.name)", try Setup(), memoryMiB: 24 + Double(count) * 0.3) { siege in
            let bytes = Array(String(repeating: flood.request, count: 64 * 1024 / flood.request.utf8.count).utf8)
            let sent = try await onThread {
                let connections = try (0..<count).map { _ in try RawConnection(port: siege.port, buffers: 8 << 10) }
                var sent = [Int](repeating: 0, count: count)
                let end = ContinuousClock.now + .seconds(time)
                while ContinuousClock.now < end {
                    var progress = 0
                    for (index, connection) in connections.enumerated() {
                        let taken = connection.sendWhatFits(bytes[(sent[index] % bytes.count)...])
                        sent[index] += taken
                        progress += taken
                    }
                    if progress == 0 { usleep(10_000) }
                }
                return sent
            }
            // What was answered until the answers filled both ends, and what the bridge's side holds unread.
            let most = sent.max() ?? 0
            #expect(most < 1 << 20, "one connection could send \(most) bytes")
            return Siege.Report(figures: "\(count) connections, at most \(most >> 10) KiB taken from one")
        }
    }

    /// Bodies that are begun and not ended hold memory, up to 256 MiB; then they go, and not the small genuine ones. Full:
    /// all but 6 bytes of that.
    @Test func largeUnfinishedBodies() async throws {
        let count = Campaign.pick(short: 30, full: 257)
        var setup = try Setup()
        setup.settings["http"] = ["requestTimeout": "3s"]
        try await Siege.run("unfinished bodies", setup, memoryMiB: Campaign.pick(short: 64, full: 512)) { siege in
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: 1_048_575)
            let outcomes = try await onThread {
                let connections = try (0..<count).map { _ in
                    let connection = try RawConnection(port: siege.port)
                    connection.send("POST /b24/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
                    return connection
                }
                for connection in connections.dropLast() { connection.send(body) }
                connections.last?.send(Array(body.prefix(250)))
                return connections.map { $0.outcome() }
            }
            let late = outcomes.count { $0 == .init(statuses: [408], isClosed: true) }
            let shed = outcomes.count { $0 == .init(statuses: [503], isClosed: true) }
            #expect(late + shed == count, "\(Set(outcomes.map(\.description)))")
            return Siege.Report(
                figures: "\(count) bodies of 1 MB begun: \(late) answered 408, \(shed) gave way with 503"
            )
        }
    }
}
