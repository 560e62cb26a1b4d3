import Locks
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization

@testable import Ingress

/// A listener on a port of its own, with an owner that answers after a while.
struct RunningListener: Sendable {
    let listener: HTTPListener
    let port: Int
    let group: MultiThreadedEventLoopGroup
    let owner: Owner
    let shutdown: @Sendable () -> Void
    let log: LogLines

    /// What the handlers of all loops share.
    final class Owner: Sendable {
        let handled = Atomic<Int>(0)
        let shutdownsBegun = Atomic<Int>(0)
        let reasons = Guarded<[Refusal.Reason]>([])
        let delay: TimeAmount

        init(delay: TimeAmount) { self.delay = delay }
    }

    private final class Handler: RequestHandler {
        let owner: Owner
        let eventLoop: any EventLoop

        init(owner: Owner, eventLoop: any EventLoop) {
            self.owner = owner
            self.eventLoop = eventLoop
        }

        func decide(_ head: borrowing RequestHead) -> HeadDecision { .receiveBody }

        func handle(_ request: borrowing Request, _ responder: Responder) {
            owner.handled.add(1, ordering: .relaxed)
            let response = Response(status: 200, contentType: "text/plain", body: request.body)
            guard owner.delay > .zero else {
                responder.respond(response)
                return
            }
            eventLoop.assumeIsolated().scheduleTask(in: owner.delay) { _ = responder.respond(response) }
        }

        func refused(_ refusal: Refusal) {
            owner.reasons.withLock { $0.append(refusal.reason) }
        }
    }

    /// Starts, runs the body, shuts down (if the body did not) and waits for the end of `run()`.
    static func with(
        delay: TimeAmount = .milliseconds(2),
        threads: Int = 2,
        _ change: (inout ListenerConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (RunningListener) async throws -> Void
    ) async throws {
        var configuration = ListenerConfiguration(name: "test", host: "127.0.0.1", port: 0)
        change(&configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let owner = Owner(delay: delay)
        let log = LogLines()
        let listener = HTTPListener(
            configuration: configuration,
            eventLoopGroup: group,
            logger: log.logger,
            makeHandler: { Handler(owner: owner, eventLoop: $0) },
            onShutdownBegan: { owner.shutdownsBegun.add(1, ordering: .relaxed) }
        )
        try await testGracefulShutdown { trigger in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                let service: any Service = listener
                tasks.addTask { try await service.run() }
                tasks.addTask {
                    let address = try await listener.boundAddress
                    let running = RunningListener(
                        listener: listener,
                        port: address.port ?? 0,
                        group: group,
                        owner: owner,
                        shutdown: { trigger.triggerGracefulShutdown() },
                        log: log
                    )
                    try await body(running)
                    trigger.triggerGracefulShutdown()
                }
                try await tasks.waitForAll()
            }
        }
        try await group.shutdownGracefully()
    }

    /// Waits until a condition holds, five seconds at most.
    func wait(until condition: @escaping @Sendable (RunningListener) -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(5)
        while !condition(self) {
            guard ContinuousClock.now < end else { throw ConditionNotMet() }
            try await ContinuousClock().sleep(for: .milliseconds(2))
        }
    }

    struct ConditionNotMet: Error {}
}
