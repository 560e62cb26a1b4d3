/// What a portal needs next of the owner, and when.
struct DueWork: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// A person waits for it.
        case order(RegisteredPortal.Order)
        /// Make the bindings what is declared.
        case reconcile
        /// Let the portal send an event that brings its token.
        case requestToken
        /// Renew the refresh token before it dies.
        case keepAlive
        /// Forget an answer that nobody fetched.
        case tidy
    }

    let kind: Kind
    /// Milliseconds since 1970.
    let at: Int64

    /// - Parameter fingerprint: Of what is declared for the portal today.
    /// - Returns: `nil` when nothing is to be done until the portal changes.
    init?(_ portal: RegisteredPortal, fingerprint: String, _ attempts: PortalAttempts, _ pace: WorkPace) {
        if let order = portal.order, portal.report?.orderID != order.id {
            // Before everything else that waits, also at other portals.
            self.init(.order(order), at: attempts.nextOrderAt)
            return
        }
        let due =
            Self.ofApplication(portal, fingerprint, attempts, pace)
            + (portal.report.map { [DueWork(.tidy, at: $0.at + pace.reportLife)] } ?? [])
        guard let first = due.min(by: { $0.at < $1.at }) else { return nil }
        self = first
    }

    private init(_ kind: Kind, at: Int64) {
        self.kind = kind
        self.at = at
    }

    /// Of a portal that can be called. Of what is due at the same time, what stands first.
    private static func ofApplication(
        _ portal: RegisteredPortal,
        _ fingerprint: String,
        _ attempts: PortalAttempts,
        _ pace: WorkPace
    ) -> [DueWork] {
        guard let installation = portal.installation, installation.state == .installed,
            let authorization = portal.authorization, authorization.needed == nil, authorization.sealed != nil
        else { return [] }
        var due: [DueWork] = []
        let bindings = portal.bindings.flatMap { bindings in
            bindings.installedAt >= installation.installedAt && bindings.error == nil ? bindings : nil
        }
        if let bindings, bindings.fingerprint == fingerprint {
            if let at = pace.nextReconcile(of: portal.memberID, after: bindings.reconciledAt) {
                due.append(DueWork(.reconcile, at: max(at, attempts.notBefore)))
            }
        } else {
            due.append(DueWork(.reconcile, at: attempts.notBefore))
        }
        // The event that brings the token must be bound before it can come. Where no other is waited for, it may never come.
        if let bindings, portal.awaitsToken, bindings.isDrainedOnly != true || attempts.tests < pace.testIntervals.count
        {
            due.append(DueWork(.requestToken, at: max(attempts.nextTestAt, attempts.notBefore)))
        }
        let keepAlive = max(authorization.refreshedAt + pace.keepAliveAge, attempts.nextRenewalAt, attempts.notBefore)
        return due + [DueWork(.keepAlive, at: keepAlive)]
    }
}
