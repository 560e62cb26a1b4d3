internal import CLibrdkafka

/// What librdkafka or a broker refused or could not do.
package struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
    package let code: KafkaErrorCode
    /// The client that raised it is finished: it accepts nothing any more. Close it and make a new one.
    package let isFatal: Bool
    /// The same request may succeed later without anybody doing anything.
    package let isRetriable: Bool
    /// librdkafka's words, without secrets.
    package let message: String

    package init(code: KafkaErrorCode, isFatal: Bool = false, isRetriable: Bool? = nil, message: String? = nil) {
        self.code = code
        self.isFatal = isFatal
        self.isRetriable = !isFatal && (isRetriable ?? (code.classification == .retryable))
        self.message = message ?? code.explanation
    }

    /// What is to be done with a record that came back with this error.
    package var disposition: DeliveryDisposition { isFatal ? .fatal : code.classification }

    package var description: String {
        "\(message) (\(code.name)\(isFatal ? ", fatal" : ""))"
    }
}

extension KafkaError {
    /// Takes the error object over and destroys it. Its text is redacted, as it may quote the configuration.
    init(consuming error: OpaquePointer, redactor: SecretRedactor = SecretRedactor()) {
        defer { rd_kafka_error_destroy(error) }
        let code = KafkaErrorCode(rd_kafka_error_code(error))
        self.init(
            code: code,
            isFatal: rd_kafka_error_is_fatal(error) != 0 || code == .fatal,
            isRetriable: rd_kafka_error_is_retriable(error) != 0 ? true : nil,
            message: redactor.redact(String(cString: rd_kafka_error_string(error)))
        )
    }
}
