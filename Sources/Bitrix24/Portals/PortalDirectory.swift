/// An immutable set of portals by member_id. Each event loop reads its own copy.
package struct PortalDirectory: Sendable {
    private var portals: [String: Portal]

    package init(_ portals: [Portal]) {
        self.portals = Dictionary(portals.map { ($0.memberID, $0) }, uniquingKeysWith: { _, last in last })
    }

    package static let empty = PortalDirectory([])

    package var count: Int { portals.count }

    package subscript(memberID: String) -> Portal? {
        get { portals[memberID] }
        set { portals[memberID] = newValue }
    }

    package var memberIDs: some Collection<String> { portals.keys }

    /// Whether `event` may pass, by the token in its body.
    ///
    /// An unknown portal takes the same way as a wrong token: one SHA-256 and `TokenSet.capacity` comparisons.
    package func admit(_ event: InboundEvent, form: BracketForm) -> Admission {
        let presented = event.applicationToken(in: form)
        let digest = TokenDigest(token: presented ?? [])
        let admission = admit(event, presenting: digest, isPresented: presented != nil)
        switch admission {
        case .refused(let refusal) where refusal.reason == .badToken: break
        case .awaitingToken: break
        default: return admission
        }
        return event.isPaymentWithoutToken(in: form) ? .unprovenPayment : admission
    }

    /// Whether `event` may pass, by the digest of the token that came with it when it was received.
    package func admit(_ event: InboundEvent, digest: TokenDigest) -> Admission {
        admit(event, presenting: digest, isPresented: true)
    }

    private func admit(_ event: InboundEvent, presenting digest: TokenDigest, isPresented: Bool) -> Admission {
        let portal = portals[event.memberID]
        var match = (portal?.tokens ?? .none).match(digest)
        // Whatever digests were configured, that of nothing proves nothing.
        if !isPresented { match = .none }
        guard let portal else {
            return .refused(Admission.Refusal(reason: .unknownPortal, tokenDigest: isPresented ? digest : nil))
        }
        switch match {
        case .application: return .admitted(portal, .online)
        case .webhook where !event.needsApplication: return .admitted(portal, .webhook)
        case .webhook: return .refused(Admission.Refusal(reason: .badToken, tokenDigest: digest))
        case .none:
            let presented = isPresented ? digest : nil
            switch portal.standing {
            case .known: return .refused(Admission.Refusal(reason: .badToken, tokenDigest: presented))
            case .awaitingToken: return .awaitingToken(portal, presented)
            case .gone: return .refused(Admission.Refusal(reason: .gonePortal, tokenDigest: presented))
            }
        }
    }
}

package enum Admission {
    case admitted(Portal, EventOrigin)
    /// ONAPPPAYMENT of a known portal, which Bitrix24 sends without a token: a hint, never published.
    case unprovenPayment
    /// The portal was verified, and the token of its application is not known yet. With the digest of what was presented.
    case awaitingToken(Portal, TokenDigest?)
    case refused(Refusal)

    package struct Refusal {
        package let reason: DeadLetterReason
        /// Of the token that was presented, if any: by it the event can be admitted later.
        package let tokenDigest: TokenDigest?
    }
}

/// How an event came to us and what vouches for it: the attribute `b24origin`.
package enum EventOrigin: String, Sendable {
    /// Pushed; an application's token matched.
    case online
    /// Pushed; an outgoing webhook's token matched.
    case webhook
    /// Drained from the portal's offline queue: only the last change of an object.
    case offline
}
