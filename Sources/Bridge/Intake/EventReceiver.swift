internal import Bitrix24
internal import CoreMetrics
internal import Ingress
internal import Journal
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Takes the POSTs of one event loop: decode, admit, normalise, append; answers when the journal has committed.
///
/// Everything here happens on its event loop and reuses the same memory, so an event costs neither a lock nor a task.
final class EventReceiver: RequestHandler {
    let context: IntakeContext
    /// `nil`: the bridge is no application.
    let installations: Installations?
    let metrics: BridgeMetrics
    private var appender: JournalAppender?
    private var pending = PendingAnswers()
    private let tally: ActivityTally
    private var portals: PortalDirectory = .empty
    private var portalsVersion = 0
    /// `nil`: everybody may send.
    private var allowedNetworks: AddressRanges?
    private var sendersVersion = 0
    var form = BracketForm()
    var normalizer: Normalizer
    var ids = EnvelopeIDGenerator()
    var record = EventRecord()
    var payload: [UInt8] = []
    private let base: String
    private let below: String
    private let eventLoop: any EventLoop

    /// Larger scratch memory than this is not kept after an unusual body.
    private static let keptBytes = 256 << 10

    init(context: IntakeContext, installations: Installations? = nil, eventLoop: any EventLoop) {
        self.context = context
        self.installations = installations
        metrics = context.metrics
        tally = context.activity.makeTally()
        let settings = context.settings
        normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: settings.replica
        )
        base = settings.http.path
        below = base + "/"
        self.eventLoop = eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        appender = context.journal.makeAppender { resolution in
            eventLoop.execute { bound.value.settle(resolution) }
        }
    }

    // MARK: Requests

    func decide(_ head: borrowing RequestHead) -> HeadDecision {
        let path = head.path
        guard path == base || path.hasPrefix(below) else { return decideInstall(head) }
        switch head.method {
        case .POST:
            return mayDeliver(head) ? .receiveBody : answerNow(Answers.address)
        case .GET, .HEAD: return answerNow(.ok)
        default: return answerNow(Answers.method)
        }
    }

    /// Whether the sender is in `http.allowedNetworks`. Counts one that is not.
    func mayDeliver(_ head: borrowing RequestHead) -> Bool {
        if context.senders.version != sendersVersion {
            sendersVersion = context.senders.version
            allowedNetworks = context.senders.allowed
        }
        guard let allowed = allowedNetworks else { return true }
        let address = clientAddress(of: head, trustedProxies: context.trustedProxies)
        guard let address, allowed.contains(address) else {
            context.refuse(sender: address)
            return false
        }
        return true
    }

    func handle(_ request: borrowing Request, _ responder: Responder) {
        metrics.requests.increment()
        do {
            try request.body.withUnsafeReadableBytes { bytes throws(FormError) in try form.decode(bytes) }
        } catch {
            metrics.refused(.undecodable)
            return answer(Response(status: .badRequest, text: "\(error)"), responder)
        }
        let call = InboundCall(form)
        if installations != nil, handleInstall(call, request, responder) { return }
        switch call {
        case .malformed(let fault):
            metrics.refused(.malformedEvent)
            answer(Answers.malformed[fault] ?? Answers.method, responder)
        case .notEvent(let kind):
            metrics.notEvents[kind.rawValue]?.increment()
            answer(.ok, responder)
        case .event(let event): take(event, request, responder)
        }
        if payload.capacity > Self.keptBytes {
            payload = []
            record = EventRecord()
        }
        form.shrink(above: Self.keptBytes)
    }

    func refused(_ refusal: Ingress.Refusal) {
        metrics.answered(refusal.status.code)
        // This one was counted when it came, and whether it is lost is known when the journal has settled it.
        if refusal.reason == .answerOverdue {
            context.logger.error("a request was answered 503 because the journal took too long to store its event")
            return
        }
        metrics.requests.increment()
        switch refusal.reason {
        case .bodyTooLarge:
            metrics.refused(.bodyTooLarge)
            context.logger.warning(
                "a body over http.maxBodyBytes was refused",
                metadata: ["contentLength": "\(refusal.contentLength ?? -1)"]
            )
        case .timedOut: metrics.refused(.tooSlow)
        case .overBudget:
            metrics.lost(.overload)
            context.logger.error(
                "a request was refused for lack of memory",
                metadata: ["reason": "\(refusal.reason.rawValue)"]
            )
        default: metrics.refused(.malformedRequest)
        }
    }

    // MARK: Events

    private func take(_ event: InboundEvent, _ request: borrowing Request, _ responder: Responder) {
        if context.portals.version != portalsVersion {
            portalsVersion = context.portals.version
            portals = context.portals.directory
        }
        switch portals.admit(event, form: form) {
        case .refused(let refusal):
            if install(event, request, responder) { return }
            refuse(event, refusal.reason, refusal.tokenDigest, responder)
        case .awaitingToken(_, let digest):
            if install(event, request, responder) || park(event, digest, request, responder) { return }
            refuse(event, .badToken, digest, responder)
        case .unprovenPayment:
            metrics.notEvents["payment-without-token"]?.increment()
            installations?.hints.add(event.memberID)
            answer(.ok, responder)
        case .admitted(let portal, let origin):
            if parkBehind(event, request, responder) { return }
            metrics.admitted[origin.rawValue]?.increment()
            if event.eventType == nil {
                metrics.unknownEvents.increment()
            }
            context.signalWakeUp(event, origin: origin)
            publish(event, of: portal, origin: origin, request, responder)
        }
    }

    func refuse(
        _ event: InboundEvent,
        _ reason: DeadLetterReason,
        _ digest: TokenDigest?,
        _ responder: Responder
    ) {
        metrics.refused(reason)
        let now = WallClock.now()
        writeDeadLetter(of: event, reason: reason, tokenDigest: digest, at: now, id: ids.next(at: now))
        answer(Answers.notAdmitted, responder)
    }

    private func publish(
        _ event: InboundEvent,
        of portal: Portal,
        origin: EventOrigin,
        _ request: borrowing Request,
        _ responder: Responder
    ) {
        let now = WallClock.now()
        let receipt = Receipt(
            id: ids.next(at: now),
            receivedAt: now,
            origin: origin,
            traceparent: request.head.header("traceparent")
        )
        do {
            try normalizer.normalize(event, of: form, domain: portal.domain, receipt: receipt, into: &record)
        } catch {
            metrics.refused(.undecodable)
            return answer(Response(status: .badRequest, text: error.description), responder)
        }
        if record.value.repairs > 0 { metrics.repairedTexts.increment(by: record.value.repairs) }
        // The sender made an unknown code up: it may be long and hold anything.
        let code = event.eventType == nil ? normalizer.shown(event.sentCode, longest: 64) : event.code
        let isOversized = record.bytes > context.settings.kafka.maxRecordBytes
        if context.parkingGate.refuses(topic: record.topic, isSingle: isOversized) {
            return lose(.parkedFull, memberID: event.memberID, code: code, responder)
        }
        let stamp = StoredRecord.encode(record, flags: isOversized ? .oversized : [], into: &payload)
        switch append(stamp: stamp) {
        case .pending(let position):
            let answer = PendingAnswers.Answer(
                responder: responder,
                receivedAt: request.receivedAt,
                memberID: event.memberID,
                code: code,
                followUp: installations.flatMap {
                    followUp(of: event, from: portal, receipt: receipt, request, $0)
                }
            )
            pending.append(.answer(answer), at: position)
            if isOversized {
                writeDeadLetter(of: event, reason: .tooLarge, tokenDigest: nil, at: now, id: receipt.id)
            }
        case .refused(let refusal):
            let reason: BridgeMetrics.LossReason = refusal == .closed ? .shutdown : .overload
            lose(reason, memberID: event.memberID, code: code, responder)
        }
    }

    /// A dead letter is appended and not waited for: the answer is the same whatever becomes of it. One that is too large
    /// with its body goes without.
    private func writeDeadLetter(
        of event: InboundEvent,
        reason: DeadLetterReason,
        tokenDigest: TokenDigest?,
        at receivedAt: Timestamp,
        id: EnvelopeID,
        withBody: Bool = true
    ) {
        do {
            try normalizer.deadLetter(
                event,
                of: form,
                topic: context.settings.kafka.deadLetterTopic,
                reason: reason,
                receivedAt: receivedAt,
                tokenDigest: tokenDigest,
                id: id,
                withBody: withBody && reason != .tooLarge,
                into: &record
            )
        } catch {
            return context.droppedLetters.add(.tooManySecrets)
        }
        _ = StoredRecord.encode(record, flags: [], into: &payload)
        let isTooLarge = payload.count > context.settings.kafka.maxRecordBytes
        if isTooLarge, withBody {
            return writeDeadLetter(
                of: event,
                reason: reason,
                tokenDigest: tokenDigest,
                at: receivedAt,
                id: id,
                withBody: false
            )
        }
        let key = String(decoding: record.key, as: UTF8.self)
        guard !isTooLarge else { return context.droppedLetters.add(.tooLarge) }
        guard context.journal.statistics.state == .accepting else { return context.droppedLetters.add(.journal) }
        guard context.deadLetterBudget.take(payload.count, portal: key) else {
            return context.droppedLetters.add(.overBudget)
        }
        if case .pending(let position) = append(stamp: nil) {
            let letter = PendingAnswers.DeadLetter(reason: reason, bytes: payload.count, portal: key)
            pending.append(.deadLetter(letter), at: position)
        } else {
            context.deadLetterBudget.release(payload.count, portal: key)
            context.droppedLetters.add(.journal)
        }
    }

    /// Runs `body` on this event loop, whoever calls what is returned.
    func onEventLoop<Value: Sendable>(_ body: @escaping (Value) -> Void) -> @Sendable (Value) -> Void {
        let bound = NIOLoopBound(body, eventLoop: eventLoop)
        return { [eventLoop] value in eventLoop.execute { bound.value(value) } }
    }

    private func append(stamp: Int?) -> AppendResult {
        guard let appender else { return .refused(.closed) }
        return payload.withUnsafeBytes { appender.append($0, stampAt: stamp) }
    }

    // MARK: Answers

    /// Called on the event loop, once for each commit that this loop took part in.
    private func settle(_ resolution: AppendResolution) {
        let now = NIODeadline.now()
        let moment = WallClock.now().milliseconds
        while let entry = pending.next(through: resolution.through) {
            switch (entry, resolution.outcome) {
            case (.deadLetter(let letter), .committed): metrics.deadLetters[letter.reason.rawValue]?.increment()
            case (.deadLetter(let letter), .failed):
                context.deadLetterBudget.release(letter.bytes, portal: letter.portal)
                context.droppedLetters.add(.journal)
            case (.answer(let answer), .committed):
                tally.heard(answer.memberID, at: moment)
                if let call = answer.followUp?.call {
                    putFollowUp(call, then: answer.responder)
                    continue
                }
                guard answer.responder.respond(.ok) else { continue }
                metrics.answered(200)
                metrics.answerTime.recordNanoseconds((now - answer.receivedAt).nanoseconds)
            case (.answer(let answer), .failed(let failure)):
                let reason: BridgeMetrics.LossReason =
                    switch failure {
                    case .full: .journalFull
                    case .disk, .brokenOff: .diskFailure
                    case .closed: .shutdown
                    }
                lose(reason, memberID: answer.memberID, code: answer.code, answer.responder)
            }
        }
    }

    func lose(_ reason: BridgeMetrics.LossReason, memberID: String, code: String, _ responder: Responder) {
        metrics.lost(reason)
        context.logger.error(
            "an event is lost: it could not be made durable",
            metadata: ["reason": "\(reason.rawValue)", "portal": "\(memberID)", "event": "\(code)"]
        )
        answer(Answers.notDurable, responder)
    }

    func answer(_ response: Response, _ responder: Responder) {
        if responder.respond(response) { metrics.answered(response.status.code) }
    }

    func answerNow(_ response: Response) -> HeadDecision {
        metrics.requests.increment()
        metrics.answered(response.status.code)
        return .respond(response)
    }
}
