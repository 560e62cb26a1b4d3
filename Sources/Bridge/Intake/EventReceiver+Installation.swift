internal import Bitrix24
internal import Foundation
internal import Ingress
internal import NIOCore
internal import NIOFoundationCompat
internal import NIOHTTP1

/// What reaches the receiver about installations. Rare, so memory is of no account here.
extension EventReceiver {
    // MARK: The install address

    /// A head whose path is not that of events.
    func decideInstall(_ head: borrowing RequestHead) -> HeadDecision {
        let path = head.path
        let install = context.settings.http.installPath
        guard let installations else {
            return answerNow(path == install ? Answers.noApplication : Answers.notFound)
        }
        switch (head.method, path) {
        case (.POST, install): return .receiveBody
        case (.GET, install), (.HEAD, install): return answerNow(Answers.installAddress)
        case (.GET, "\(install)/state"), (.HEAD, "\(install)/state"):
            return answerNow(progress(String(head.query ?? ""), installations))
        case (_, install): return answerNow(Answers.method)
        case (_, "\(install)/state"): return answerNow(Answers.readOnly)
        default: return answerNow(Answers.notFound)
        }
    }

    private func progress(_ query: String, _ installations: Installations) -> Response {
        let noStore = [(name: "Cache-Control", value: "no-store")]
        guard let text = PageQuery.value(of: "ticket", in: query),
            let ticket = InstallTicket(text, keyring: installations.keyring, now: WallClock.now())
        else {
            return Response(
                status: .badRequest,
                text: "the page is too old; open the application anew",
                headers: noStore
            )
        }
        let progress = InstallProgress(
            of: ticket,
            refusal: installations.outcomes.refusal(of: ticket.id),
            portal: installations.registry.portal(ticket.memberID)
        )
        guard let json = try? JSONEncoder().encode(progress) else {
            return Response(status: .internalServerError, text: "the state could not be written as JSON")
        }
        return Response(status: .ok, contentType: "application/json", body: ByteBuffer(data: json), headers: noStore)
    }

    /// Handles what came to the install address.
    ///
    /// - Returns: false for an event from a network that may send events, and for what came to the events' address.
    func handleInstall(_ call: InboundCall, _ request: borrowing Request, _ responder: Responder) -> Bool {
        guard let installations, request.head.path == context.settings.http.installPath else {
            return false
        }
        switch call {
        case .notEvent(.placement):
            openPage(request, installations, responder)
            return true
        // A page comes from the browser of whoever installs, events come from Bitrix24.
        case _ where !mayDeliver(request.head):
            answer(Answers.address, responder)
            return true
        default: return false
        }
    }

    private func openPage(_ request: borrowing Request, _ installations: Installations, _ responder: Responder) {
        let now = WallClock.now()
        let query = String(request.head.query ?? "")
        let pageQuery = PageQuery(query)
        let page = installations.page
        guard let claim = InstallClaim(page: form, query: query, receivedAt: now) else {
            installations.outcomes.notTaken(.incomplete)
            return answer(page.response(pageQuery, ticket: nil, refusal: .incomplete), responder)
        }
        let call = UnverifiedCall(
            id: ids.next(at: now),
            kind: .page,
            receivedAt: now,
            memberID: claim.memberID,
            body: Data(buffer: request.body),
            query: query
        )
        let ticket = try? InstallTicket(call).sealed(with: installations.keyring)
        put(call, installations) { [self] refusal in
            answer(page.response(pageQuery, ticket: refusal == nil ? ticket : nil, refusal: refusal), responder)
        }
    }

    // MARK: Events

    /// Takes ONAPPINSTALL and ONAPPUPDATE that no known token proves: the tokens that they bring can.
    ///
    /// - Returns: false for all others, and for one that cannot be verified.
    func install(_ event: InboundEvent, _ request: borrowing Request, _ responder: Responder) -> Bool {
        guard let installations, Self.isInstallation(event), isVerifiable(event) else {
            return false
        }
        let now = WallClock.now()
        let call = unverified(event, .installation, id: ids.next(at: now), at: now, request)
        put(call, installations) { [self] refusal in
            answer(refusal.map { Answers.notInstalled($0) } ?? .ok, responder)
        }
        return true
    }

    /// What an admitted event means for its installation beside being published.
    func followUp(
        of event: InboundEvent,
        from portal: Portal,
        receipt: Receipt,
        _ request: borrowing Request,
        _ installations: Installations
    ) -> PendingAnswers.FollowUp? {
        guard receipt.origin == .online else { return nil }
        if let domain = portal.domain, let sent = form.scalar(of: event.auth, named: "domain"),
            !sent.elementsEqual(domain.utf8)
        {
            installations.hints.add(event.memberID)
        }
        guard let kind = followUpKind(of: event, installations) else { return nil }
        return PendingAnswers.FollowUp(unverified(event, kind, id: receipt.id, at: receipt.receivedAt, request))
    }

    func followUpKind(of event: InboundEvent, _ installations: Installations) -> UnverifiedCall.Kind? {
        if event.code == "ONAPPUNINSTALL" { return UnverifiedCall.isUsable(memberID: event.memberID) ? .farewell : nil }
        if Self.isInstallation(event) { return isVerifiable(event) ? .reinstallation : nil }
        // Most events bring no refresh token, and most portals need none.
        guard form.scalar(of: event.auth, named: "refresh_token") != nil, isVerifiable(event),
            installations.registry.portal(event.memberID)?.authorization?.needed != nil,
            installations.renewals.take(event.memberID)
        else { return nil }
        return .renewal
    }

    func unverified(
        _ event: InboundEvent,
        _ kind: UnverifiedCall.Kind,
        id: EnvelopeID,
        at receivedAt: Timestamp,
        _ request: borrowing Request
    ) -> UnverifiedCall {
        UnverifiedCall(
            id: id,
            kind: kind,
            receivedAt: receivedAt,
            memberID: event.memberID,
            body: kind == .farewell ? Data() : Data(buffer: request.body),
            traceparent: request.head.header("traceparent")
        )
    }

    /// Stores what an event means that is durable itself, and answers it. Its sender cannot do anything about a refusal.
    func putFollowUp(_ call: UnverifiedCall, then responder: Responder) {
        guard let installations else { return answer(.ok, responder) }
        put(call, installations) { [self] _ in answer(.ok, responder) }
    }

    /// - Parameter done: Called on this event loop.
    private func put(
        _ call: UnverifiedCall,
        _ installations: Installations,
        done: @escaping (InstallRefusal?) -> Void
    ) {
        installations.inbox.put(
            call,
            then: onEventLoop { (refusal: InstallRefusal?) in
                if let refusal { installations.outcomes.notTaken(refusal) }
                done(refusal)
            }
        )
    }

    private static func isInstallation(_ event: InboundEvent) -> Bool {
        event.code == "ONAPPINSTALL" || event.code == "ONAPPUPDATE"
    }

    /// Whether it has all by which the authorization server can be asked about it.
    func isVerifiable(_ event: InboundEvent) -> Bool {
        guard let claim = InstallClaim(event: event, in: form) else { return false }
        return UnverifiedCall.isUsable(memberID: claim.memberID)
    }
}
