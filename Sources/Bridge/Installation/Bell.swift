/// Wakes one task that waits. Rings that come while it is busy count as one.
struct Bell: Sendable {
    let rings: AsyncStream<Void>
    private let feed: AsyncStream<Void>.Continuation

    init() { (rings, feed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

    func ring() { feed.yield() }
}
