import Synchronization

/// Hands out the numbers of events and the moments at which they are to be sent.
///
/// At a rate, event n is due n/rate after the start and belongs to lane n modulo lanes: a lane that is late keeps what it
/// owes, and answer times count from when an event was due. Without a rate a lane takes the next number when it is free.
/// In both cases a lane's numbers rise.
final class NumberSource: Sendable {
    private let rate: Double?
    private let count: Int?
    private let duration: Duration?
    private let lanes: Int
    private let nextFree = Atomic<Int>(0)

    /// - Precondition: `rate`, `count` and `lanes` are above zero.
    init(rate: Double?, count: Int?, duration: Duration?, lanes: Int) {
        self.rate = rate
        self.count = count
        self.duration = duration
        self.lanes = lanes
    }

    /// - Parameters:
    ///   - turn: how many numbers the lane had before.
    ///   - elapsed: since the start.
    /// - Returns: the event and, at a rate, when it is due after the start. `nil`: the lane is done.
    func next(lane: Int, turn: Int, elapsed: Duration) -> (number: Int, due: Duration?)? {
        if let duration, elapsed >= duration { return nil }
        guard let rate else {
            let number = nextFree.wrappingAdd(1, ordering: .relaxed).oldValue
            if let count, number >= count { return nil }
            return (number, nil)
        }
        let number = turn * lanes + lane
        if let count, number >= count { return nil }
        let due = Duration.seconds(Double(number) / rate)
        if let duration, due >= duration { return nil }
        return (number, due)
    }

    /// How many events were due by then.
    func due(by elapsed: Duration) -> Int? {
        guard let rate else { return nil }
        let (seconds, attoseconds) = min(elapsed, duration ?? elapsed).components
        let due = Int((Double(seconds) + Double(attoseconds) * 1e-18) * rate)
        return min(due, count ?? due)
    }
}
