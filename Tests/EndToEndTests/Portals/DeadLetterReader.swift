import Foundation
import KafkaClient
import Locks
import Synchronization

/// Reads why calls were not published, while they come.
final class DeadLetterReader: Sendable {
    private struct State {
        var reasons: [String] = []
        var isStopped = false
    }

    private let state = Guarded(State())

    init(_ topic: String, at servers: String) {
        let thread = Thread { [self] in try? read(topic, servers) }
        thread.start()
    }

    /// Reason and portal of each.
    var reasons: [String] { state.withLock { $0.reasons } }

    func stop() { state.withLock { $0.isStopped = true } }

    private func read(_ topic: String, _ servers: String) throws {
        let consumer = try KafkaConsumer(ConsumerConfiguration(bootstrapServers: servers, groupID: "e2e-\(UUID())"))
        defer { consumer.close() }
        // The in-process cluster creates the topic when it is asked for.
        while (try? consumer.assign(topics: [topic], timeout: .seconds(5))) == nil, !isStopped {
            Thread.sleep(forTimeInterval: 0.02)
        }
        while !isStopped {
            guard let record = try consumer.poll(upTo: .milliseconds(100)) else { continue }
            func header(_ name: String) -> String { String(decoding: record.header(name) ?? [], as: UTF8.self) }
            let reason = "\(header("b24_reason")) \(header("b24_portal"))"
            state.withLock { $0.reasons.append(reason) }
        }
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }
}
