internal import CLibrdkafka

/// A librdkafka configuration under construction. Destroyed unless a client took it over.
final class ClientSettings {
    /// `nil` once a client owns it.
    private var conf: OpaquePointer?
    private let redactor: SecretRedactor
    private(set) var faults: [KafkaPropertyFault] = []

    init(redactor: SecretRedactor) {
        guard let conf = rd_kafka_conf_new() else {
            preconditionFailure("rd_kafka_conf_new never returns null (rdkafka.h)")
        }
        self.conf = conf
        self.redactor = redactor
    }

    deinit {
        if let conf { rd_kafka_conf_destroy(conf) }
    }

    /// Sets a property, or keeps librdkafka's objection.
    func set(_ property: String, _ value: String) {
        guard !property.utf8.contains(0), !value.utf8.contains(0) else {
            return refuse(property, value, "contains a NUL character")
        }
        let words = withErrorText { text, size in
            rd_kafka_conf_set(conf, property, value, text, size) == RD_KAFKA_CONF_OK
        }
        if let words { refuse(property, value, words) }
    }

    func refuse(_ property: String, _ value: String?, _ reason: String) {
        faults.append(KafkaPropertyFault(property: property, value: value, reason: reason, redactor: redactor))
    }

    func enableEvents(_ events: Int32) { rd_kafka_conf_set_events(conf, events) }

    /// Makes the client, or says what librdkafka has against the properties taken together. Faults of single
    /// properties come first. `properties` are those a person wrote: if the words name one of them, it is the culprit.
    /// With `tokens` it gets its bearer tokens from there. It is to be ended by `destroyClient`.
    func makeClient(
        _ type: rd_kafka_type_t,
        properties: [String: String],
        tokens: BearerTokens? = nil
    ) throws(KafkaConfigurationError) -> OpaquePointer {
        guard faults.isEmpty else { throw KafkaConfigurationError(faults: faults) }
        var client: OpaquePointer?
        let words = withErrorText { text, size in
            client = rd_kafka_new(type, conf, text, size)
            return client != nil
        }
        if let client {
            conf = nil
            tokens?.attach(client)
            return client
        }
        let reason = words ?? "the client could not be created"
        let culprit = properties.keys.sorted { $0.count > $1.count }.first { reason.contains($0) }
        let fault = KafkaPropertyFault(
            property: culprit ?? "properties",
            value: culprit.flatMap { properties[$0] },
            reason: reason,
            redactor: redactor
        )
        throw KafkaConfigurationError(faults: [fault])
    }
}

/// Ends a client, which gets no more tokens.
func destroyClient(_ client: OpaquePointer, tokens: BearerTokens?) {
    tokens?.detach(client)
    rd_kafka_destroy(client)
}

/// Runs a call that writes its objection into a buffer. Returns the objection, `nil` when the call succeeded.
func withErrorText(_ call: (UnsafeMutablePointer<CChar>, Int) -> Bool) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer -> String? in
        buffer.initialize(repeating: 0)
        guard let base = buffer.baseAddress, !call(base, buffer.count) else { return nil }
        return String(cString: base)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, for librdkafka's `int timeout_ms`; never negative, which would mean forever.
    var timeoutMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 1_000_000 else { return 1_000_000_000 }
        return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
