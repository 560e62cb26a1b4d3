internal import Bitrix24

/// From the last event before a time in which none came to the first one after it.
struct ReceptionGap: Sendable, Equatable {
    let from: Timestamp
    let until: Timestamp

    var seconds: Double { Double(until.milliseconds - from.milliseconds) / 1000 }
}

/// Tells pauses in which this replica was down or could not be reached from those that are usual. Pure.
///
/// A gap lasts five minutes at least, and ten times as long as the pause in which a moment of the last quarter of an hour lay
/// on average: where an event comes now and then, a pause of some minutes says nothing. After a start nothing is usual yet.
/// The first events after a quiet night are found as well; nobody can tell the one from the other, and to look costs little.
struct ReceptionRhythm: Sendable {
    /// Milliseconds.
    static let shortest: Int64 = 300_000
    static let times = 10.0
    private static let memory = 900_000.0

    private var last: Timestamp?
    private var isOfThisRun = false
    private var usual = 0.0

    /// - Parameter last: When an earlier run received its last event, as far as that is known.
    init(after last: Timestamp?) { self.last = last }

    /// An event came.
    mutating func received(at now: Timestamp) -> ReceptionGap? {
        defer {
            last = now
            isOfThisRun = true
        }
        guard let last, now > last else { return nil }
        let pause = now.milliseconds - last.milliseconds
        let isGap = pause >= Self.shortest && Double(pause) >= usual * Self.times
        // How long the bridge was down says nothing of how often events come.
        if isOfThisRun {
            let length = Double(pause)
            usual += (length - usual) * length / (length + Self.memory)
        }
        return isGap ? ReceptionGap(from: last, until: now) : nil
    }
}
