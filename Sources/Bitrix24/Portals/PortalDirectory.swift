/// An immutable set of portals by member_id. Each event loop reads its own copy.
package struct PortalDirectory: Sendable {
    private let portals: [String: Portal]

    package init(_ portals: [Portal]) {
        self.portals = Dictionary(portals.map { ($0.memberID, $0) }, uniquingKeysWith: { _, last in last })
    }

    package static let empty = PortalDirectory([])

    package var count: Int { portals.count }

    package subscript(memberID: String) -> Portal? { portals[memberID] }

    /// Whether `event` may pass, by the token in its body.
    ///
    /// An unknown portal takes the same way as a wrong token: one SHA-256 and `TokenSet.capacity` comparisons.
    package func admit(_ event: InboundEvent, form: BracketForm) -> Admission {
        let presented = event.applicationToken(in: form)
        let digest = TokenDigest(token: presented ?? [])
        let admission = admit(event, presenting: digest, isPresented: presented != nil)
        guard case .refused(let refusal) = admission, refusal.reason == .badToken,
            event.isPaymentWithoutToken(in: form)
        else { return admission }
        return .unprovenPayment
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
        case .webhook, .none:
            return .refused(Admission.Refusal(reason: .badToken, tokenDigest: isPresented ? digest : nil))
        }
    }
}

package enum Admission {
    case admitted(Portal, EventOrigin)
    /// ONAPPPAYMENT of a known portal, which Bitrix24 sends without a token: a hint, never published.
    case unprovenPayment
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
