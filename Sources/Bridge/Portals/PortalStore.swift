package import Bitrix24
internal import Locks
internal import Synchronization

/// The portals of this moment. Any thread may read and replace them.
///
/// A reader keeps its own copy and compares `version`, one relaxed load, to see whether there is a newer one.
package final class PortalStore: Sendable {
    private let current: Guarded<PortalDirectory>
    private let counter = Atomic<Int>(1)

    package init(_ directory: PortalDirectory) { current = Guarded(directory) }

    /// Grows with each replacement. Never 0.
    package var version: Int { counter.load(ordering: .acquiring) }

    package var directory: PortalDirectory { current.withLock { $0 } }

    package func replace(with directory: PortalDirectory) {
        current.withLock { $0 = directory }
        counter.add(1, ordering: .releasing)
    }
}
