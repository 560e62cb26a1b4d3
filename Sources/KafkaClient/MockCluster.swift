internal import CLibrdkafka
internal import Locks
internal import Synchronization

/// librdkafka's own Kafka cluster inside this process, listening on loopback, with faults to order.
///
/// It serves producers, consumers and groups. It creates topics on first use (4 partitions), keeps about 5 MiB of each
/// partition and forgets older records, checks neither sequence numbers nor rights, and does not answer CreateTopics.
package final class MockCluster: Sendable {
    /// Request kinds (https://kafka.apache.org/protocol#protocol_api_keys).
    package enum API: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case findCoordinator = 10
        case apiVersions = 18
        case initProducerID = 22
    }

    package let bootstrapServers: String

    private struct Handles: ~Copyable {
        var client: OpaquePointer
        var cluster: OpaquePointer
        var isClosed = false
        /// The ports of the brokers, in the order of their numbers, and those held while their broker is down.
        let ports: [UInt16]
        var held: [HeldPortBox?]
        var isUp: [Bool]
    }

    private final class HeldPortBox {
        let port: HeldPort
        init?(_ port: UInt16) {
            guard let held = HeldPort(port) else { return nil }
            self.port = held
        }
    }

    /// The lock keeps the cluster alive during a call. librdkafka does the work on the cluster's own thread, which
    /// never comes back here.
    private let handles: Guarded<Handles>

    /// Brokers are numbered from 1.
    package init(brokers: Int = 1) throws(KafkaError) {
        let settings = ClientSettings(redactor: SecretRedactor())
        settings.set("log_level", "0")
        let client: OpaquePointer
        do {
            client = try settings.makeClient(RD_KAFKA_PRODUCER, properties: [:])
        } catch {
            throw KafkaError(code: .failed, message: error.description)
        }
        guard let cluster = rd_kafka_mock_cluster_new(client, Int32(brokers)) else {
            rd_kafka_destroy(client)
            throw KafkaError(code: .failed, message: "no in-process cluster of \(brokers) brokers could be started")
        }
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
        let ports = bootstrapServers.split(separator: ",").map { server in
            server.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
        }
        handles = Guarded(
            Handles(
                client: client,
                cluster: cluster,
                ports: ports,
                held: ports.map { _ in nil },
                isUp: ports.map { _ in true }
            )
        )
    }

    deinit {
        handles.withLock { assert($0.isClosed, "a MockCluster must be closed before it is released") }
    }

    /// With no partitions it is one that nobody can use; see `setTopicError`.
    package func createTopic(_ name: String, partitions: Int = 1, replicationFactor: Int = 1) throws(KafkaError) {
        try check { rd_kafka_mock_topic_create($0, name, Int32(partitions), Int32(replicationFactor)) }
    }

    /// Takes a broker (all of them if `nil`) off the net or back. Leaders stay where they are. Those that are there, or away,
    /// already are left alone: librdkafka's broker stops answering when it is set up twice.
    package func setBroker(_ id: Int32? = nil, up: Bool) throws(KafkaError) {
        let code = handles.withLock { handles -> KafkaErrorCode in
            guard !handles.isClosed else { return .state }
            for index in handles.ports.indices where id == nil || Int(id ?? 0) == index + 1 {
                guard handles.isUp[index] != up else { continue }
                let broker = Int32(index + 1)
                let code =
                    up
                    ? rd_kafka_mock_broker_set_up(handles.cluster, broker)
                    : rd_kafka_mock_broker_set_down(handles.cluster, broker)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return KafkaErrorCode(code) }
                handles.isUp[index] = up
                // librdkafka aborts the process when the port of a broker that comes back was given to somebody else.
                handles.held[index] = up ? nil : HeldPortBox(handles.ports[index])
            }
            return .noError
        }
        if code != .noError { throw KafkaError(code: code) }
    }

    /// Delays every answer of a broker (of all if `nil`).
    package func setRoundTrip(_ delay: Duration, broker id: Int32? = nil) throws(KafkaError) {
        try check { rd_kafka_mock_broker_set_rtt($0, id ?? -1, delay.timeoutMilliseconds) }
    }

    /// The next requests of this kind fail, one code each, in order. `transport` closes the connection instead.
    package func pushRequestErrors(_ api: API, _ codes: [KafkaErrorCode]) {
        handles.withLock { handles in
            guard !handles.isClosed else { return }
            let errors = codes.map(\.native)
            rd_kafka_mock_push_request_errors_array(handles.cluster, api.rawValue, errors.count, errors)
        }
    }

    /// The same for the requests to one broker only. They are not cleared.
    package func pushRequestErrors(_ api: API, _ codes: [KafkaErrorCode], broker id: Int32) throws(KafkaError) {
        for code in codes {
            try check { kafka_shim_mock_broker_push_request_error($0, id, api.rawValue, code.native) }
        }
    }

    package func clearRequestErrors(_ api: API) {
        handles.withLock { handles in
            guard !handles.isClosed else { return }
            rd_kafka_mock_clear_request_errors(handles.cluster, api.rawValue)
        }
    }

    /// What metadata says of the topic, `noError` to heal it. The topic is created if it is not there.
    ///
    /// Brokers tell no partitions of a topic that they refuse. The mock does so for `unknownTopicOrPartition` only; with
    /// any other code the client takes the topic for existing and its records wait without end. To see the topic
    /// refused, create it with no partitions first; it cannot be healed then.
    package func setTopicError(_ name: String, _ code: KafkaErrorCode) {
        handles.withLock { handles in
            guard !handles.isClosed else { return }
            rd_kafka_mock_topic_set_error(handles.cluster, name, code.native)
        }
    }

    /// Moves a partition to a broker; `nil` leaves it without a leader.
    package func setPartitionLeader(topic: String, partition: Int32, broker: Int32?) throws(KafkaError) {
        try check { rd_kafka_mock_partition_set_leader($0, topic, partition, broker ?? -1) }
    }

    /// Ends the cluster; clients see their connections close. Takes up to a second, as librdkafka waits for a thread that
    /// looks once a second. Closing again does nothing.
    package func close() {
        handles.withLock { handles in
            guard !handles.isClosed else { return }
            handles.isClosed = true
            rd_kafka_mock_cluster_destroy(handles.cluster)
            rd_kafka_destroy(handles.client)
        }
    }

    private func check(_ call: (OpaquePointer) -> rd_kafka_resp_err_t) throws(KafkaError) {
        let code = handles.withLock { handles in
            handles.isClosed ? KafkaErrorCode.state : KafkaErrorCode(call(handles.cluster))
        }
        if code != .noError { throw KafkaError(code: code) }
    }
}
