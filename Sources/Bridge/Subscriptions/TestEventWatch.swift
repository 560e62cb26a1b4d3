internal import Bitrix24
internal import Foundation
internal import KafkaClient
internal import NIOPosix

/// Waits for a test event in the topic where events of its portal arrive.
package final class TestEventWatch: Sendable {
    package let topic: String
    private let nonce: [UInt8]
    private let configuration: ConsumerConfiguration
    private let pool = NIOThreadPool(numberOfThreads: 1)

    /// - Parameter domain: Of the portal's record, for topics that are named after it.
    package init(_ settings: BridgeSettings, portal memberID: String, domain: String?, nonce: String) {
        topic = settings.kafka.topic.name(of: "ONAPPTEST", portal: memberID, domain: domain)
        self.nonce = Array(nonce.utf8)
        // Partitions are assigned by hand and nothing is committed; librdkafka wants a name all the same.
        configuration = settings.consumerConfiguration("test", groupID: "b24bridge-test-\(nonce)")
    }

    /// Settles where reading begins, runs `body`, and waits for the record.
    ///
    /// - Parameter body: Has the event sent. What it returns that is not `nil` ends it all.
    /// - Returns: `nil` when the record came.
    /// - Throws: `KafkaError` when the topic cannot be read, `Late` when the record did not come within `limit`.
    package func find<Obstacle: Sendable>(
        within limit: Duration,
        after body: () async -> Obstacle?
    ) async throws -> Obstacle? {
        pool.start()
        do {
            let tail = try await pool.runIfActive { [self] in Reading(try makeTail()) }
            let obstacle = await body()
            let isFound = try await pool.runIfActive { [self] in
                defer { tail.tail.close() }
                return obstacle == nil && read(tail.tail, until: .now + limit)
            }
            try await pool.shutdownGracefully()
            if obstacle == nil, !isFound { throw Late() }
            return obstacle
        } catch {
            try? await pool.shutdownGracefully()
            throw error
        }
    }

    package struct Late: Error {}

    /// A tail belongs to one thread, and `pool` has one.
    private struct Reading: @unchecked Sendable {
        let tail: TopicTail

        init(_ tail: TopicTail) { self.tail = tail }
    }

    private func makeTail() throws(KafkaError) -> TopicTail {
        try TopicTail(configuration, topics: [topic], timeout: .seconds(10))
    }

    private func read(_ tail: TopicTail, until deadline: ContinuousClock.Instant) -> Bool {
        while .now < deadline {
            // The nonce is nowhere else, so that the record's form is of no importance.
            if let value = tail.poll(upTo: .milliseconds(100))?.value, value.firstRange(of: nonce) != nil {
                return true
            }
        }
        return false
    }
}
