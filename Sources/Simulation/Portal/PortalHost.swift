internal import AsyncHTTPClient
internal import Locks
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// The world of portals, shared by the connections and by whoever plays with it.
final class PortalHost: Sendable {
    /// Events that are posted at the same time.
    private static let mostPosts = 64

    private let world: Guarded<PortalWorld>
    private let observe: (@Sendable (StandInNote) -> Void)?
    private let deliveryTimeout: Duration
    /// How long a long poll is held.
    let pollTimeout: Duration
    private let client = Guarded<HTTPClient?>(nil)
    private let posts: AsyncStream<PortalWorld.Post>
    private let newPosts: AsyncStream<PortalWorld.Post>.Continuation
    /// When the clock strikes next, in seconds of the monotonic clock.
    private let nextStrike = Guarded<Double?>(nil)

    init(_ settings: StandInSettings) {
        world = Guarded(PortalWorld(settings))
        observe = settings.observe
        deliveryTimeout = settings.deliveryTimeout
        pollTimeout = settings.pollTimeout
        (posts, newPosts) = AsyncStream.makeStream()
    }

    func look<Result: Sendable>(_ body: (PortalWorld) -> Result) -> Result {
        // A copy, so that nobody waits for who looks.
        body(world.withLock { $0 })
    }

    /// Changes the world. What is to be posted because of it is on its way when this returns.
    func change<Result: Sendable>(_ body: (inout PortalWorld) -> Result) -> Result {
        let (result, posts) = changeKeepingPosts(body)
        for post in posts { newPosts.yield(post) }
        return result
    }

    /// The same, and waits until what is to be posted was answered.
    func changeAndPost(_ body: (inout PortalWorld) -> Void) async -> [Delivery] {
        let (_, posts) = changeKeepingPosts(body)
        return await withTaskGroup(of: Delivery.self) { group in
            for post in posts { group.addTask { await self.deliver(post) } }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.number < $1.number }
        }
    }

    private func changeKeepingPosts<Result: Sendable>(
        _ body: (inout PortalWorld) -> Result
    ) -> (Result, [PortalWorld.Post]) {
        let (result, posts, calls, due, polls) = world.withLock { world in
            let result = body(&world)
            defer {
                world.outbox = []
                world.pollAnswers = []
            }
            return (result, world.outbox, world.takeNewCalls(), world.nextDue, world.pollAnswers)
        }
        if let due { setClock(to: due) }
        for (poll, answer) in polls { poll.answer(answer) }
        if let observe { for call in calls { observe(.call(call)) } }
        return (result, posts)
    }

    // MARK: What is due later

    /// No long poll is held from now on.
    func endPolls() {
        change { world in
            world.isClosing = true
            for index in world.pushes.keys { world.dropPolls(of: index) }
        }
    }

    private func setClock(to due: Double) {
        let isEarlier = nextStrike.withLock { next in
            if let next, next <= due { return false }
            next = due
            return true
        }
        guard isEarlier else { return }
        let delay = max(0, due - PortalWorld.steadyNow)
        MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .nanoseconds(Int64(delay * 1e9) + 1)) {
            [weak self] in
            self?.strike(due)
        }
    }

    private func strike(_ due: Double) {
        nextStrike.withLock { next in if next == due { next = nil } }
        change { $0.strike() }
    }

    // MARK: Events on their way

    /// Posts what comes, until `endPosting`. To be called once.
    func postEvents() async {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(deliveryTimeout), read: TimeAmount(deliveryTimeout))
        )
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.mostPosts
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.client.withLock { $0 = client }
        await withTaskGroup(of: Void.self) { group in
            var underWay = 0
            for await post in posts {
                // What waits for a connection would be given up as unanswered.
                if underWay == Self.mostPosts {
                    await group.next()
                    underWay -= 1
                }
                underWay += 1
                group.addTask { _ = await self.deliver(post) }
            }
        }
        self.client.withLock { $0 = nil }
        try? await client.shutdown()
    }

    func endPosting() { newPosts.finish() }

    private func deliver(_ post: PortalWorld.Post) async -> Delivery {
        var status: Int?
        var failure: String?
        do {
            guard let client = client.withLock({ $0 }) else { throw SimulationError("the stand-in does not run") }
            var request = HTTPClientRequest(url: post.handler)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.headers.add(name: "User-Agent", value: EventSender.userAgent)
            request.body = .bytes(ByteBuffer(bytes: post.body))
            let response = try await client.execute(request, timeout: TimeAmount(deliveryTimeout))
            status = Int(response.status.code)
            await EventSender.drain(response)
        } catch {
            failure = EventSender.words(error)
        }
        let delivery = Delivery(
            number: post.number,
            portal: post.portal,
            event: post.event,
            handler: ShownAddress.text(post.handler),
            status: status,
            failure: failure
        )
        world.withLock { $0.note(delivery) }
        observe?(.delivery(delivery))
        return delivery
    }
}
