internal import Glibc
internal import Synchronization

/// Raised once; whoever waits comes back then.
final class RegistryStop: Sendable {
    private let flag = Atomic<Bool>(false)

    var isRaised: Bool { flag.load(ordering: .relaxed) }

    func raise() { flag.store(true, ordering: .relaxed) }

    /// Blocks its thread.
    func wait(_ limit: Duration) {
        let deadline = ContinuousClock.now + limit
        while !isRaised, .now < deadline { usleep(20_000) }
    }
}
