/// Which methods of which portals have used up their operating time. Pure; times are of any steady clock.
///
/// Source: b24restdocs, limits.md: the time of each method of an application is summed over ten minutes, and beyond a bound the
/// method is refused until `operating_reset_at`.
struct OperatingLimits: Sendable {
    struct Key: Sendable, Hashable {
        let portal: String
        let method: String
    }

    enum Turn: Equatable {
        case go
        case wait(Duration)
    }

    private struct Block {
        var until: Duration
        /// After `until` one call tries. The others wait for what becomes of it, though not for ever.
        var probeUntil: Duration?
    }

    /// Where Bitrix24 names no time. Its sums are of ten minutes, counted by the minute.
    static let unknownReset = Duration.seconds(60)
    /// No reset is farther away, whatever an answer says.
    static let longestReset = Duration.seconds(900)
    static let probe = Duration.seconds(120)

    /// What the last good answers said.
    private var resets: [Key: Duration] = [:]
    private var blocks: [Key: Block] = [:]
    private var sweepAt = 256

    var count: Int { resets.count + blocks.count }

    /// `go` after a block is for one call, which then tells what became of it.
    mutating func turn(of key: Key, at now: Duration) -> Turn {
        guard var block = blocks[key] else { return .go }
        if now < block.until { return .wait(block.until - now) }
        if let end = block.probeUntil, now < end { return .wait(min(.seconds(1), end - now)) }
        block.probeUntil = now + Self.probe
        blocks[key] = block
        return .go
    }

    /// The method got no answer: the next call may try.
    mutating func unanswered(_ key: Key) { blocks[key]?.probeUntil = nil }

    /// The method was answered, however; `reset` as the answer says, from now.
    mutating func passed(_ key: Key, reset: Duration?, at now: Duration) {
        blocks[key] = nil
        guard let reset, reset > .zero else { return }
        if resets.count >= sweepAt {
            resets = resets.filter { $0.value > now }
            sweepAt = max(256, resets.count * 2)
        }
        resets[key] = now + min(reset, Self.longestReset)
    }

    /// OPERATION_TIME_LIMIT; `reset` as the answer says, from now.
    mutating func exceeded(_ key: Key, reset: Duration?, at now: Duration) {
        let known = resets[key].flatMap { $0 > now ? $0 : nil }
        let until = reset.map { now + min(max($0, .seconds(1)), Self.longestReset) } ?? known ?? now + Self.unknownReset
        if blocks.count >= 256 { blocks = blocks.filter { $0.value.until + Self.longestReset > now } }
        blocks[key] = Block(until: until, probeUntil: nil)
    }
}
