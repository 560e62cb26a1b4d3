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
        let asked = StandInRequest(
            method: request.head.method.rawValue,
            path: String(request.head.path),
            query: String(request.head.query ?? ""),
            contentType: request.head.header("Content-Type") ?? "",
            authorization: request.head.header("Authorization") ?? "",
            body: Array(buffer: request.body),
            isFromLoopback: request.head.remoteAddress?.isLoopback ?? false
        )
        if asked.path.hasPrefix("/pull/") { return poll(asked, responder) }
        let answer = host.answer(asked)
        guard answer.delay > .zero else { return Self.send(answer, responder) }
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(answer.delay)) { Self.send(answer, responder) }
    }

    /// While a poll is held, there is one timer of the event loop for it, and nothing else.
    private func poll(_ request: StandInRequest, _ responder: Responder) {
        let (host, eventLoop) = (host, eventLoop)
        let poll = NIOLoopBound(HeldPoll(responder), eventLoop: eventLoop)
        let answer = host.change { world in
            world.poll(request) { answer in eventLoop.execute { poll.value.end(answer) } }
        }
        guard let answer else { return Self.send(.html("<h1>404 Not Found</h1>", status: 404), responder) }
        if let place = answer.heldPoll {
            poll.value.timer = eventLoop.scheduleTask(in: TimeAmount(host.pollTimeout)) {
                host.change { $0.endPoll(place) }
            }
        } else if answer.delay > .zero {
            eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(answer.delay)) { Self.send(answer, responder) }
        } else {
            Self.send(answer, responder)
        }
    }

    private final class HeldPoll {
        private let responder: Responder
        var timer: Scheduled<Void>?

        init(_ responder: Responder) { self.responder = responder }

        func end(_ answer: StandInAnswer) {
            timer?.cancel()
            StandInHandler.send(answer, responder)
        }
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
