import Ingress
import Locks
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

@testable import Simulation

/// Where events are posted to: a server that keeps them.
final class EventSink: Sendable {
    struct Posted: Sendable {
        let path: String
        let form: PHPValue

        var event: String? { form["event"]?.text }

        func auth(_ name: String) -> String? { form["auth"]?[name]?.text }
    }

    private struct State: Sendable {
        var posted: [Posted] = []
        var status = 200
    }

    private let state = Guarded(State())

    var posted: [Posted] { state.withLock { $0.posted } }

    func posted(_ event: String) -> [Posted] { posted.filter { $0.event == event } }

    /// Answers with this from now on.
    func answer(_ status: Int) { state.withLock { $0.status = status } }

    /// Runs a sink while `body` runs, which is told its address.
    static func withRunning(
        isolation: isolated (any Actor)? = #isolation,
        _ body: (EventSink, String) async throws -> Void
    ) async throws {
        let sink = EventSink()
        let listener = HTTPListener(
            configuration: ListenerConfiguration(name: "sink", host: "127.0.0.1", port: 0),
            eventLoopGroup: .singleton,
            logger: Logger(label: "sink") { _ in SwiftLogNoOpLogHandler() },
            makeHandler: { _ in Handler(sink) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            let port = try await listener.boundAddress.port ?? 0
            defer { group.cancelAll() }
            try await body(sink, "http://127.0.0.1:\(port)/")
        }
    }

    private final class Handler: RequestHandler {
        private let sink: EventSink

        init(_ sink: EventSink) { self.sink = sink }

        func decide(_ head: borrowing RequestHead) -> HeadDecision { .receiveBody }

        func handle(_ request: borrowing Request, _ responder: Responder) {
            let path = String(request.head.path)
            let form = (try? PHPValue(form: Array(buffer: request.body))) ?? .emptyMap
            let status = sink.state.withLock { state in
                state.posted.append(Posted(path: path, form: form))
                return state.status
            }
            responder.respond(Response(status: ResponseStatus(integerLiteral: status)))
        }

        func refused(_ refusal: Refusal) {}
    }
}
