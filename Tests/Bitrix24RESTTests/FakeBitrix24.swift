import AsyncHTTPClient
import Bitrix24REST
import Foundation
import Ingress
import Locks
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Portals and authorization server on loopback, answering as the test says.
final class FakeBitrix24: Sendable {
    struct Call: Sendable {
        let path: String
        /// As sent.
        let query: String
        /// As `GET`.
        let verb: String
        let body: String
        let userAgent: String?
        let contentType: String?

        var json: JSONValue { (try? JSONValue(json: Data(body.utf8))) ?? .null }
        var form: [String: String] { Self.pairs(body) }
        var parameters: [String: String] { Self.pairs(query) }

        private static func pairs(_ text: String) -> [String: String] {
            let pairs = text.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
            return Dictionary(
                pairs.map { (String($0[0]), ($0.count > 1 ? String($0[1]) : "").removingPercentEncoding ?? "") }
            ) { _, last in last }
        }
        /// The last part of the path.
        var method: String { path.split(separator: "/").last.map(String.init) ?? "" }
    }

    enum Reply: Sendable {
        case json(Int, JSONValue)
        case text(Int, String, [(name: String, value: String)])
        /// Until `release`.
        case held(Int, JSONValue)
        case heldText(Int, String)

        static func result(_ result: JSONValue) -> Reply { .json(200, ["result": result, "time": [:]]) }
        static func error(_ status: Int, _ code: String, _ description: String = "words") -> Reply {
            .json(status, ["error": .string(code), "error_description": .string(description)])
        }
    }

    fileprivate struct State {
        var calls: [Call] = []
        var held: [@Sendable () -> Void] = []
    }

    let port: Int
    let address: String
    private let state: Shared

    final class Shared: Sendable {
        fileprivate let state = Guarded(State())
        let script: @Sendable (Call, Int) -> Reply
        init(_ script: @escaping @Sendable (Call, Int) -> Reply) { self.script = script }
    }

    private init(port: Int, state: Shared) {
        self.port = port
        address = "http://127.0.0.1:\(port)"
        self.state = state
    }

    var calls: [Call] { state.state.withLock { $0.calls } }

    func calls(_ method: String) -> [Call] { calls.filter { $0.method == method } }

    /// Answers all calls that are held.
    func release() {
        let held = state.state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer() }
    }

    /// - Parameter script: the reply to a call; its second argument counts the earlier calls of the same method.
    @discardableResult
    static func with<Result: Sendable>(
        _ script: @escaping @Sendable (Call, Int) -> Reply,
        _ body: (FakeBitrix24) async throws -> Result
    ) async throws -> Result {
        let shared = Shared(script)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = HTTPListener(
            configuration: ListenerConfiguration(name: "fake", host: "127.0.0.1", port: 0),
            eventLoopGroup: group,
            logger: Logger(label: "fake") { _ in SwiftLogNoOpLogHandler() },
            makeHandler: { Handler(shared, $0) }
        )
        let result = try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await listener.run() }
            let port = try await listener.boundAddress.port
            let result = try await body(FakeBitrix24(port: port ?? 0, state: shared))
            tasks.cancelAll()
            return result
        }
        try await group.shutdownGracefully()
        return result
    }

    private final class Handler: RequestHandler {
        let shared: Shared
        let eventLoop: any EventLoop

        init(_ shared: Shared, _ eventLoop: any EventLoop) {
            self.shared = shared
            self.eventLoop = eventLoop
        }

        func decide(_ head: borrowing RequestHead) -> HeadDecision { .receiveBody }

        func handle(_ request: borrowing Request, _ responder: Responder) {
            let call = Call(
                path: String(request.head.path),
                query: request.head.query.map(String.init) ?? "",
                verb: request.head.method.rawValue,
                body: String(buffer: request.body),
                userAgent: request.head.header("User-Agent"),
                contentType: request.head.header("Content-Type")
            )
            // One thread: nobody comes in between.
            let earlier = shared.state.withLock { $0.calls.count { $0.method == call.method } }
            let reply = shared.script(call, earlier)
            // Whoever sees a call that is held can release it.
            switch reply {
            case .held(let status, let json): return hold(Self.response(status, json), responder, call)
            case .heldText(let status, let text):
                return hold(Response(status: ResponseStatus(integerLiteral: status), text: text), responder, call)
            case .json, .text: shared.state.withLock { $0.calls.append(call) }
            }
            switch reply {
            case .json(let status, let json): responder.respond(Self.response(status, json))
            case .text(let status, let text, let headers):
                responder.respond(
                    Response(
                        status: ResponseStatus(integerLiteral: status),
                        contentType: "text/html",
                        body: ByteBuffer(string: text),
                        headers: headers
                    )
                )
            case .held, .heldText: break
            }
        }

        private func hold(_ response: Response, _ responder: Responder, _ call: Call) {
            let responder = NIOLoopBound(responder, eventLoop: eventLoop)
            let eventLoop = eventLoop
            shared.state.withLock { state in
                state.calls.append(call)
                state.held.append { eventLoop.execute { _ = responder.value.respond(response) } }
            }
        }

        private static func response(_ status: Int, _ json: JSONValue) -> Response {
            Response(
                status: ResponseStatus(integerLiteral: status),
                contentType: "application/json",
                body: ByteBuffer(bytes: json.json)
            )
        }

        func refused(_ refusal: Refusal) {}
    }
}
