/// What becomes of a record, by the code of its delivery report or of a refused `send`.
package enum DeliveryDisposition: Sendable, Equatable {
    /// Written and acknowledged by all in-sync replicas.
    case delivered
    /// Not delivered for a reason that passes by itself or is the cluster's, see `isClusterWide`: send it again, in order,
    /// later. librdkafka retries most such codes by itself; what comes back it has given up.
    case retryable
    /// The topic refuses records or is not there. Records of other topics are not concerned.
    case topic
    /// The record itself is refused. Its neighbours are not, but see `messageSizeTooLarge` in the table.
    case record
    /// The producer is finished. Send everything that was not confirmed again, with a new producer.
    case fatal
    /// Taken back by `purge()`, by a fatal error or by closing: send it again, with a new producer.
    case notDelivered
}

extension KafkaErrorCode {
    /// The one table of what a code means for a record.
    ///
    /// What librdkafka 2.0.2 does under `enable.idempotence=true` and `message.timeout.ms=0`, found by trying against its
    /// in-process cluster, which checks neither sequence numbers nor rights, and held by the tests in `TopicFaultTests` and
    /// `RecordFaultTests`:
    ///
    /// - **A topic that does not exist** (metadata says `UNKNOWN_TOPIC_OR_PART`): records wait, and others flow, until
    ///   `topic.metadata.propagation.max.ms` has passed since the handle was made. Then all that wait come back together
    ///   with `UNKNOWN_TOPIC_OR_PART`, and further sends are refused at once with `_UNKNOWN_TOPIC`, with no report. The
    ///   topic is asked for again every second: once it is there, sends are accepted again within about a second.
    /// - **A topic that goes away** while it is used: its records come back with `_UNKNOWN_PARTITION` as soon as metadata
    ///   says so, without the delay above; then as above.
    /// - **A topic without rights** (metadata says `TOPIC_AUTHORIZATION_FAILED`): the records that wait come back with
    ///   that code as soon as metadata arrives, without the delay above; further sends are refused at once with the same
    ///   code. The same code in a Produce response fails that batch and has the same effect on further
    ///   sends, until metadata knows the topic again.
    ///   (That rights given back mend the first case alike is read in librdkafka's source, `rd_kafka_topic_scan_all`; the
    ///   in-process cluster cannot show it.)
    /// - **A Produce request refused for good** (`MSG_SIZE_TOO_LARGE`, `INVALID_RECORD`, …): every record of that
    ///   *batch* comes back with the code, also the innocent ones beside the one that is at fault. No fatal error is
    ///   raised as long as `enable.gapless.guarantee` is off: the producer waits for what is in flight, raises its epoch
    ///   and goes on (so its source, `rd_kafka_handle_Produce_error`), and the other batches are written in
    ///   order. To find the guilty record, send those that came back one at a time.
    /// - **`UNKNOWN_TOPIC_OR_PART` in a Produce response** alone, while metadata knows the topic, is retried by librdkafka
    ///   and not seen here.
    ///
    /// A code that is not in the table is held against the topic when a broker sent it, so that it stops neither the
    /// other topics nor is lost; librdkafka's own unknown codes are retried.
    package var classification: DeliveryDisposition {
        switch self {
        case .noError:
            .delivered

        // Taken back before an answer came. `purgedInFlight` may have been written all the same.
        case .purgedFromQueue, .purgedInFlight, .destroyed:
            .notDelivered

        // The producer accepts nothing any more.
        case .fatal, .gaplessGuarantee, .inconsistent, .fencedLocally, .state, .producerFenced,
            .outOfOrderSequenceNumber, .duplicateSequenceNumber:
            .fatal

        // The topic is missing, closed to us, or set up so that it cannot take what we send.
        case .unknownTopicOrPartition, .unknownTopicLocally, .unknownPartitionLocally, .invalidTopic,
            .topicAuthorizationFailed, .policyViolation, .unsupportedForMessageFormat, .unsupportedCompressionType,
            .invalidRequiredAcks, .invalidConfiguration:
            .topic

        // The record is too large for the client or the topic, or a broker's check refuses it. For `messageSizeTooLarge`
        // from a broker it is the batch that was too large.
        case .messageSizeTooLarge, .recordListTooLarge, .invalidMessageSize, .invalidRecord, .invalidTimestamp,
            .corruptMessage, .badMessage, .badCompression:
            .record

        // Passing, or for the operator of the cluster; see `isClusterWide`.
        case .unknownServerError, .leaderNotAvailable, .notLeaderForPartition, .requestTimedOut, .brokerNotAvailable,
            .replicaNotAvailable, .networkException, .coordinatorLoadInProgress, .coordinatorNotAvailable,
            .notCoordinator, .notEnoughReplicas, .notEnoughReplicasAfterAppend, .notController, .storageError,
            .unknownProducerID, .invalidProducerEpoch, .invalidProducerIDMapping, .throttlingQuotaExceeded,
            .clusterAuthorizationFailed, .groupAuthorizationFailed, .transactionalIDAuthorizationFailed,
            .unsupportedSASLMechanism, .illegalSASLState, .saslAuthenticationFailed, .securityDisabled,
            .unacceptableCredential, .unsupportedVersion:
            .retryable

        default:
            rawValue > 0 ? .topic : .retryable
        }
    }

    /// The cause lies with the connection, the credentials or the rights on the whole cluster: no record gets through
    /// until somebody mends it. Such records are kept and retried; a person should be told.
    package var isClusterWide: Bool {
        switch self {
        case .transport, .resolve, .allBrokersDown, .tls, .authentication, .unsupportedFeature,
            .clusterAuthorizationFailed, .transactionalIDAuthorizationFailed, .unsupportedSASLMechanism,
            .illegalSASLState, .saslAuthenticationFailed, .securityDisabled, .unacceptableCredential,
            .unsupportedVersion:
            true
        default:
            false
        }
    }
}
