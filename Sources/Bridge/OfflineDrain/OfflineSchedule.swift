internal import Bitrix24REST

/// Which portal is drained next, and why. It has no clock and does no I/O; times are milliseconds since 1970.
///
/// Among those that are due the longest due comes first. Who is heard of counts as due for `signalLead` already, and who is
/// ordered for `orderLead`: so they come before others, and no other waits for ever.
struct OfflineSchedule: Sendable {
    enum Trigger: String, Sendable, CaseIterable { case signal, timer, start, order, recovery }

    struct Turn: Sendable {
        let memberID: String
        let work: OfflineWork
        /// `nil`: it goes on with what began earlier.
        let trigger: Trigger?
        let occasion: WorkOccasion
    }

    private struct Entry: Sendable {
        var work: OfflineWork
        /// A portal is looked at as soon as it is known.
        var startAt: Int64?
        var signalledAt: Int64?
        var orderedAt: Int64?
        /// There is more.
        var moreAt: Int64?
        var lookAt: Int64?
        var failures = 0
        var notBefore = Int64.min
        /// Bitrix24 refuses, and until then it is not asked.
        var deniedUntil: Int64?
        /// Until the portal's rate has enough for a turn.
        var rateAt = Int64.min
        /// A new one makes earlier failures meaningless.
        var occasion: WorkOccasion
        /// Its queues are gone; forgotten after its turn.
        var isGone = false

        mutating func fail(_ now: Int64, _ pace: OfflinePace, _ retryAfter: Duration?) {
            failures += 1
            // What a lost answer has reserved is better looked for soon.
            let isLost = failures == 1 && work.recoverAt == .min
            let told = retryAfter.map { Int64(($0 / .milliseconds(1)).rounded(.up)) } ?? 0
            notBefore = now + max(told, isLost ? pace.retryOfLost : pace.retry(after: failures))
            moreAt = now
        }
    }

    let pace: OfflinePace
    private var agenda: Agenda<Entry>

    init(_ pace: OfflinePace) {
        self.pace = pace
        agenda = Agenda(width: pace.width)
    }

    var memberIDs: [String] { Array(agenda.memberIDs) }

    func knows(_ memberID: String) -> Bool { agenda[memberID] != nil }

    /// When it is looked at next at the latest.
    func nextAt(of memberID: String) -> Int64? {
        guard let entry = agenda[memberID] else { return nil }
        return due(entry)?.at
    }

    /// How many are due, and how many of others wait for their rate.
    func waiting(_ now: Int64) -> (due: Int, forRate: Int) {
        (agenda.waiting(now), agenda.memberIDs.count { (agenda[$0]?.rateAt ?? .min) > now })
    }

    // MARK: What happens

    /// A portal that has queues, as it is in the registry today.
    mutating func notice(_ portal: RegisteredPortal, _ now: Int64) {
        let memberID = portal.memberID
        let occasion = WorkOccasion(portal)
        var entry: Entry
        if let known = agenda[memberID] {
            entry = known
            // During its turn it is the drain's own client that renews tokens; what else is new counts when it ends.
            if known.occasion != occasion, !agenda.isBusy(memberID) { begin(&entry, occasion, now) }
        } else {
            entry = Entry(work: OfflineWork(pace), startAt: now, occasion: occasion)
            entry.deniedUntil = portal.standingDenial.map { nextTry(after: $0, now) }
        }
        entry.occasion = occasion
        entry.isGone = false
        put(entry, memberID)
    }

    /// Forgets what failed before `occasion`.
    private func begin(_ entry: inout Entry, _ occasion: WorkOccasion, _ now: Int64) {
        if entry.occasion.installedAt != occasion.installedAt {
            // What was reserved went with the installation.
            entry = Entry(work: OfflineWork(pace), startAt: now, orderedAt: entry.orderedAt, occasion: occasion)
        } else {
            (entry.failures, entry.notBefore) = (0, .min)
            if entry.deniedUntil != nil { (entry.deniedUntil, entry.startAt) = (nil, now) }
        }
    }

    /// Each day at the time at which it was refused first, whoever owns the work.
    private func nextTry(after denied: RegisteredPortal.Offline, _ now: Int64) -> Int64 {
        let age = max(0, now - denied.deniedSince)
        return now + pace.deniedRetry - age % max(pace.deniedRetry, 1)
    }

    mutating func forget(_ memberID: String) {
        guard agenda.isBusy(memberID), var entry = agenda[memberID] else { return agenda.forget(memberID) }
        entry.isGone = true
        put(entry, memberID)
    }

    /// Somebody said that there is something. What is known already counts from its first time.
    mutating func signalled(_ memberID: String, _ now: Int64) {
        change(memberID) { $0.signalledAt = $0.signalledAt ?? now }
    }

    mutating func ordered(_ memberID: String, _ now: Int64) {
        change(memberID) { $0.orderedAt = $0.orderedAt ?? now }
    }

    private mutating func change(_ memberID: String, _ body: (inout Entry) -> Void) {
        guard var entry = agenda[memberID] else { return }
        body(&entry)
        put(entry, memberID)
    }

    private mutating func put(_ entry: Entry, _ memberID: String) {
        agenda[memberID] = entry
        agenda.schedule(memberID, at: entry.isGone ? nil : due(entry)?.at)
    }

    private func due(_ entry: Entry) -> (at: Int64, trigger: Trigger?)? {
        if let orderedAt = entry.orderedAt { return (max(orderedAt - pace.orderLead, entry.rateAt), .order) }
        if let deniedUntil = entry.deniedUntil { return (max(deniedUntil, entry.notBefore, entry.rateAt), .timer) }
        var causes: [(at: Int64, trigger: Trigger?)] = []
        if let at = entry.signalledAt { causes.append((at - pace.signalLead, .signal)) }
        if let at = entry.startAt { causes.append((at, .start)) }
        if let at = entry.moreAt { causes.append((at, nil)) }
        if let at = entry.lookAt { causes.append((at, .timer)) }
        // A time in the past that means at once does not put a portal before those that have waited.
        if let at = entry.work.nextAt, at > .min { causes.append((at, nil)) }
        if entry.work.recoverAt > .min { causes.append((entry.work.recoverAt, .recovery)) }
        guard let first = causes.min(by: { $0.at < $1.at }) else { return nil }
        return (max(first.at, entry.notBefore, entry.rateAt), first.trigger)
    }

    // MARK: Turns

    /// Whose turn it is, if anybody's: he is busy from now on. Who has too little left of his rate is put off.
    mutating func next(_ now: Int64, budget: (String) -> CallBudget) -> Turn? {
        while let memberID = agenda.takeNext(now) {
            guard var entry = agenda[memberID] else {
                agenda.finished(memberID)
                continue
            }
            let left = budget(memberID)
            let wait = pace.wait(for: (left.calls, left.wait))
            guard wait == 0 else {
                entry.rateAt = now + wait
                agenda.finished(memberID)
                put(entry, memberID)
                continue
            }
            let trigger = due(entry)?.trigger
            // What is said during the turn makes another follow.
            (entry.signalledAt, entry.orderedAt, entry.startAt, entry.moreAt) = (nil, nil, nil, nil)
            (entry.lookAt, entry.rateAt) = (nil, .min)
            agenda[memberID] = entry
            return Turn(memberID: memberID, work: entry.work, trigger: trigger, occasion: entry.occasion)
        }
        return nil
    }

    /// - Parameter portal: As it is in the registry now. `nil`: it has no queues.
    mutating func finished(
        _ turn: Turn,
        _ work: OfflineWork,
        _ ending: OfflineEnding,
        _ portal: RegisteredPortal?,
        _ now: Int64
    ) {
        let memberID = turn.memberID
        agenda.finished(memberID)
        guard var entry = agenda[memberID], !entry.isGone, let portal else { return agenda.forget(memberID) }
        entry.work = work
        let occasion = WorkOccasion(portal)
        if turn.occasion.isOutdated(by: occasion) || turn.occasion.isOutdated(by: entry.occasion) {
            // Whatever the turn came to, it was with what is not in force any more.
            entry.occasion = turn.occasion
            begin(&entry, occasion, now)
            (entry.deniedUntil, entry.startAt, entry.occasion) = (nil, now, occasion)
            return put(entry, memberID)
        }
        entry.lookAt = pace.nextLook(of: memberID, after: now)
        // Tokens that were renewed on the way are no reason to begin anew.
        entry.occasion = occasion
        switch ending {
        case .empty, .full: (entry.failures, entry.notBefore, entry.deniedUntil) = (0, .min, nil)
        case .more:
            (entry.failures, entry.notBefore, entry.deniedUntil) = (0, .min, nil)
            entry.moreAt = now
        case .failed(_, _, isDenied: true, _): entry.deniedUntil = now + pace.deniedRetry
        case .failed(_, _, _, let retryAfter): entry.fail(now, pace, retryAfter)
        case .unsent: entry.fail(now, pace, nil)
        case .cancelled: break
        }
        // What Kafka has is to be told to the portal as soon as its turn comes.
        if entry.work.nextAt == .min || entry.work.recoverAt == .min { entry.moreAt = entry.moreAt ?? now }
        put(entry, memberID)
    }

    /// In a row.
    func failures(at memberID: String) -> Int { agenda[memberID]?.failures ?? 0 }
}
