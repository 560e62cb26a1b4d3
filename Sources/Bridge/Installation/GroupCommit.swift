internal import Locks
internal import NIOPosix
internal import Synchronization

/// Gathers what is submitted while the last batch is being written, and hands it over as the next one, in order, on a thread
/// that may block. So all who wait at the same time share one sync.
final class GroupCommit<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var isUnderWay = false
    }

    private let state = Guarded(State())
    private let threads: NIOThreadPool

    init(on threads: NIOThreadPool) { self.threads = threads }

    /// Never blocks.
    ///
    /// - Parameter commit: Writes a batch, in which other items may be. With `isClosed` the threads are gone and nothing can be
    ///   written any more.
    func submit(_ item: Item, commit: @escaping @Sendable (_ items: [Item], _ isClosed: Bool) -> Void) {
        let mustStart = state.withLock { state in
            state.items.append(item)
            defer { state.isUnderWay = true }
            return !state.isUnderWay
        }
        if mustStart { threads.submit { [self] in work(isClosed: $0 == .cancelled, commit) } }
    }

    private func work(isClosed: Bool, _ commit: (_ items: [Item], _ isClosed: Bool) -> Void) {
        while true {
            let items = state.withLock { state in
                defer { state.items = [] }
                if state.items.isEmpty { state.isUnderWay = false }
                return state.items
            }
            guard !items.isEmpty else { return }
            commit(items, isClosed)
        }
    }
}
