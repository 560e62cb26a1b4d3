import Foundation
import Locks
import Synchronization
import Testing

@testable import KafkaClient

@Suite struct WakeTests {
    /// How long a poll of ten seconds takes, woken by another thread once it has begun.
    @Test func `a poll that waits returns within milliseconds of a wake`() throws {
        let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1", properties: ["log_level": "0"]))
        settle(sender)
        let handle = sender.producer.wakeHandle
        var best = Duration.seconds(100)
        for _ in 0..<5 {
            let woken = Guarded<ContinuousClock.Instant?>(nil)
            let thread = Thread {
                usleep(30_000)
                woken.withLock { $0 = .now }
                handle.wake()
            }
            thread.start()
            let deadline = ContinuousClock.now + .seconds(5)
            // Connection errors end a poll too; go on until the wake.
            while woken.withLock({ $0 }) == nil, ContinuousClock.now < deadline { _ = sender.poll(.seconds(10)) }
            let returned = ContinuousClock.now
            let at = try #require(woken.withLock { $0 }, "the poll did not return")
            best = min(best, returned - at)
        }
        #expect(best < .milliseconds(20))
    }

    @Test func `a wake before the poll is not lost`() throws {
        let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1", properties: ["log_level": "0"]))
        settle(sender)
        for _ in 0..<50 {
            sender.producer.wakeHandle.wake()
            sender.producer.wakeHandle.wake()
            let began = ContinuousClock.now
            _ = sender.poll(.seconds(5))
            #expect(ContinuousClock.now - began < .seconds(2))
        }
    }

    /// Work is handed over, then a wake: the poller must see the work after a poll that it entered without work.
    @Test func `no wake is lost between two threads`() throws {
        let cluster = try MockCluster()
        defer { cluster.close() }
        let sender = try Sender(cluster, ["log_level": "0"])
        let handle = sender.producer.wakeHandle
        let work = Atomic<Int>(0)
        let rounds = 20_000
        let done = Atomic<Int>(0)
        let thread = Thread {
            for round in 1...rounds {
                work.store(round, ordering: .releasing)
                handle.wake()
                // Wait for the poller now and then, so that it sleeps in between.
                while round % 8 == 0, done.load(ordering: .acquiring) < round, work.load(ordering: .relaxed) >= 0 {}
            }
        }
        thread.start()
        var longest = Duration.zero
        while done.load(ordering: .relaxed) < rounds {
            let began = ContinuousClock.now
            _ = sender.producer.poll(upTo: .seconds(3), maxReports: 10) { _ in }
            longest = max(longest, ContinuousClock.now - began)
            done.store(work.load(ordering: .acquiring), ordering: .releasing)
            guard longest < .seconds(2) else { break }
        }
        work.store(-1, ordering: .releasing)
        #expect(longest < .seconds(2), "a poll slept through a wake")
    }

    @Test func `a wake after closing does nothing`() throws {
        let handle: ProducerWakeHandle
        do {
            let sender = try Sender(ProducerConfiguration(bootstrapServers: "127.0.0.1:1"))
            handle = sender.producer.wakeHandle
            sender.producer.close()
        }
        handle.wake()
        handle.wake()
    }

    /// Polls until the first connection has failed, so that its events do not end later polls.
    private func settle(_ sender: Sender) {
        sender.wait(for: "the first connection error") { sender in
            sender.events.contains { if case .brokersUnreachable = $0 { true } else { false } }
        }
        while sender.poll(.zero) > 0 {}
    }
}
