/// What one portal did, as far as this replica heard of it. Pure; all times are milliseconds, since 1970 where they are moments.
///
/// A pause is the time from one event to the next. Time in which the bridge was down is taken out of it: nobody can tell what
/// happened then, and it must neither pass for the portal's silence nor become what is usual there.
struct PortalActivity: Sendable, Equatable {
    /// Since the start of this replica.
    private(set) var events = 0
    private(set) var lastAt: Int64
    /// The first event that is remembered.
    private(set) var watchedSince: Int64
    /// Time since the last event in which the bridge was down.
    private(set) var absence: Int64 = 0
    private(set) var pauses = DailyPauses()

    /// Before so much is known of a portal, a weekend would pass for an outage.
    static let apprenticeship: Int64 = 7 * 86_400_000
    /// A shorter silence is never told.
    static let shortestSilence: Int64 = 3_600_000

    init(firstAt: Int64) {
        lastAt = firstAt
        watchedSince = firstAt
    }

    init(lastAt: Int64, watchedSince: Int64, absence: Int64, pauses: DailyPauses) {
        self.lastAt = lastAt
        self.watchedSince = min(watchedSince, lastAt)
        self.absence = max(0, absence)
        self.pauses = pauses
    }

    /// - Parameter at: Of the last of them. One that is older than what was heard already, as one that had to wait for its token
    ///   is, counts all the same.
    mutating func heard(_ count: Int, at: Int64) {
        events += count
        guard at > lastAt else { return }
        pauses.add(at - lastAt - absence, at: at)
        lastAt = at
        absence = 0
    }

    /// The wall clock has jumped by so much: all moments move along, so that the jump becomes no pause and no silence.
    ///
    /// - Parameter now: By the clock as it goes now. Nothing lies in the future, or the portal would be silent for no time until
    ///   then.
    func moved(by jump: Int64, notBeyond now: Int64) -> PortalActivity {
        var moved = self
        moved.lastAt = max(0, min(lastAt + jump, now))
        moved.watchedSince = max(0, min(watchedSince + jump, moved.lastAt))
        moved.pauses.keepUp(to: moved.lastAt)
        return moved
    }

    /// The bridge was down for so long.
    mutating func missed(_ length: Int64) { absence += max(0, length) }

    /// The longest pause of the fourteen days up to the last event. `nil`: it was not watched for a week yet.
    ///
    /// Days after the last event say nothing of what is usual, so a portal that stays silent stays so. The week is one from event
    /// to event: a few calls that another replica would have got make no habit.
    var longestPause: Int64? {
        lastAt - watchedSince >= Self.apprenticeship ? pauses.longest : nil
    }

    func silence(at now: Int64) -> Int64 { max(0, now - lastAt - absence) }

    /// Nothing was heard for longer than is usual: for an hour, and half as long again as the longest pause.
    func isSilent(at now: Int64) -> Bool {
        guard let longestPause else { return false }
        return silence(at: now) > max(Self.shortestSilence, longestPause / 2 * 3)
    }
}

/// The longest pause of each of fourteen days, by the day on which it ended (UTC), in whole seconds.
struct DailyPauses: Sendable, Equatable {
    static let days = 14

    /// By the day's number modulo fourteen; two are not used. A vector, as it lies in the portal itself: a portal costs no memory
    /// beside.
    private var seconds = SIMD16<UInt32>()
    /// Days since 1970 of the newest one.
    private(set) var newest: Int64 = 0

    init() {}

    /// - Parameter seconds: Of the newest day first; more than fourteen are left out.
    init(newest: Int64, seconds: [UInt32]) {
        self.newest = max(Int64(Self.days), min(newest, 1 << 32))
        for (age, value) in seconds.prefix(Self.days).enumerated() {
            self.seconds[place(self.newest - Int64(age))] = value
        }
    }

    /// Of the newest day first, without those at the end that have none.
    var newestFirst: [UInt32] {
        guard newest > 0 else { return [] }
        var values = (0..<Int64(Self.days)).map { seconds[place(newest - $0)] }
        while values.last == 0 { values.removeLast() }
        return values
    }

    /// Milliseconds.
    var longest: Int64 { Int64(seconds.max()) * 1000 }

    mutating func add(_ pause: Int64, at moment: Int64) {
        let day = max(Int64(Self.days), moment / 86_400_000)
        if day > newest {
            if day - newest >= Int64(Self.days) {
                seconds = SIMD16()
            } else {
                for passed in (newest + 1)...day { seconds[place(passed)] = 0 }
            }
            newest = day
        }
        let place = place(newest)
        seconds[place] = max(seconds[place], UInt32(clamping: pause / 1000))
    }

    /// Days beyond that of `moment`, which a clock that was ahead has left, become those up to it.
    mutating func keepUp(to moment: Int64) {
        let day = max(Int64(Self.days), moment / 86_400_000)
        if newest > day { self = DailyPauses(newest: day, seconds: newestFirst) }
    }

    private func place(_ day: Int64) -> Int { Int(day % Int64(Self.days)) }
}
