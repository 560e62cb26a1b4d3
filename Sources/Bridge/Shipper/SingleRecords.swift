internal import DequeModule

/// Parked records that cannot be sent for a reason of their own: too large, or refused by the brokers though sent alone.
///
/// They hold up nothing: each is tried alone, one after the other, in rounds far apart. Pure.
struct SingleRecords {
    /// Positions kept for trying. Further ones stay parked and are found again at the next start.
    static let mostTried = 10_000

    /// Time between the end of a round and the next one.
    let interval: Duration
    private(set) var trying: UInt64?
    private var queue: Deque<UInt64> = []
    private var leftInRound = 0
    /// Records of an earlier run that the reader has not come by yet. The first round waits for the first of them.
    private var expected = 0
    /// Came after the last round began.
    private var untried = 0
    private var nextRound: ContinuousClock.Instant

    /// The first round comes soon: what was refused in an earlier run may be taken now.
    init(interval: Duration, now: ContinuousClock.Instant) {
        self.interval = interval
        nextRound = now + min(interval, .seconds(1))
    }

    /// Of an earlier run; `add` will follow.
    mutating func expect() { expected += 1 }

    /// Wanted is a record that could be sent: one over the limit cannot, as long as the limit stands.
    mutating func add(_ position: UInt64) {
        expected = max(0, expected - 1)
        guard queue.count < Self.mostTried else { return }
        queue.append(position)
        untried += 1
    }

    /// The next one to be tried now.
    mutating func next(now: ContinuousClock.Instant) -> UInt64? {
        guard trying == nil, now >= nextRound else { return nil }
        if expected > 0, queue.isEmpty { return nil }
        if leftInRound == 0 {
            leftInRound = queue.count
            untried = 0
        }
        guard leftInRound > 0, let position = queue.popFirst() else {
            nextRound = now + interval
            return nil
        }
        leftInRound -= 1
        trying = position
        return position
    }

    /// The record that was being tried is settled. One that is still held is tried again in the next round.
    mutating func tried(again: Bool, now: ContinuousClock.Instant) {
        if again, let trying, queue.count < Self.mostTried { queue.append(trying) }
        trying = nil
        if leftInRound == 0 { nextRound = now + interval }
    }

    /// The producer is a new one. The reader comes by again and adds what was under way.
    mutating func forgetTry() { trying = nil }

    /// None of them waits for its first trial.
    var isEachTried: Bool { trying == nil && leftInRound == 0 && untried == 0 }

    /// When there is something to do. `nil`: there is nothing to try, or an answer is awaited.
    var wakeAt: ContinuousClock.Instant? { trying == nil && !queue.isEmpty ? nextRound : nil }
}
