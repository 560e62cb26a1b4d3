import NIOCore
import NIOHTTP1

/// One connection: executes what ``RequestStateMachine`` decides. Confined to its event loop.
///
/// One request is with the owner at a time. What came behind it waits in `held`.
final class Connection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart

    /// Bytes thrown away after the last answer before the connection is cut.
    private static let maxDiscardedBytes = 16 << 20

    private let loop: ServingLoop
    private var machine = RequestStateMachine()
    /// The context of the feed, the handler nearest to the socket.
    private var context: ChannelHandlerContext?
    private var feed: RequestFeed?
    private var writer: AnswerWriter?
    private var remoteAddress: SocketAddress?

    private var head: RequestHead?
    private var startedAt: NIODeadline?
    private var body: BufferedBody

    private var held = HeldInput()
    private var isProcessing = false
    /// The request that the listener answered because the owner was late. It is the connection's last.
    private var overdueGeneration: UInt64?
    private var discardedBytes = 0

    /// When to look at the connection again; read by the loop's tick.
    private(set) var deadline = NIODeadline.distantFuture
    /// Where the loop keeps this connection.
    var slot = 0
    /// Parts the decoder has delivered so far.
    private(set) var partCount: UInt64 = 0

    init(loop: ServingLoop) {
        self.loop = loop
        body = BufferedBody(counters: loop.counters)
    }

    deinit {
        // A responder may have kept the connection after its channel closed, and been dropped unanswered.
        body.release()
    }

    // MARK: What the feed asks and tells

    var isIdle: Bool { machine.phase == .idle && !held.hasParts }

    /// Nothing has come yet.
    var isUnused: Bool { isIdle && machine.generation == 0 }

    var discardsInput: Bool { machine.phase == .leaving }

    /// A client that does not read its answers gets no further requests processed.
    var takesInput: Bool {
        guard let context else { return false }
        return !machine.isAwaitingAnswer && machine.phase != .leaving && !held.hasParts && context.channel.isWritable
    }

    var missingBodyBytes: Int {
        guard machine.phase == .receivingBody, let length = machine.facts.contentLength else { return 0 }
        return length - machine.bodyBytes
    }

    func added(_ context: ChannelHandlerContext, feed: RequestFeed) {
        self.context = context
        self.feed = feed
        writer = AnswerWriter(context: context, feed: feed)
        remoteAddress = context.channel.remoteAddress
        deadline = loop.add(self)
    }

    func removed() {
        channelClosed()
        context = nil
        feed = nil
        writer = nil
    }

    func readBegan() {
        loop.forgetTime()
    }

    func readCompleted() {
        writer?.flush()
    }

    func beganHead() {
        guard machine.beganHead() else { return }
        let now = loop.now()
        startedAt = now
        deadline = now + loop.requestTimeout
    }

    func decodingFailed(_ error: any Error) {
        switch error as? HTTPParserError {
        case .closedConnection: break  // Bytes behind a request that asked to close: nobody's request.
        case .headerOverflow: failed(.headersTooLarge)
        case .invalidVersion: failed(.unsupportedVersion)
        default: failed(.malformed)
        }
    }

    func failed(_ reason: Refusal.Reason) {
        if machine.isAwaitingAnswer || held.hasParts {
            held.append(reason)
        } else {
            execute(machine.fault(reason))
        }
    }

    func inputEnded() {
        if held.hasBytes {
            held.appendEnd()
        } else {
            execute(machine.inputEnded())
        }
    }

    func discarded(_ bytes: Int) {
        discardedBytes += bytes
        if discardedBytes > Self.maxDiscardedBytes { context?.close(promise: nil) }
    }

    func socketFailed(_ error: any Error) {
        // The decoder reports a version fault here as well as by throwing.
        if error is HTTPParserError { return }
        context?.close(promise: nil)
    }

    func channelClosed() {
        guard loop.remove(self) else { return }
        switch machine.phase {
        case .receivingHead, .deciding, .receivingBody:
            // The answer reaches nobody, but the owner counts what it lost.
            execute(.refuse(.truncated))
        case .awaitingAnswer:
            machine.closed()
        case .idle, .answered, .leaving:
            break
        }
        held.removeParts()
    }

    // MARK: What the loop tells

    func deadlinePassed() {
        execute(machine.deadlinePassed())
    }

    /// The listener waits for its connections to end.
    func quiesce(_ now: NIODeadline) {
        switch machine.phase {
        case .idle where !held.hasParts:
            // A last look: what has reached the socket is still read and answered. A connection that never sent
            // anything was accepted a moment ago; its request is on the way.
            deadline = min(deadline, now + (machine.generation == 0 ? loop.firstRequestGrace : loop.idleGrace))
        case .leaving:
            deadline = min(deadline, now + loop.lingerTimeout)
        default:
            break
        }
    }

    /// Bytes of a body that has not come to its end; 0 when there is none.
    var unfinishedBodyBytes: Int { machine.phase == .receivingBody ? body.chargedBytes : 0 }

    /// The memory of its unfinished body is wanted for a smaller one.
    func giveWay() {
        refuse(.overBudget)
    }

    func closeNow() {
        context?.close(promise: nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        partCount &+= 1
        let part = Self.unwrapInboundIn(data)
        if machine.isAwaitingAnswer || held.hasParts {
            held.append(part)
        } else {
            isProcessing = true
            process(part)
            isProcessing = false
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        socketFailed(error)
    }

    /// Goes on with what has come behind an answered request.
    func takeInput() {
        guard !isProcessing, let feed else { return }
        loop.forgetTime()
        isProcessing = true
        while !machine.isAwaitingAnswer, let next = held.next() {
            switch next {
            case .part(let part): process(part)
            case .fault(let reason): execute(machine.fault(reason))
            case .end: execute(machine.inputEnded())
            }
        }
        isProcessing = false
        if !machine.isAwaitingAnswer { feed.resume() }
    }

    private func process(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): receivedHead(head)
        case .body(let bytes): receivedBody(bytes)
        case .end: receivedEnd()
        }
    }

    private func receivedHead(_ received: HTTPRequestHead) {
        guard machine.phase != .leaving else { return }
        let facts = RequestFacts(received)
        let head = RequestHead(received, contentLength: facts.contentLength, remoteAddress: remoteAddress)
        let begin = startedAt ?? loop.now()
        self.head = head
        startedAt = begin
        deadline = begin + loop.requestTimeout
        switch machine.receivedHead(facts) {
        case .refuse(let reason):
            refuse(reason)
        case .askOwner:
            switch loop.handler.decide(head) {
            case .receiveBody: wantBody()
            case .respond(let response): send(response, machine.answeredAtHead(closing: loop.closesConnections))
            }
        }
    }

    private func wantBody() {
        switch machine.bodyWanted(maxBodyBytes: loop.maxBodyBytes) {
        case .receive: break
        case .sendContinue: writer?.writeContinue()
        case .refuse(let reason): refuse(reason)
        }
    }

    private func receivedBody(_ bytes: ByteBuffer) {
        switch machine.receivedBody(bytes.readableBytes, maxBodyBytes: loop.maxBodyBytes) {
        case .drop:
            break
        case .refuse(let reason):
            refuse(reason)
        case .keep:
            while !body.append(bytes, expected: machine.facts.contentLength) {
                let wanted = body.chargedBytes + bytes.readableBytes
                guard let larger = loop.unfinishedBody(largerThan: wanted) else { return refuse(.overBudget) }
                larger.giveWay()
            }
        }
    }

    private func receivedEnd() {
        switch machine.receivedEnd() {
        case .nothing:
            break
        case .nextRequest:
            forgetRequest()
        case .handOver:
            guard let head, let startedAt else { return }
            let now = loop.now()
            deadline = now + loop.answerTimeout
            let request = Request(head: head, body: body.take(), startedAt: startedAt, receivedAt: now)
            loop.handler.handle(request, Responder(connection: self, generation: machine.generation))
        }
    }

    // MARK: Answers

    /// False when the listener has answered this request before, in the owner's place.
    func respond(_ response: Response, generation: UInt64) -> Bool {
        loop.eventLoop.preconditionInEventLoop()
        guard generation == machine.generation else { return true }
        if held.takeEnd() {
            // This was the last request: its answer says that the connection ends.
            execute(machine.inputEnded())
        }
        let moreInput = held.hasBytes || feed?.hasWaitingBytes == true
        let answer = machine.answered(generation: generation, closing: loop.closesConnections, moreInput: moreInput)
        body.release()
        guard let answer else { return generation != overdueGeneration }
        forgetRequest()
        send(response, answer)
        // Not now: the owner may be in the middle of answering others, and must not be called from its own call.
        if answer.afterwards == .nextRequest, !isProcessing, moreInput || !held.isEmpty {
            loop.eventLoop.assumeIsolated().execute { self.takeInput() }
        }
        return true
    }

    /// The owner gives this request no answer. Nothing happens when it has one already.
    func hangUp(generation: UInt64) {
        loop.eventLoop.preconditionInEventLoop()
        guard generation == machine.generation, machine.isAwaitingAnswer else { return }
        body.release()
        closeNow()
    }

    private func execute(_ action: RequestStateMachine.FaultAction) {
        switch action {
        case .refuse(let reason): refuse(reason)
        case .closeNow: closeNow()
        case .nothing: break
        }
    }

    private func refuse(_ reason: Refusal.Reason) {
        let response = reason.response
        let refusal = Refusal(
            reason: reason,
            status: response.status,
            contentLength: head?.contentLength,
            receivedBodyBytes: head == nil ? 0 : machine.bodyBytes,
            remoteAddress: remoteAddress
        )
        let answer = machine.refused()
        if reason == .answerOverdue {
            // The owner still holds the body; it stays charged until it answers or lets go.
            overdueGeneration = machine.generation
        } else {
            body.release()
        }
        forgetRequest()
        loop.handler.refused(refusal)
        send(response, answer)
    }

    private func forgetRequest() {
        head = nil
        startedAt = nil
    }

    private func send(_ response: Response, _ answer: RequestStateMachine.Answer) {
        guard writer != nil else { return }
        deadline = loop.coarseNow + loop.idleTimeout
        guard answer.afterwards != .nextRequest else {
            writer?.write(response, answer)
            return
        }
        writer?.writeLast(response, answer).assumeIsolated().whenComplete { _ in
            self.lastAnswerWritten(lingering: answer.afterwards == .linger)
        }
        // What was held back is thrown away now, and reading goes on.
        feed?.resume()
    }

    private func lastAnswerWritten(lingering: Bool) {
        guard let context else { return }
        if lingering, !machine.inputHasEnded {
            deadline = loop.coarseNow + loop.lingerTimeout
            context.close(mode: .output, promise: nil)
        } else {
            context.close(promise: nil)
        }
    }
}
