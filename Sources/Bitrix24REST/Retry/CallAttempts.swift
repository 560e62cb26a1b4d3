/// What to do after each failure of one call, without doing it.
struct CallAttempts {
    enum Action: Equatable {
        case fail
        /// New tokens, then again.
        case refresh
        /// The portal's address from its authorization server, then again.
        case relocate
        /// All calls of the portal wait so long, then again.
        case slowDown(Duration)
        /// The method waits until its operating time is counted anew, then again.
        case pauseMethod
        case again(after: Duration)
    }

    private let policy: RetryPolicy
    private var throttled = 0
    private var failures = 0
    private var isRefreshed = false
    private var isRelocated = false
    private var isPaused = false

    init(_ policy: RetryPolicy) { self.policy = policy }

    /// - Parameter random: from 0 to below 1.
    mutating func action(after error: RESTError, random: Double) -> Action {
        switch error.remedy {
        case .none: return .fail
        case .refresh:
            defer { isRefreshed = true }
            return isRefreshed ? .fail : .refresh
        case .relocate:
            defer { isRelocated = true }
            return isRelocated ? .fail : .relocate
        case .pauseMethod:
            defer { isPaused = true }
            return isPaused ? .fail : .pauseMethod
        case .slowDown:
            guard throttled < policy.throttledAttempts else { return .fail }
            defer { throttled += 1 }
            return .slowDown(policy.throttled.delay(throttled, random: random))
        case .again:
            guard failures < policy.passingAttempts else { return .fail }
            defer { failures += 1 }
            return .again(after: policy.passing.delay(failures, random: random))
        }
    }
}
