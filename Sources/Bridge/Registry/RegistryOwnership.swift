internal import KafkaClient
internal import Logging
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// Sees to it that one replica at a time does the REST work: the member of a consumer group that was given the registry's
/// partition. It runs `work` while it is, and cancels it when it is not any more: because another has taken over, or because
/// Kafka has not been heard of for the session's 6 seconds. For some milliseconds there may be two.
///
/// `work` begins when the registry has been read to its end, and is not begun again when it returns by itself.
package struct RegistryOwnership: Service, CustomStringConvertible {
    private let parts: RegistryParts
    private let work: @Sendable () async -> Void
    private let flags = Flags()

    private final class Flags: Sendable {
        let mayLeave = Atomic<Bool>(false)
    }

    package var description: String { "RegistryOwnership" }

    init(_ parts: RegistryParts, work: @escaping @Sendable () async -> Void) {
        self.parts = parts
        self.work = work
    }

    package func run() async throws {
        let thread = NIOThreadPool(numberOfThreads: 1)
        thread.start()
        let (turns, feed) = AsyncStream.makeStream(of: Bool.self)
        let stop = RegistryStop()
        let result: Result<Void, any Error>
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    async let membership: Void = thread.runIfActive { try attend(feed, stop) }
                    for await isOwner in turns where isOwner { await doWork(until: turns) }
                    flags.mayLeave.store(true, ordering: .relaxed)
                    try await membership
                } onGracefulShutdown: {
                    stop.raise()
                }
            } onCancel: {
                stop.raise()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await thread.shutdownGracefully()
        try result.get()
    }

    private func doWork(until turns: AsyncStream<Bool>) async {
        parts.logger.notice("this replica does the REST work from now on", metadata: ["topic": "\(parts.topic.name)"])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await work() }
            for await isOwner in turns where !isOwner { break }
            group.cancelAll()
        }
        parts.logger.notice("this replica does the REST work no more", metadata: ["topic": "\(parts.topic.name)"])
    }

    /// Once: without the group nobody does the REST work, and nothing else would tell.
    private func say(_ error: KafkaError, _ saidFault: inout String) {
        let words = "\(error)"
        guard words != saidFault else { return }
        saidFault = words
        parts.logger.error(
            "this replica cannot take part in agreeing on who does the REST work",
            metadata: [
                "group": "\(parts.topic.ownerGroup().groupID)", "error": "\(words)",
                "mend": "give this client the right Read on the group and on the topic \(parts.topic.name)",
            ]
        )
    }

    /// Is a member of the group until `stop` is raised, and tells each turn. Blocks.
    private func attend(_ feed: AsyncStream<Bool>.Continuation, _ stop: RegistryStop) throws {
        defer { feed.finish() }
        // Who cannot read the registry is no member, so that one who can has the work.
        while !parts.registry.isRead {
            guard !stop.isRaised else { return }
            stop.wait(.milliseconds(100))
        }
        let consumer = try KafkaConsumer(parts.topic.ownerGroup())
        defer { consumer.close() }
        try consumer.subscribe(to: [parts.topic.name])
        var isOwner = false
        func turn(_ now: Bool) {
            guard now != isOwner else { return }
            isOwner = now
            parts.inbox.isOwner = now
            feed.yield(now)
        }
        var saidFault = ""
        while !stop.isRaised {
            do throws(KafkaError) {
                // What it reads is of no importance; while it polls, it is a member.
                _ = try consumer.poll(upTo: .milliseconds(200))
                if consumer.passedOver == .groupAuthorizationFailed {
                    say(KafkaError(code: .groupAuthorizationFailed), &saidFault)
                }
            } catch {
                say(error, &saidFault)
                stop.wait(.milliseconds(100))
            }
            turn(
                parts.registry.isRead
                    && consumer.assignment.contains { $0.topic == parts.topic.name && $0.partition == 0 }
            )
        }
        turn(false)
        feed.finish()
        // Nobody takes over before the work has ended, if it ends soon.
        let deadline = ContinuousClock.now + .seconds(5)
        while !flags.mayLeave.load(ordering: .relaxed), .now < deadline {
            _ = try? consumer.poll(upTo: .milliseconds(20))
        }
    }
}
