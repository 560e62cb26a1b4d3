package import NIOCore

/// The owner of a listener's requests. One instance serves one event loop, is made on it and is called on it only, so
/// its state needs no lock. Calls for one connection come in the order of its requests.
package protocol RequestHandler: AnyObject {
    /// Called at the head, before a byte of the body is taken. A response given here to a request that has a body
    /// closes the connection.
    func decide(_ head: borrowing RequestHead) -> HeadDecision

    /// Called with the whole request. The answer goes through the responder, now or later, on this event loop, once.
    func handle(_ request: borrowing Request, _ responder: Responder)

    /// The listener answered a request by itself, or gave up on one. For counting and logging; nothing is to be done.
    /// Only with ``Refusal/Reason/answerOverdue`` it is a request that `handle` has seen; see ``Responder/respond(_:)``.
    func refused(_ refusal: Refusal)
}

package enum HeadDecision: Sendable {
    /// Take the body, then call `handle`. A request without a body is handled as well.
    case receiveBody
    /// Answer now. `handle` is not called.
    case respond(Response)
}

/// A whole request.
package struct Request {
    package let head: RequestHead
    /// Empty when the request has no body. It may share its memory with the receive buffer, never more than four times
    /// its own size and 2 KiB.
    package let body: ByteBuffer
    /// When the first byte of the head came.
    package let startedAt: NIODeadline
    /// When the end of the request came.
    package let receivedAt: NIODeadline

    package init(head: RequestHead, body: ByteBuffer, startedAt: NIODeadline, receivedAt: NIODeadline) {
        self.head = head
        self.body = body
        self.startedAt = startedAt
        self.receivedAt = receivedAt
    }
}

/// The way back to one request's connection: a value, free to make and to keep. It belongs to the event loop that
/// handed it out.
package struct Responder {
    private let connection: Connection
    private let generation: UInt64

    init(connection: Connection, generation: UInt64) {
        self.connection = connection
        self.generation = generation
    }

    /// Answers the request. Does nothing when it was answered before or when the connection is gone; its body then stops
    /// counting towards `maxBufferedBodyBytes` all the same.
    ///
    /// - Returns: false when the listener has answered in the owner's place, after `answerTimeout`: the client was told
    ///   so, and `refused` too.
    @discardableResult
    package func respond(_ response: Response) -> Bool {
        connection.respond(response, generation: generation)
    }
    /// Closes the connection without an answer, as a server does that dies. For stand-ins that play one.
    package func hangUp() {
        connection.hangUp(generation: generation)
    }
}
