/// What a portal's rate allows now.
package struct CallBudget: Sendable, Equatable {
    /// Calls that could be made at once.
    package let calls: Int
    /// Until the next one could be made; zero unless `calls` is 0.
    package let wait: Duration
}

extension RESTClient {
    /// What is left of the portal's rate, as the calls made here have used it. Whoever has something else to do can put the
    /// portal off until there is enough, in place of a call that waits.
    package func budget(of memberID: String) -> CallBudget { limiter.budget(of: memberID) }
}
