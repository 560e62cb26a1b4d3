internal import KafkaClient

/// A topic that refuses its records, as one lane sees it. Pure.
struct TopicFault {
    enum Route {
        /// Its records stay where they are; one of them is tried now and then.
        case held
        /// Its records are moved to the parked journal, until none of them is left there.
        case parked
    }

    enum Step: Equatable {
        case wait
        /// Send this one alone.
        case probe(UInt64)
        /// Nothing else is wrong with the topic: only this record goes to the parked ones.
        case parkAlone(UInt64)
        /// All records from this one on go to the parked ones.
        case parkTopic(from: UInt64)
    }

    var route: Route
    /// Since when its records are refused; begins anew when the reason changes from a record's to the topic's.
    private(set) var since: ContinuousClock.Instant
    private(set) var error: KafkaError?
    /// Lowest position that is held for this topic.
    private(set) var firstHeld: UInt64?
    var nextTry: ContinuousClock.Instant
    private(set) var backoff: Duration = .seconds(1)
    /// The position that is being tried.
    private(set) var probing: UInt64?
    /// The highest position that was refused for a reason of a record. librdkafka refuses a whole batch for one bad record,
    /// so up to here each one is tried alone before the others follow.
    private(set) var suspectsThrough: UInt64?
    /// The record that was refused for a reason of its own though it was sent alone.
    private(set) var guilty: UInt64?

    init(route: Route, now: ContinuousClock.Instant, since: ContinuousClock.Instant? = nil, error: KafkaError? = nil) {
        self.route = route
        self.since = since ?? now
        self.error = error
        nextTry = now + .seconds(1)
    }

    /// What to do now. `parksTopics` is false where the records are parked already.
    func step(now: ContinuousClock.Instant, parkAfter: Duration, parksTopics: Bool) -> Step {
        guard route == .held, probing == nil, let first = firstHeld else { return .wait }
        if now - since >= parkAfter {
            if guilty == first { return .parkAlone(first) }
            if parksTopics, error?.disposition != .record { return .parkTopic(from: first) }
        }
        return now >= nextTry ? .probe(first) : .wait
    }

    /// When `step` will say something new, if time alone can bring it.
    func wakeAt(now: ContinuousClock.Instant, parkAfter: Duration) -> ContinuousClock.Instant? {
        guard route == .held, probing == nil, firstHeld != nil else { return nil }
        let parkAt = since + parkAfter
        return parkAt > now ? min(parkAt, nextTry) : nextTry
    }

    mutating func hold(_ position: UInt64) { firstHeld = min(firstHeld ?? position, position) }

    /// The held record is not where it was.
    mutating func lostTrack() { firstHeld = nil }

    mutating func began(_ position: UInt64) { probing = position }

    mutating func abandonTry() { probing = nil }

    mutating func refused(_ position: UInt64, _ new: KafkaError, now: ContinuousClock.Instant) {
        if new.disposition == .record {
            suspectsThrough = max(suspectsThrough ?? 0, position)
        } else if error?.disposition == .record {
            since = now
        }
        error = new
        guard probing == position else { return }
        probing = nil
        guilty = new.disposition == .record ? position : nil
        backoff = min(backoff * 2, .seconds(15))
        nextTry = now + backoff
    }

    /// The record is taken back, as no answer came.
    mutating func stalled(_ new: KafkaError, at position: UInt64) {
        hold(position)
        error = new
        probing = nil
        guilty = nil
    }

    /// The record before this one got through or was parked alone; this suspect is tried at once.
    mutating func tryNext(_ position: UInt64, now: ContinuousClock.Instant) {
        probing = nil
        guilty = nil
        firstHeld = position
        nextTry = now
        backoff = .seconds(1)
    }
}
