import Testing

@testable import Bridge

@Suite struct DueWorkTests {
    private static let pace: WorkPace = {
        var pace = WorkPace(reconcileEvery: .seconds(86_400))
        pace.jitter = 0
        return pace
    }()
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = 2_000_000_000_000

    /// Installed and bound an hour ago.
    private static func portal(_ change: (inout RegisteredPortal) -> Void = { _ in }) -> RegisteredPortal {
        var portal = RegisteredPortal(memberID: "p1")
        portal.installation = .init(
            state: .installed,
            domain: "p1.bitrix24.com",
            clientEndpoint: "https://p1.bitrix24.com/rest/",
            authorizationServer: "oauth.bitrix.info",
            status: "L",
            scope: ["crm"],
            installedAt: now - 3_600_000
        )
        portal.authorization = .init(
            sealed: SealedText(text: "1.k.AAAA"),
            accessExpiresAt: now / 1000,
            refreshedAt: now - 3_600_000
        )
        portal.applicationTokens = .init(digests: ["00"])
        portal.bindings = .init(
            installedAt: now - 3_600_000,
            fingerprint: "f",
            reconciledAt: now - 3_600_000,
            bound: 2,
            drift: 0
        )
        change(&portal)
        return portal
    }

    private static func due(_ portal: RegisteredPortal, _ attempts: PortalAttempts = .init()) -> DueWork? {
        DueWork(portal, fingerprint: "f", attempts, pace)
    }

    @Test func `a portal at rest is due a day after it was last compared`() {
        let due = Self.due(Self.portal())
        #expect(due?.kind == .reconcile && due?.at == Self.now - 3_600_000 + Self.day)
    }

    @Test func `the day is shortened by a share that differs from portal to portal and is the same everywhere`() {
        let pace = WorkPace(reconcileEvery: .seconds(86_400))
        let due = (0..<1000).compactMap { pace.nextReconcile(of: "p\($0)", after: Self.now) }
        #expect(due.allSatisfy { $0 <= Self.now + Self.day && $0 > Self.now + Self.day * 3 / 4 })
        #expect(Set(due.map { ($0 - Self.now) / 900_000 }).count >= 23, "spread over the six hours")
        #expect(pace.nextReconcile(of: "p7", after: Self.now) == due[7])
    }

    @Test func `an installation is bound at once, and so is what is declared anew or failed`() {
        for portal in [
            Self.portal { $0.bindings = nil }, Self.portal { $0.installation?.installedAt = Self.now },
            Self.portal { $0.bindings?.fingerprint = "other" }, Self.portal { $0.bindings?.error = "refused" },
        ] {
            #expect(Self.due(portal)?.kind == .reconcile && Self.due(portal)?.at == 0)
        }
    }

    @Test func `the token is asked for once everything is bound`() {
        let unbound = Self.portal {
            $0.applicationTokens = nil
            $0.bindings = nil
        }
        #expect(Self.due(unbound)?.kind == .reconcile)
        let bound = Self.portal { $0.applicationTokens = .init(digests: [], nonce: "n") }
        #expect(Self.due(bound)?.kind == .requestToken && Self.due(bound)?.at == 0)
    }

    @Test func `asking for the token becomes rarer`() {
        var attempts = PortalAttempts()
        let bound = Self.portal { $0.applicationTokens = nil }
        var waits: [Int64] = []
        for _ in 0..<7 {
            attempts.tested(at: Self.now, Self.pace)
            waits.append((Self.due(bound, attempts)?.at ?? 0) - Self.now)
        }
        #expect(waits == [10_000, 30_000, 120_000, 600_000, 3_600_000, 3_600_000, 3_600_000])
    }

    @Test func `where a portal is only drained the token is asked for a few times, not for ever`() {
        var attempts = PortalAttempts()
        let drained = Self.portal {
            $0.applicationTokens = nil
            $0.bindings?.isDrainedOnly = true
        }
        for _ in 0..<Self.pace.testIntervals.count {
            #expect(Self.due(drained, attempts)?.kind == .requestToken)
            attempts.tested(at: Self.now - Self.day, Self.pace)
        }
        #expect(Self.due(drained, attempts)?.kind == .reconcile)
    }

    @Test func `a refresh token is renewed when it is 90 days old, and not before`() {
        let portal = Self.portal {
            $0.authorization?.refreshedAt = Self.now - 90 * Self.day
            $0.bindings?.reconciledAt = Self.now
        }
        #expect(Self.due(portal)?.kind == .keepAlive && Self.due(portal)?.at == Self.now)
        var pace = Self.pace
        pace.reconcileEvery = 0
        let young = DueWork(Self.portal(), fingerprint: "f", .init(), pace)
        #expect(young?.kind == .keepAlive && young?.at == Self.now - 3_600_000 + 90 * Self.day)
    }

    @Test func `whoever cannot be called is left alone`() {
        for portal in [
            RegisteredPortal(memberID: "p1"), Self.portal { $0.installation?.state = .gone },
            Self.portal { $0.authorization?.needed = "expired" }, Self.portal { $0.authorization = nil },
            Self.portal { $0.authorization?.sealed = nil },
        ] {
            #expect(Self.due(portal) == nil)
        }
    }

    @Test func `an order comes first, also of a portal that cannot be called, and is carried out once`() {
        let order = RegisteredPortal.Order(id: "o", kind: .plan, at: Self.now)
        let gone = Self.portal {
            $0.installation?.state = .gone
            $0.order = order
        }
        #expect(Self.due(gone)?.kind == .order(order))
        var attempts = PortalAttempts()
        attempts.failed(at: Self.now, Self.pace)
        #expect(Self.due(gone, attempts)?.at == .min, "whatever else failed")
        attempts.orderFailed(at: Self.now, Self.pace)
        #expect(Self.due(gone, attempts)?.at == Self.now + 5000)
        let answered = Self.portal {
            $0.order = order
            $0.report = .init(orderID: "o", at: Self.now, json: "{}")
        }
        #expect(Self.due(answered)?.kind == .tidy && Self.due(answered)?.at == Self.now + 600_000)
    }

    @Test func `failures wait longer and longer, until the portal is installed or authorised anew`() {
        var attempts = PortalAttempts()
        let portal = Self.portal { $0.bindings = nil }
        attempts.notice(portal)
        var waits: [Int64] = []
        for _ in 0..<12 {
            attempts.failed(at: Self.now, Self.pace)
            waits.append(((Self.due(portal, attempts)?.at ?? 0) - Self.now) / 1000)
        }
        #expect(waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600])
        attempts.notice(portal)
        #expect(attempts.failures == 12)
        attempts.notice(Self.portal { $0.authorization?.sealed = SealedText(text: "1.k.BBBB") })
        #expect(attempts.failures == 0 && attempts.notBefore == 0)
    }

    @Test func `tokens that were renewed by whatever work are no reason to begin anew, given ones are`() {
        func portal(_ sealed: String, grantedAt: Int64) -> RegisteredPortal {
            Self.portal {
                $0.authorization?.sealed = SealedText(text: sealed)
                $0.authorization?.grantedAt = grantedAt
            }
        }
        var attempts = PortalAttempts()
        attempts.notice(portal("1.k.AAAA", grantedAt: 5))
        attempts.failed(at: Self.now, Self.pace)
        attempts.notice(portal("1.k.BBBB", grantedAt: 5))
        #expect(attempts.failures == 1)
        attempts.notice(portal("1.k.BBBB", grantedAt: 6))
        #expect(attempts.failures == 0)
    }
}
