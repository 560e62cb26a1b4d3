import Ingress
import Locks
import NIOCore
import NIOPosix
import Synchronization

/// An HTTP server on loopback that answers as a test says, and keeps what it was asked.
final class LoopbackServer: Sendable {
    struct Call: Sendable {
        let method: String
        let path: String
        let authorization: String?
        let body: String
    }

    /// `nil`: it does not answer.
    typealias Answer = @Sendable (Call) -> Response?

    private final class Handler: RequestHandler {
        let server: LoopbackServer

        init(_ server: LoopbackServer) { self.server = server }

        func decide(_ head: borrowing RequestHead) -> HeadDecision { .receiveBody }

        func handle(_ request: borrowing Request, _ responder: Responder) {
            let call = Call(
                method: "\(request.head.method)",
                path: String(request.head.path),
                authorization: request.head.header("Authorization"),
                body: String(buffer: request.body)
            )
            let answer = server.state.withLock { state in
                state.calls.append(call)
                return state.answer
            }
            if let response = answer(call) { responder.respond(response) }
        }

        func refused(_ refusal: Ingress.Refusal) {}
    }

    private struct State {
        var answer: Answer
        var calls: [Call] = []
    }

    private let state: Guarded<State>
    private let bound = Atomic<Int>(0)

    private init(_ answer: @escaping Answer) { state = Guarded(State(answer: answer)) }

    var calls: [Call] { state.withLock { $0.calls } }

    func answer(with answer: @escaping Answer) { state.withLock { $0.answer = answer } }

    func url(_ path: String) -> String { "http://127.0.0.1:\(bound.load(ordering: .relaxed))\(path)" }

    static func with<Value: Sendable>(
        _ answer: @escaping Answer,
        _ body: (LoopbackServer) async throws -> Value
    ) async throws -> Value {
        let server = LoopbackServer(answer)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = HTTPListener(
            configuration: ListenerConfiguration(name: "stand-in", host: "127.0.0.1", port: 0),
            eventLoopGroup: group,
            logger: LogLines().logger,
            makeHandler: { _ in Handler(server) }
        )
        let value = try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await listener.run() }
            server.bound.store(try await listener.boundAddress.port ?? 0, ordering: .relaxed)
            let value = try await body(server)
            tasks.cancelAll()
            return value
        }
        try await group.shutdownGracefully()
        return value
    }
}

extension Response {
    static func json(_ text: String, status: ResponseStatus = .ok) -> Response {
        Response(status: status, contentType: "application/json", body: ByteBuffer(string: text))
    }
}
