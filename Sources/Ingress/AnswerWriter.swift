import NIOCore

/// Writes a connection's answers as prepared bytes, straight to the handler nearest to the socket. Answers given while a
/// read is under way leave together at its end.
///
/// A class, because writing can come back here: a flush may make the channel writable, and then the next request is
/// processed.
final class AnswerWriter {
    private static let continueBytes = ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")

    private let context: ChannelHandlerContext
    private let feed: RequestFeed
    private var needsFlush = false

    init(context: ChannelHandlerContext, feed: RequestFeed) {
        self.context = context
        self.feed = feed
    }

    func writeContinue() { write(Self.continueBytes) }

    func write(_ response: Response, _ answer: RequestStateMachine.Answer) {
        let (bytes, separateBody) = response.bytes(answer.persistence, withoutBody: answer.withoutBody)
        if let separateBody {
            context.write(NIOAny(bytes), promise: nil)
            write(separateBody)
        } else {
            write(bytes)
        }
    }

    /// The last answer of the connection. The future is kept when the system has taken it.
    func writeLast(_ response: Response, _ answer: RequestStateMachine.Answer) -> EventLoopFuture<Void> {
        let (bytes, separateBody) = response.bytes(answer.persistence, withoutBody: answer.withoutBody)
        let written = context.eventLoop.makePromise(of: Void.self)
        if separateBody != nil { context.write(NIOAny(bytes), promise: nil) }
        context.writeAndFlush(NIOAny(separateBody ?? bytes), promise: written)
        return written.futureResult
    }

    func flush() {
        guard needsFlush else { return }
        needsFlush = false
        context.flush()
    }

    private func write(_ bytes: ByteBuffer) {
        if feed.isReading {
            context.write(NIOAny(bytes), promise: nil)
            needsFlush = true
        } else {
            context.writeAndFlush(NIOAny(bytes), promise: nil)
        }
    }
}
