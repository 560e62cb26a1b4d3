import Foundation
import KafkaClient
import Testing

@testable import Bridge

/// What becomes of records when a broker refuses them once: whatever the code, they arrive, and what follows is in order.
@Suite struct ProduceFaultTests {
    enum Outcome: Equatable {
        /// librdkafka sends the batch again by itself; the bridge does not see it.
        case retriedByLibrdkafka
        /// The topic's records are held, one is tried after a second, the others follow. Other topics go on.
        case heldAndTried
        /// As before, but each record of the batch is tried alone, as one of them may be at fault.
        case eachTriedAlone
        /// Nothing is sent for a second: the cause is the cluster's.
        case allWaitASecond
        /// A new producer goes on from the checkpoint.
        case newProducer
    }

    /// The table: every error code of the Kafka protocol (https://kafka.apache.org/protocol#protocol_error_codes) in a
    /// Produce response. Codes that are not here are of requests that a producer does not make; they end in `heldAndTried`.
    static let table: [(outcome: Outcome, codes: [Int32])] = [
        (.retriedByLibrdkafka, [3, 5, 6, 7, 8, 9, 14, 15, 16, 19, 20, 46, 56, 59]),
        (.heldAndTried, [-1, 13, 17, 21, 29, 30, 40, 41, 43, 44, 47, 49, 76, 89]),
        (.eachTriedAlone, [2, 4, 10, 18, 32, 87]),
        (.allWaitASecond, [31, 33, 34, 35, 53, 54, 58, 90, 93]),
        (.newProducer, [45]),
    ]

    static let others: [Int32] =
        [1, 11, 12] + Array(22...28) + [36, 37, 38, 39, 42, 48, 50, 51, 52, 55, 57]
        + Array(60...75) + Array(77...86) + [88, 91, 92] + Array(94...100)

    /// One code of each kind always; all of them in the long form.
    @Test(arguments: table.indices) func `a refusal delays and loses nothing`(row: Int) async throws {
        let (outcome, codes) = Self.table[row]
        let isFull = ProcessInfo.processInfo.environment["B24_FAULTS"] == "full"
        let extra = outcome == .heldAndTried ? Self.others : []
        try await check(outcome, isFull ? codes + extra : Array(codes.prefix(2)))
    }

    private func check(_ outcome: Outcome, _ codes: [Int32]) async throws {
        try await Kafka.withCluster { cluster in
            let prefix = "refusal"
            try await blocking { try cluster.createTopic("\(prefix).crm.deal") }
            try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: prefix) { bridge in
                var sent = 0
                for code in codes.map({ KafkaErrorCode(rawValue: $0) }) {
                    let failures = bridge.metric("delivery_failures_total")
                    let rebuilds = bridge.metric("producer_rebuilds_total")
                    let lines = bridge.logs.lines.count
                    cluster.pushRequestErrors(.produce, [code])
                    // One, so that nothing is under way behind it: that is another promise.
                    try await bridge.take(DeliveryTests.numbered(sent + 1...sent + 1))
                    try await wait(for: "the answer to \(code); \(bridge.logs.lines.suffix(3))") {
                        bridge.metric("delivery_failures_total") > failures
                            || bridge.metric("records_delivered_total") == sent + 1
                    }
                    try await bridge.take(DeliveryTests.numbered(sent + 2...sent + 5))
                    sent += 5
                    try await wait(for: "delivery after \(code); \(bridge.logs.lines.suffix(3))") {
                        bridge.metric("records_delivered_total") == sent
                    }
                    let isSeen = bridge.metric("delivery_failures_total") > failures
                    let isHeld = bridge.logs.lines.dropFirst(lines).contains {
                        $0.contains("a topic refuses its records")
                    }
                    let isRebuilt = bridge.metric("producer_rebuilds_total") > rebuilds
                    switch outcome {
                    case .retriedByLibrdkafka: #expect(!isSeen && !isHeld && !isRebuilt, "\(code)")
                    case .heldAndTried, .eachTriedAlone: #expect(isSeen && isHeld && !isRebuilt, "\(code)")
                    case .allWaitASecond: #expect(isSeen && !isHeld && !isRebuilt, "\(code)")
                    case .newProducer: #expect(isSeen && isRebuilt, "\(code)")
                    }
                    #expect((outcome == .eachTriedAlone) == (code.classification == .record), "\(code)")
                }
                try await bridge.waitForDelivery(of: sent, to: "crm.deal")
                #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...sent))
                #expect(bridge.metric("records_moved_to_parked_total") == 0)
                try await bridge.expectSums()
            }
        }
    }

    @Test func `a topic that fails for long with a passing error is parked while others arrive`() async throws {
        let cluster = try MockCluster(brokers: 2)
        defer { cluster.close() }
        for (topic, broker) in [("passing.crm.deal", 1), ("passing.crm.lead", 2)] as [(String, Int32)] {
            try await blocking {
                try cluster.createTopic(topic)
                try cluster.setPartitionLeader(topic: topic, partition: 0, broker: broker)
            }
        }
        // The broker of one topic fails for a while. The errors end by themselves, after the topic was parked.
        try cluster.pushRequestErrors(.produce, Array(repeating: .unknownServerError, count: 4), broker: 1)
        let adjust: (inout BridgeSettings) -> Void = { $0.kafka.parkAfter = .milliseconds(500) }
        try await RunningBridge.with(servers: cluster.bootstrapServers, prefix: "passing", adjust: adjust) { bridge in
            try await bridge.take(DeliveryTests.numbered(1...1))
            try await wait(for: "the topic to be held") { bridge.logs.contains("a topic refuses its records") }
            try await bridge.take(DeliveryTests.numbered(2...5))
            var leads = 0
            try await wait(for: "the topic to be parked; \(bridge.logs.lines.suffix(4))") {
                leads += 1
                try await bridge.take(DeliveryTests.numbered(leads...leads, "ONCRMLEADADD"))
                return bridge.logs.contains("they are parked until it takes them")
            }
            try await bridge.waitForDelivery(of: leads, to: "crm.lead")
            try await bridge.waitForDelivery(of: 5, to: "crm.deal")
            #expect(DeliveryTests.numbers(bridge.delivered(to: "crm.deal")) == Array(1...5))
            try await bridge.expectSums()
        }
    }
}
