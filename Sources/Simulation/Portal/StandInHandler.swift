internal import Ingress
internal import NIOCore
internal import NIOHTTP1

/// One event loop's connections to the stand-in.
final class StandInHandler: RequestHandler {
    private let host: PortalHost
    private let eventLoop: any EventLoop

    init(_ host: PortalHost, _ eventLoop: any EventLoop) {
        self.host = host
        self.eventLoop = eventLoop
    }

    func decide(_ head: borrowing RequestHead) -> HeadDecision {
        switch head.method {
        case .GET, .HEAD, .POST: .receiveBody
        default: .respond(.methodNotAllowed(allow: "GET, HEAD, POST"))
        }
    }

    func handle(_ request: borrowing Request, _ responder: Responder) {
        let answer = host.answer(
            StandInRequest(
                method: request.head.method.rawValue,
                path: String(request.head.path),
                query: String(request.head.query ?? ""),
                contentType: request.head.header("Content-Type") ?? "",
                authorization: request.head.header("Authorization") ?? "",
                body: Array(buffer: request.body),
                isFromLoopback: request.head.remoteAddress?.isLoopback ?? false
            )
        )
        guard answer.delay > .zero else { return Self.send(answer, responder) }
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(answer.delay)) { Self.send(answer, responder) }
    }

    func refused(_ refusal: Refusal) {}

    private static func send(_ answer: StandInAnswer, _ responder: Responder) {
        if answer.isLost { return responder.hangUp() }
        responder.respond(
            Response(
                status: ResponseStatus(integerLiteral: answer.status),
                contentType: answer.contentType,
                body: ByteBuffer(bytes: answer.body),
                headers: answer.headers
            )
        )
    }
}

extension PortalHost {
    fileprivate func answer(_ request: StandInRequest) -> StandInAnswer {
        change { $0.answer(request) ?? $0.page(request) ?? $0.control(request) }
            ?? .html("<h1>404 Not Found</h1>", status: 404)
    }
}

extension SocketAddress {
    fileprivate var isLoopback: Bool {
        ipAddress.map { $0 == "::1" || $0.hasPrefix("127.") || $0.hasPrefix("::ffff:127.") } ?? false
    }
}
