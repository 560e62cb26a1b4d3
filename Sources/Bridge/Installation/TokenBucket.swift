/// Lets `perSecond` through on average, and `burst` at once after a rest.
struct TokenBucket {
    let perSecond: Int
    let burst: Int
    private var tokens: Double
    private var lastLook: ContinuousClock.Instant

    /// - Parameter burst: `nil`: as much as a second brings.
    init(perSecond: Int, burst: Int? = nil, at now: ContinuousClock.Instant = .now) {
        self.perSecond = perSecond
        self.burst = burst ?? perSecond
        tokens = Double(self.burst)
        lastLook = now
    }

    mutating func take(at now: ContinuousClock.Instant = .now) -> Bool {
        let elapsed = max(.zero, now - lastLook)
        tokens = min(Double(burst), tokens + elapsed / .seconds(1) * Double(perSecond))
        lastLook = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
