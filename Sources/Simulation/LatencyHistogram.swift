/// Counts of durations in buckets that are 1/64 of their value wide, so that percentiles are right to 1.6 %.
struct LatencyHistogram: Sendable {
    private static let stepBits = 6
    /// Bucket n below 64 is n microseconds; above, each power of two has 64 buckets.
    private var buckets = [UInt64](repeating: 0, count: 40 << stepBits)
    private(set) var count: UInt64 = 0
    private(set) var max: Duration = .zero

    mutating func add(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Swift.max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
        buckets[Swift.min(Self.bucket(UInt64(microseconds)), buckets.count - 1)] += 1
        count += 1
        max = Swift.max(max, duration)
    }

    /// The longest duration of the shortest `share` of all; never more than `max`. `nil` when there are none.
    func percentile(_ share: Double) -> Duration? {
        guard count > 0 else { return nil }
        let rank = Swift.min(count, Swift.max(1, UInt64((Double(count) * share).rounded(.up))))
        var seen: UInt64 = 0
        for (index, number) in buckets.enumerated() {
            seen += number
            if seen >= rank { return Swift.min(max, .microseconds(Int64(Self.upperBound(index)))) }
        }
        return max
    }

    private static func bucket(_ value: UInt64) -> Int {
        guard value >= 1 << stepBits else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - stepBits
        return (shift + 1) << stepBits + Int(value >> UInt64(shift)) - 1 << stepBits
    }

    private static func upperBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 1 << stepBits else { return UInt64(bucket) }
        let shift = UInt64(bucket >> stepBits - 1)
        return (UInt64(bucket & (1 << stepBits - 1)) + 1 << UInt64(stepBits) + 1) << shift - 1
    }
}
