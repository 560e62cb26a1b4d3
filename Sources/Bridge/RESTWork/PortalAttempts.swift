/// What the owner remembers of its attempts at a portal. Nobody needs it after the owner's end: the next begins anew.
struct PortalAttempts: Sendable, Equatable {
    /// Of work that failed and is tried again.
    private(set) var failures = 0
    private(set) var notBefore: Int64 = 0
    /// `event.test` that were sent while the token is awaited.
    private(set) var tests = 0
    private(set) var nextTestAt: Int64 = 0
    /// Renewing too often may get the application blocked, whatever the clocks and the registry say.
    private(set) var nextRenewalAt: Int64 = 0
    /// Of an order that could be neither carried out nor answered. It waits for nothing else.
    private(set) var nextOrderAt = Int64.min
    private var occasion: WorkOccasion?

    /// Begins anew if the portal was installed or authorised since.
    mutating func notice(_ portal: RegisteredPortal) {
        let occasion = WorkOccasion(portal)
        if let known = self.occasion, known != occasion {
            let nextRenewalAt = nextRenewalAt
            self = PortalAttempts()
            self.nextRenewalAt = nextRenewalAt
        }
        self.occasion = occasion
    }

    /// Follows what the owner's own work has changed: tokens that it renewed on the way are no reason to begin anew, or what is
    /// refused for good would be tried again as soon as the access token has expired, which is each hour.
    mutating func worked(at portal: RegisteredPortal) {
        guard let known = occasion, known.installedAt == portal.installation?.installedAt else { return }
        occasion = WorkOccasion(portal)
    }

    mutating func failed(at now: Int64, _ pace: WorkPace) {
        failures += 1
        notBefore = now + pace.retry(after: failures)
    }

    mutating func orderFailed(at now: Int64, _ pace: WorkPace) { nextOrderAt = now + pace.firstRetry }

    mutating func orderPutOff(at now: Int64, _ pace: WorkPace) { nextOrderAt = now + pace.placeRetry }

    mutating func succeeded() {
        failures = 0
        notBefore = 0
    }

    mutating func tested(at now: Int64, _ pace: WorkPace) {
        tests += 1
        nextTestAt = now + pace.nextTest(after: tests)
    }

    mutating func renewed(at now: Int64) { nextRenewalAt = now + 7 * 86_400_000 }
}

/// What makes earlier failures at a portal meaningless when it is another: an installation, or tokens that somebody gave. Those
/// that were only renewed are the same.
struct WorkOccasion: Sendable, Equatable {
    let installedAt: Int64?
    private let grantedAt: Int64?
    /// Of tokens whose giving was not written down: by what they are.
    private let sealed: SealedText?

    init(_ portal: RegisteredPortal) {
        installedAt = portal.installation?.installedAt
        grantedAt = portal.authorization?.grantedAt
        sealed = grantedAt == nil ? portal.authorization?.sealed : nil
    }

    /// What began before `other` is of no use any more, whatever tokens were renewed meanwhile. Where their giving is not
    /// written down, other tokens may be renewed ones and tell nothing.
    func isOutdated(by other: WorkOccasion) -> Bool {
        installedAt != other.installedAt || other.grantedAt != nil && grantedAt != other.grantedAt
    }
}
