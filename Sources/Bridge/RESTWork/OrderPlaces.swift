internal import Locks
internal import Synchronization

/// Places for orders that keep the owner waiting, fewer than it works on at the same time: the others are for what is short.
/// Any thread.
final class OrderPlaces: Sendable {
    private let free: Guarded<Int>

    init(_ count: Int) { free = Guarded(count) }

    /// - Returns: whether there was one; then it is to be given back.
    func take() -> Bool {
        free.withLock { free in
            if free == 0 { return false }
            free -= 1
            return true
        }
    }

    func giveBack() { free.withLock { $0 += 1 } }
}
