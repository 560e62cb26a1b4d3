internal import DequeModule
internal import Journal

/// How full a journal is for new records, and how fast it fills.
struct JournalFill: Sendable {
    /// Bytes that cannot be given up when room is needed.
    var heldBytes = 0
    /// What they may come to before new records are refused.
    var limitBytes = 1
    /// Net growth, in bytes a second. Not above 0: Kafka keeps up.
    var growth: Double = 0

    /// 0 is empty, 1 is full.
    var ratio: Double { Double(heldBytes) / Double(max(limitBytes, 1)) }

    /// `nil`: not growing, or so slowly that it would take years.
    var secondsUntilFull: Double? {
        guard growth > 0 else { return nil }
        let seconds = Double(max(0, limitBytes - heldBytes)) / growth
        return seconds < Self.longest ? seconds : nil
    }

    private static let longest = 10 * 365 * 86_400.0
}

/// The net growth of a number over the last minute. Pure.
struct FillTrend {
    static let window: Duration = .seconds(60)
    private var samples: Deque<(time: ContinuousClock.Instant, bytes: Int)> = []

    mutating func add(_ bytes: Int, at time: ContinuousClock.Instant) {
        samples.append((time: time, bytes: bytes))
        // One sample at the window's far edge or beyond it stays, so that the minute is a whole one.
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// In bytes a second; 0 before there are two samples.
    var growth: Double {
        guard let first = samples.first, let last = samples.last, last.time > first.time else { return 0 }
        return Double(last.bytes - first.bytes) / ((last.time - first.time) / .seconds(1))
    }
}

/// Which of the levels a fill has passed. Pure.
///
/// Each is told once on the way up, and armed again when the fill has fallen ten points below it: a fill that swings around
/// a level says nothing new.
struct FillAlarm {
    /// In percent.
    static let levels = [50, 80, 95]
    static let hysteresis = 10

    static func isHigh(_ ratio: Double) -> Bool { ratio * 100 >= Double(levels[0]) }

    enum Change: Equatable {
        /// Of several levels passed at once, the highest.
        case passed(Int)
        /// The lowest level that no longer counts.
        case fellBelow(Int)
    }

    /// The level that counts, 0 for none.
    private(set) var level = 0

    mutating func observe(_ ratio: Double) -> Change? {
        let percent = ratio * 100
        let passed = Self.levels.last { percent >= Double($0) } ?? 0
        if passed > level {
            level = passed
            return .passed(level)
        }
        let kept = Self.levels.last { $0 <= level && percent >= Double($0 - Self.hysteresis) } ?? 0
        guard kept < level else { return nil }
        let left = Self.levels.first { $0 > kept } ?? level
        level = kept
        return .fellBelow(left)
    }
}
