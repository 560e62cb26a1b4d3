import Testing

@testable import KafkaClient

@Suite struct ClassificationTests {
    static let table: [(DeliveryDisposition, [KafkaErrorCode])] = [
        (.delivered, [.noError]),
        (.notDelivered, [.purgedFromQueue, .purgedInFlight, .destroyed]),
        (.fatal, [.fatal, .gaplessGuarantee, .outOfOrderSequenceNumber, .state, .producerFenced]),
        (
            .topic,
            [
                .unknownTopicOrPartition, .unknownTopicLocally, .unknownPartitionLocally, .invalidTopic,
                .topicAuthorizationFailed, .policyViolation,
            ]
        ),
        (.record, [.messageSizeTooLarge, .recordListTooLarge, .invalidRecord, .invalidTimestamp]),
        (
            .retryable,
            [
                .transport, .allBrokersDown, .timedOut, .messageTimedOut, .notEnoughReplicas, .leaderNotAvailable,
                .clusterAuthorizationFailed, .saslAuthenticationFailed, .authentication, .unknownProducerID,
            ]
        ),
    ]

    @Test(arguments: table)
    func `a code means one thing for a record`(disposition: DeliveryDisposition, codes: [KafkaErrorCode]) {
        for code in codes {
            #expect(code.classification == disposition, "\(code)")
            #expect(KafkaError(code: code).disposition == disposition)
            #expect(KafkaError(code: code).isRetriable == (disposition == .retryable))
        }
    }

    @Test func `a code that nobody knows is held against the topic or retried, never against the producer`() {
        #expect(KafkaErrorCode(rawValue: 9999).classification == .topic)
        #expect(KafkaErrorCode(rawValue: -9999).classification == .retryable)
    }

    @Test func `credentials and cluster rights are told apart from topics`() {
        for code in [KafkaErrorCode.saslAuthenticationFailed, .clusterAuthorizationFailed, .authentication, .tls] {
            #expect(code.isClusterWide && code.classification == .retryable)
        }
        #expect(!KafkaErrorCode.topicAuthorizationFailed.isClusterWide)
        #expect(!KafkaErrorCode.notEnoughReplicas.isClusterWide)
    }

    @Test func `whatever the code, a fatal error is fatal`() {
        let error = KafkaError(code: .clusterAuthorizationFailed, isFatal: true)
        #expect(error.disposition == .fatal)
        #expect(!error.isRetriable)
        #expect(error.description.contains("CLUSTER_AUTHORIZATION_FAILED, fatal"))
    }

    @Test func `codes carry librdkafka's names and words`() {
        #expect(KafkaErrorCode.messageSizeTooLarge.rawValue == 10)
        #expect(KafkaErrorCode.messageSizeTooLarge.name == "MSG_SIZE_TOO_LARGE")
        #expect(KafkaErrorCode.purgedFromQueue.name == "_PURGE_QUEUE")
        #expect(KafkaErrorCode.topicAuthorizationFailed.explanation.contains("authorization"))
    }
}
