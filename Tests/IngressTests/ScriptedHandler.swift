import NIOCore
import NIOHTTP1

@testable import Ingress

/// An owner for tests: answers at once or keeps the responders, and remembers what it saw.
final class ScriptedHandler: RequestHandler {
    struct Seen: Equatable {
        var method: HTTPMethod
        var path: String
        var body: String
    }

    var decision: (borrowing RequestHead) -> HeadDecision = { _ in .receiveBody }
    /// Nil keeps the responder in `pending`.
    var answer: ((borrowing Request) -> Response)? = { _ in .ok }
    var seen: [Seen] = []
    var pending: [Responder] = []
    var refusals: [Refusal] = []

    var reasons: [Refusal.Reason] { refusals.map(\.reason) }

    func decide(_ head: borrowing RequestHead) -> HeadDecision {
        decision(head)
    }

    func handle(_ request: borrowing Request, _ responder: Responder) {
        seen.append(
            Seen(
                method: request.head.method,
                path: String(request.head.path),
                body: String(buffer: request.body)
            )
        )
        if let answer {
            responder.respond(answer(request))
        } else {
            pending.append(responder)
        }
    }

    func refused(_ refusal: Refusal) {
        refusals.append(refusal)
    }
}
