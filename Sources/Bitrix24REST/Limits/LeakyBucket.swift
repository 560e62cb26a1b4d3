/// One portal's rate: each call fills the bucket by one, and it drains at a steady rate. Places are given out in order and
/// for good, so that who asks first goes first. Times are of any steady clock.
struct LeakyBucket: Sendable {
    /// A right to call.
    struct Place: Sendable {
        fileprivate let time: Duration
        fileprivate let delay: Duration
    }

    private let interval: Duration
    private let capacity: Duration
    /// When the bucket is empty, were there no more calls.
    private var emptyAt: Duration
    /// By how much pauses have put off all places, ever.
    private var delay = Duration.zero
    private var pausedUntil: Duration

    init(perSecond: Double, burst: Int, now: Duration) {
        interval = .seconds(1) / perSecond
        capacity = interval * burst
        emptyAt = now
        // A pause leaves a full bucket, and this one is empty.
        pausedUntil = now - capacity
    }

    /// An idle bucket is as good as a new one.
    func isIdle(at now: Duration) -> Bool { emptyAt <= now }

    /// What `reserve` would give now.
    func budget(at now: Duration) -> CallBudget {
        let room = now + capacity - max(emptyAt, now)
        return CallBudget(
            calls: Int(max(0, room.attoseconds / interval.attoseconds)),
            wait: max(.zero, interval - room)
        )
    }

    mutating func reserve(at now: Duration) -> Place {
        let filled = max(emptyAt, now) + interval
        emptyAt = filled
        return Place(time: max(now, filled - capacity), delay: delay)
    }

    /// Zero or less: it is this place's turn.
    func wait(for place: Place, at now: Duration) -> Duration { place.time + (delay - place.delay) - now }

    /// Nobody will use the place.
    mutating func giveBack(_ place: Place, at now: Duration) {
        if wait(for: place, at: now) > .zero { emptyAt = max(emptyAt - interval, pausedUntil + capacity) }
    }

    /// The portal says that its bucket is full: nobody goes before `end`, then all at the steady rate.
    mutating func pause(until end: Duration, at now: Duration) {
        let added = max(.zero, end - max(now, pausedUntil))
        delay += added
        pausedUntil = max(pausedUntil, end)
        emptyAt = max(emptyAt + added, pausedUntil + capacity)
    }
}
