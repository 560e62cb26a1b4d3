import Foundation
import KafkaClient
import Locks
import Synchronization

/// Reads a topic from its beginning while records come: the in-process cluster keeps about 5 MiB of a partition.
final class TopicReader<Gathered: Sendable>: Sendable {
    private struct State {
        var gathered: Gathered
        var failure: String?
        var isStopped = false
    }

    private let state: Guarded<State>

    /// - Parameter take: Called for each record, on a thread of the reader.
    init(
        _ topic: String,
        at servers: String,
        into gathered: Gathered,
        _ take: @escaping @Sendable (inout Gathered, ConsumedRecord) -> Void
    ) {
        state = Guarded(State(gathered: gathered))
        let thread = Thread { [self] in
            do {
                try read(topic, servers, take)
            } catch {
                state.withLock { $0.failure = "\(error)" }
            }
        }
        thread.start()
    }

    /// Why reading ended, if it did without being stopped.
    var failure: String? { state.withLock { $0.failure } }

    func look<Value: Sendable>(_ body: (Gathered) -> Value) -> Value { state.withLock { body($0.gathered) } }

    func stop() { state.withLock { $0.isStopped = true } }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func read(
        _ topic: String,
        _ servers: String,
        _ take: (inout Gathered, ConsumedRecord) -> Void
    ) throws {
        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: servers, groupID: "e2e-\(UUID())"))
        defer { consumer.close() }
        // The in-process cluster creates the topic when it is asked for, with 4 partitions.
        let deadline = ContinuousClock.now + .seconds(20)
        while !isStopped {
            do {
                try consumer.assign(topics: [topic], timeout: .seconds(5))
                break
            } catch {
                guard ContinuousClock.now < deadline else { throw error }
                Thread.sleep(forTimeInterval: 0.02)
            }
        }
        while !isStopped {
            guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
            state.withLock { take(&$0.gathered, record) }
        }
    }
}
