import Locks
import Synchronization

/// A progress bar over records delivered, for several threads.
final class DeliveryBar: Sendable {
    private let bar: Guarded<ProgressBar>
    private let total: Int

    init(_ total: Int) {
        self.total = total
        bar = Guarded(ProgressBar("delivering", total: total))
    }

    func update(_ delivered: Int, _ unreachable: String?) {
        let words = unreachable == nil ? "\(max(0, total - delivered)) left" : "Kafka cannot be reached"
        bar.withLock { $0.update(delivered, words) }
    }

    func finish() { bar.withLock { $0.finish() } }
}
