internal import Bitrix24
internal import CoreMetrics
internal import Ingress
internal import NIOCore

/// Events that must wait until their portal's application token is known.
extension EventReceiver {
    /// Parks an event of a portal that was verified and whose application token is not known yet.
    ///
    /// - Returns: false for one that no token could ever prove.
    func park(
        _ event: InboundEvent,
        _ digest: TokenDigest?,
        _ request: borrowing Request,
        _ responder: Responder
    ) -> Bool {
        guard let installations, let digest else { return false }
        // It brings the token.
        let kind: UnverifiedCall.Kind? = event.code == "ONAPPTEST" && isVerifiable(event) ? .test : nil
        return park(event, digest, followUp: kind, request, responder, installations)
    }

    /// Parks an event that is admitted while earlier ones of its portal still wait.
    ///
    /// - Returns: false when none do.
    func parkBehind(_ event: InboundEvent, _ request: borrowing Request, _ responder: Responder) -> Bool {
        guard let installations, installations.waitingRoom.isOccupied,
            installations.waitingRoom.holds(event.memberID), let token = event.applicationToken(in: form)
        else { return false }
        let kind = followUpKind(of: event, installations)
        return park(event, TokenDigest(token: token), followUp: kind, request, responder, installations)
    }

    private func park(
        _ event: InboundEvent,
        _ digest: TokenDigest,
        followUp kind: UnverifiedCall.Kind?,
        _ request: borrowing Request,
        _ responder: Responder,
        _ installations: Installations
    ) -> Bool {
        let now = WallClock.now()
        let id = ids.next(at: now)
        do throws(RedactionError) {
            // Should the token prove wrong, this is what becomes of it.
            try normalizer.deadLetter(
                event,
                of: form,
                topic: context.settings.kafka.deadLetterTopic,
                reason: .badToken,
                receivedAt: now,
                tokenDigest: digest,
                id: id,
                into: &record
            )
        } catch {
            metrics.refused(.undecodable)
            answer(Response(status: .badRequest, text: error.description), responder)
            return true
        }
        _ = StoredRecord.encode(record, flags: [], into: &payload)
        let followUp = kind.map { unverified(event, $0, id: id, at: now, request) }
        let memberID = event.memberID
        let code = event.eventType == nil ? normalizer.shown(event.sentCode, longest: 64) : event.code
        installations.waitingRoom.park(
            WaitingEvent.encode(letter: payload, traceparent: request.head.header("traceparent")),
            of: memberID,
            then: onEventLoop { [self] (refusal: WaitingRoom.Refusal?) in
                switch refusal {
                case nil:
                    metrics.awaitingToken.increment()
                    if let followUp { putFollowUp(followUp, then: responder) } else { answer(.ok, responder) }
                case .full: lose(.waitingFull, memberID: memberID, code: code, responder)
                case .disk: lose(.diskFailure, memberID: memberID, code: code, responder)
                case .shutdown: lose(.shutdown, memberID: memberID, code: code, responder)
                }
            }
        )
        return true
    }
}
