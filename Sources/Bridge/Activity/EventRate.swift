/// Events in each of the last sixty seconds. Pure.
struct EventRate: Sendable, Equatable {
    /// The oldest first.
    private(set) var seconds: [Int] = []

    static let length = 60

    /// Some seconds have passed, in whose last so many events were heard of.
    mutating func passed(_ count: Int, seconds passed: Int = 1) {
        guard passed > 0 else {
            if !seconds.isEmpty { seconds[seconds.count - 1] += count }
            return
        }
        for _ in 1..<max(1, min(passed, Self.length)) { seconds.append(0) }
        seconds.append(count)
        if seconds.count > Self.length { seconds.removeFirst(seconds.count - Self.length) }
    }

    /// A second, in the mean.
    var mean: Double { seconds.isEmpty ? 0 : Double(seconds.reduce(0, +)) / Double(seconds.count) }
}
