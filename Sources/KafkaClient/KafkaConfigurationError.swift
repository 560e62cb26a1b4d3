/// One property that cannot be used, in librdkafka's own words where it has any.
package struct KafkaPropertyFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The property's name, or `properties` when a combination of several is refused and no single one is named.
    package let property: String
    /// What was given; `nil` for secrets and where no single property is at fault.
    package let value: String?
    package let reason: String

    init(property: String, value: String?, reason: String, redactor: SecretRedactor = SecretRedactor()) {
        self.property = property
        self.value = SecretRedactor.isSecret(property) ? nil : value.map(redactor.redact)
        self.reason = redactor.redact(reason)
    }

    package var description: String {
        if let value { "\(property) = \"\(value)\": \(reason)" } else { "\(property): \(reason)" }
    }
}

/// All that is wrong with a configuration, together, so that a person mends it in one go. Never empty.
package struct KafkaConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package let faults: [KafkaPropertyFault]

    package var description: String { faults.map(\.description).joined(separator: "\n") }
}
