internal import KafkaClient

/// A topic that refuses its records, as one lane sees it.
struct TopicFault {
    enum Route {
        /// Its records stay where they are; one of them is tried now and then.
        case held
        /// Its records are moved to the parked journal, until none of them is left there.
        case parked
    }

    var route: Route
    /// When the record that is now the first of the held ones was first refused.
    private(set) var since: ContinuousClock.Instant
    var error: KafkaError?
    /// Lowest position that is held for this topic.
    var firstHeld: UInt64?
    var nextTry: ContinuousClock.Instant
    var backoff: Duration = .seconds(1)
    /// The position that is being tried.
    var probing: UInt64?
    /// The highest position that was refused for a reason of a record. librdkafka refuses a whole batch for one bad record,
    /// so up to here each one is tried alone before the others follow.
    var suspectsThrough: UInt64?

    init(route: Route, now: ContinuousClock.Instant, error: KafkaError?) {
        self.route = route
        since = now
        self.error = error
        nextTry = now + .seconds(1)
    }

    mutating func hold(_ position: UInt64) { firstHeld = min(firstHeld ?? position, position) }

    /// The tried record got through; the next suspect is tried at once.
    mutating func tryNext(_ position: UInt64, now: ContinuousClock.Instant) {
        probing = nil
        firstHeld = position
        since = now
        nextTry = now
        backoff = .seconds(1)
    }

    mutating func tryFailed(now: ContinuousClock.Instant, longestBackoff: Duration) {
        probing = nil
        backoff = min(backoff * 2, longestBackoff)
        nextTry = now + backoff
    }
}
