/// What is to be told to the other replicas, and when: of each portal one word a second at most, and not the next before the
/// last was sent. What comes meanwhile goes together, later. Pure.
struct WordRelay {
    typealias Instant = ContinuousClock.Instant

    static let interval: Duration = .seconds(1)
    /// Within an interval, over all portals, so that the topic stays small whatever they send.
    static let most = 100

    private var waiting: [String: (word: OfflineWord, since: Instant)] = [:]
    /// In the last interval.
    private var sentAt: [String: Instant] = [:]
    private var inFlight: Set<String> = []

    mutating func add(_ word: OfflineWord, at now: Instant) {
        waiting[word.key] = (word, waiting[word.key]?.since ?? now)
    }

    /// What is to be sent now, which is in flight from then on.
    mutating func take(at now: Instant) -> [OfflineWord] {
        sentAt = sentAt.filter { now - $0.value < Self.interval }
        let due = waiting.filter { sentAt[$0.key] == nil && !inFlight.contains($0.key) }
            .sorted { ($0.value.since, $0.key) < ($1.value.since, $1.key) }
            .prefix(max(0, Self.most - sentAt.count))
        for (key, _) in due {
            waiting[key] = nil
            sentAt[key] = now
            inFlight.insert(key)
        }
        return due.map(\.value.word)
    }

    /// It was sent, or could not be and is given up.
    mutating func settled(_ word: OfflineWord) { inFlight.remove(word.key) }

    /// Nothing that was sent will be heard of any more.
    mutating func lost() { inFlight = [] }

    /// When to `take` next. `nil`: nothing waits but for what is in flight.
    var next: Instant? {
        let times = waiting.lazy.filter { !inFlight.contains($0.key) }.map { key, value in
            sentAt[key].map { $0 + Self.interval } ?? value.since
        }
        guard let first = times.min() else { return nil }
        guard sentAt.count >= Self.most, let oldest = sentAt.values.min() else { return first }
        return max(first, oldest + Self.interval)
    }
}
