internal import Bitrix24
internal import CoreMetrics
internal import Synchronization

/// A counter whose value and last time the status tells as well. Counting costs relaxed atomics and a look at the clock.
final class ReasonCounter: Sendable {
    private let counter: Counter
    private let total = Atomic<Int>(0)
    private let last = Atomic<Int64>(0)

    init(_ counter: Counter) { self.counter = counter }

    func increment(by amount: Int = 1) {
        guard amount > 0 else { return }
        counter.increment(by: Int64(amount))
        last.store(WallClock.now().milliseconds, ordering: .relaxed)
        total.wrappingAdd(amount, ordering: .relaxed)
    }

    /// Since the start.
    var count: Int { total.load(ordering: .relaxed) }

    /// Milliseconds since 1970.
    var lastAt: Int64 { last.load(ordering: .relaxed) }
}
