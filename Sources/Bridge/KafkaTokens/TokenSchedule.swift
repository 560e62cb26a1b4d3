/// When to ask for the next token.
struct TokenSchedule: Sendable {
    private var failures = 0

    /// What is left of a token's life is for servers that are away: at least a fifth of it. Replicas spread over a tenth.
    /// - Parameter random: from 0 to 1.
    mutating func pause(afterTokenFor lifetime: Duration, random: Double) -> Duration {
        failures = 0
        return max(lifetime * (0.7 + 0.1 * random), .seconds(1))
    }

    /// From a second or two, twice as long each time, up to a minute.
    mutating func pauseAfterFailure(random: Double) -> Duration {
        failures = min(failures + 1, 7)
        return min(.seconds(1 << (failures - 1)), .seconds(48)) * (1 + 0.25 * random)
    }
}
