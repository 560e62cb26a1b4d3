internal import CLibrdkafka

/// An error code of the Kafka protocol (positive, https://kafka.apache.org/protocol#protocol_error_codes) or of
/// librdkafka itself (negative, `rd_kafka_resp_err_t` in rdkafka.h). Codes without a name here are valid values too.
package struct KafkaErrorCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    init(_ code: rd_kafka_resp_err_t) { self.init(rawValue: code.rawValue) }

    var native: rd_kafka_resp_err_t { rd_kafka_resp_err_t(rawValue) }

    /// The short name, such as `MSG_SIZE_TOO_LARGE`; those of librdkafka itself begin with an underscore. A metric label.
    package var name: String { String(cString: rd_kafka_err2name(native)) }

    /// One sentence for people.
    package var explanation: String { String(cString: rd_kafka_err2str(native)) }

    package var description: String { name }
}

/// librdkafka's own.
extension KafkaErrorCode {
    package static let noError = KafkaErrorCode(RD_KAFKA_RESP_ERR_NO_ERROR)
    package static let badMessage = KafkaErrorCode(RD_KAFKA_RESP_ERR__BAD_MSG)
    package static let badCompression = KafkaErrorCode(RD_KAFKA_RESP_ERR__BAD_COMPRESSION)
    package static let destroyed = KafkaErrorCode(RD_KAFKA_RESP_ERR__DESTROY)
    package static let failed = KafkaErrorCode(RD_KAFKA_RESP_ERR__FAIL)
    package static let transport = KafkaErrorCode(RD_KAFKA_RESP_ERR__TRANSPORT)
    package static let resolve = KafkaErrorCode(RD_KAFKA_RESP_ERR__RESOLVE)
    package static let messageTimedOut = KafkaErrorCode(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
    package static let partitionEnd = KafkaErrorCode(RD_KAFKA_RESP_ERR__PARTITION_EOF)
    package static let unknownPartitionLocally = KafkaErrorCode(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION)
    package static let unknownTopicLocally = KafkaErrorCode(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
    package static let allBrokersDown = KafkaErrorCode(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    package static let invalidArgument = KafkaErrorCode(RD_KAFKA_RESP_ERR__INVALID_ARG)
    package static let timedOut = KafkaErrorCode(RD_KAFKA_RESP_ERR__TIMED_OUT)
    package static let queueFull = KafkaErrorCode(RD_KAFKA_RESP_ERR__QUEUE_FULL)
    package static let tls = KafkaErrorCode(RD_KAFKA_RESP_ERR__SSL)
    package static let state = KafkaErrorCode(RD_KAFKA_RESP_ERR__STATE)
    package static let notImplemented = KafkaErrorCode(RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED)
    package static let authentication = KafkaErrorCode(RD_KAFKA_RESP_ERR__AUTHENTICATION)
    package static let timedOutInQueue = KafkaErrorCode(RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE)
    package static let unsupportedFeature = KafkaErrorCode(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
    package static let retry = KafkaErrorCode(RD_KAFKA_RESP_ERR__RETRY)
    package static let purgedFromQueue = KafkaErrorCode(RD_KAFKA_RESP_ERR__PURGE_QUEUE)
    package static let purgedInFlight = KafkaErrorCode(RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    package static let fatal = KafkaErrorCode(RD_KAFKA_RESP_ERR__FATAL)
    package static let inconsistent = KafkaErrorCode(RD_KAFKA_RESP_ERR__INCONSISTENT)
    package static let gaplessGuarantee = KafkaErrorCode(RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE)
    package static let fencedLocally = KafkaErrorCode(RD_KAFKA_RESP_ERR__FENCED)
}

/// The brokers'.
extension KafkaErrorCode {
    package static let unknownServerError = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNKNOWN)
    package static let corruptMessage = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_MSG)
    package static let unknownTopicOrPartition = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    package static let invalidMessageSize = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE)
    package static let leaderNotAvailable = KafkaErrorCode(RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
    package static let notLeaderForPartition = KafkaErrorCode(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION)
    package static let requestTimedOut = KafkaErrorCode(RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT)
    package static let brokerNotAvailable = KafkaErrorCode(RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE)
    package static let replicaNotAvailable = KafkaErrorCode(RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE)
    package static let messageSizeTooLarge = KafkaErrorCode(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    package static let networkException = KafkaErrorCode(RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION)
    package static let coordinatorLoadInProgress = KafkaErrorCode(RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
    package static let coordinatorNotAvailable = KafkaErrorCode(RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE)
    package static let notCoordinator = KafkaErrorCode(RD_KAFKA_RESP_ERR_NOT_COORDINATOR)
    package static let invalidTopic = KafkaErrorCode(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
    package static let recordListTooLarge = KafkaErrorCode(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE)
    package static let notEnoughReplicas = KafkaErrorCode(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS)
    package static let notEnoughReplicasAfterAppend = KafkaErrorCode(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND)
    package static let invalidRequiredAcks = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS)
    package static let topicAuthorizationFailed = KafkaErrorCode(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    package static let groupAuthorizationFailed = KafkaErrorCode(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
    package static let clusterAuthorizationFailed = KafkaErrorCode(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED)
    package static let invalidTimestamp = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP)
    package static let unsupportedSASLMechanism = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM)
    package static let illegalSASLState = KafkaErrorCode(RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE)
    package static let unsupportedVersion = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION)
    package static let topicAlreadyExists = KafkaErrorCode(RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
    package static let invalidConfiguration = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_CONFIG)
    package static let notController = KafkaErrorCode(RD_KAFKA_RESP_ERR_NOT_CONTROLLER)
    package static let unsupportedForMessageFormat = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT)
    package static let policyViolation = KafkaErrorCode(RD_KAFKA_RESP_ERR_POLICY_VIOLATION)
    package static let outOfOrderSequenceNumber = KafkaErrorCode(RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER)
    package static let duplicateSequenceNumber = KafkaErrorCode(RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER)
    package static let invalidProducerEpoch = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH)
    package static let invalidProducerIDMapping = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING)
    package static let transactionalIDAuthorizationFailed =
        KafkaErrorCode(RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    package static let securityDisabled = KafkaErrorCode(RD_KAFKA_RESP_ERR_SECURITY_DISABLED)
    package static let storageError = KafkaErrorCode(RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR)
    package static let saslAuthenticationFailed = KafkaErrorCode(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
    package static let unknownProducerID = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID)
    package static let unsupportedCompressionType = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE)
    package static let invalidRecord = KafkaErrorCode(RD_KAFKA_RESP_ERR_INVALID_RECORD)
    package static let throttlingQuotaExceeded = KafkaErrorCode(RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED)
    package static let producerFenced = KafkaErrorCode(RD_KAFKA_RESP_ERR_PRODUCER_FENCED)
    package static let unacceptableCredential = KafkaErrorCode(RD_KAFKA_RESP_ERR_UNACCEPTABLE_CREDENTIAL)
}
