/// Decides what one connection does next. It sees one request at a time and holds no bytes.
///
/// - `idle`: between requests. A byte leads to `receivingHead`, a whole head to `deciding`.
/// - `receivingHead`: some of a head has come.
/// - `deciding`: the owner is asked. It takes the body (`receivingBody`) or answers (`answered`, or `leaving`).
/// - `receivingBody`: to `awaitingAnswer` at the end of the request, to `leaving` at a fault.
/// - `awaitingAnswer`: the owner has the request. The answer leads to `idle` or `leaving`.
/// - `answered`: a request without a body was answered at its head; its end leads to `idle`.
/// - `leaving`: the last answer is given; input is thrown away until the connection is closed.
struct RequestStateMachine {
    enum Phase: Equatable {
        case idle, receivingHead, deciding, receivingBody, awaitingAnswer, answered, leaving
    }

    /// How to send an answer, and what to do with the connection after it.
    struct Answer: Equatable {
        enum Afterwards: Equatable {
            case nextRequest
            /// The client has said its last; close as soon as the answer is written.
            case close
            /// The client may still be sending: end the own side, read on for a while, so that no reset takes the
            /// answer from it.
            case linger
        }

        var persistence: Persistence
        var withoutBody: Bool
        var afterwards: Afterwards
    }

    enum HeadAction: Equatable { case askOwner, refuse(Refusal.Reason) }
    enum BodyDecisionAction: Equatable { case receive, sendContinue, refuse(Refusal.Reason) }
    enum BodyAction: Equatable { case keep, drop, refuse(Refusal.Reason) }
    enum EndAction: Equatable { case handOver, nextRequest, nothing }
    enum FaultAction: Equatable { case refuse(Refusal.Reason), closeNow, nothing }

    private(set) var phase = Phase.idle
    /// Counts requests; an answer that carries an older number is stale.
    private(set) var generation: UInt64 = 0
    private(set) var bodyBytes = 0
    private(set) var facts = RequestFacts()
    private(set) var inputHasEnded = false

    /// True while no further part of the input may be processed.
    var isAwaitingAnswer: Bool { phase == .awaitingAnswer }

    /// Bytes came that are no whole head yet. True when this is the begin of a request.
    mutating func beganHead() -> Bool {
        guard phase == .idle else { return false }
        phase = .receivingHead
        return true
    }

    mutating func receivedHead(_ facts: RequestFacts) -> HeadAction {
        generation &+= 1
        bodyBytes = 0
        self.facts = facts
        phase = .deciding
        return switch facts.framing {
        case .faulty: .refuse(.malformed)
        case .unsupported: .refuse(.unsupportedTransferCoding)
        case .none, .length, .chunked: .askOwner
        }
    }

    /// The owner takes the body.
    mutating func bodyWanted(maxBodyBytes: Int) -> BodyDecisionAction {
        if let length = facts.contentLength, length > maxBodyBytes { return .refuse(.bodyTooLarge) }
        phase = .receivingBody
        return facts.expectsContinue && facts.hasBody && !facts.isHTTP10 ? .sendContinue : .receive
    }

    /// The owner answers at the head.
    mutating func answeredAtHead(closing: Bool) -> Answer {
        let answer = answer(closing: closing || facts.hasBody, moreInput: true)
        phase = answer.afterwards == .nextRequest ? .answered : .leaving
        return answer
    }

    mutating func receivedBody(_ bytes: Int, maxBodyBytes: Int) -> BodyAction {
        guard phase == .receivingBody else { return .drop }
        bodyBytes += bytes
        return bodyBytes > maxBodyBytes ? .refuse(.bodyTooLarge) : .keep
    }

    mutating func receivedEnd() -> EndAction {
        switch phase {
        case .receivingBody:
            phase = .awaitingAnswer
            return .handOver
        case .answered:
            phase = .idle
            return .nextRequest
        case .idle, .receivingHead, .deciding, .awaitingAnswer, .leaving:
            return .nothing
        }
    }

    /// The owner's answer; nil when it is stale.
    ///
    /// - Parameters:
    ///   - closing: the listener is shutting down.
    ///   - moreInput: bytes beyond this request have come already.
    mutating func answered(generation: UInt64, closing: Bool, moreInput: Bool) -> Answer? {
        guard phase == .awaitingAnswer, generation == self.generation else { return nil }
        let answer = answer(closing: closing, moreInput: moreInput)
        phase = answer.afterwards == .nextRequest ? .idle : .leaving
        return answer
    }

    /// The listener's own final answer to whatever is under way.
    mutating func refused() -> Answer {
        let headIsKnown = phase != .idle && phase != .receivingHead
        phase = .leaving
        return Answer(
            persistence: .close,
            withoutBody: headIsKnown && facts.isHead,
            afterwards: inputHasEnded ? .close : .linger
        )
    }

    /// What the decoder could not read. While an answer is awaited the caller keeps the fault back.
    func fault(_ reason: Refusal.Reason) -> FaultAction {
        switch phase {
        case .idle, .receivingHead, .deciding, .receivingBody: .refuse(reason)
        case .awaitingAnswer, .answered, .leaving: .nothing
        }
    }

    /// The client sends nothing more; it may still read. Everything it sent has been processed.
    mutating func inputEnded() -> FaultAction {
        inputHasEnded = true
        return switch phase {
        case .idle: .closeNow
        case .receivingHead, .deciding, .receivingBody: .refuse(.truncated)
        case .awaitingAnswer, .answered, .leaving: .nothing
        }
    }

    /// The connection is gone while its answer was awaited.
    mutating func closed() {
        phase = .leaving
    }

    func deadlinePassed() -> FaultAction {
        switch phase {
        case .idle, .answered, .leaving: .closeNow
        case .receivingHead, .deciding, .receivingBody: .refuse(.timedOut)
        case .awaitingAnswer: .refuse(.answerOverdue)
        }
    }

    private func answer(closing: Bool, moreInput: Bool) -> Answer {
        let persistence: Persistence =
            if !facts.wantsKeepAlive || closing || inputHasEnded {
                .close
            } else if facts.isHTTP10 {
                .keepAliveHTTP10
            } else {
                .keepAlive
            }
        let afterwards: Answer.Afterwards =
            if persistence != .close {
                .nextRequest
            } else if inputHasEnded || (!facts.wantsKeepAlive && !moreInput) {
                .close
            } else {
                .linger
            }
        return Answer(persistence: persistence, withoutBody: facts.isHead, afterwards: afterwards)
    }
}
