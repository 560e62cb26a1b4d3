internal import CLibrdkafka

/// Checks a configuration the way a producer would, with librdkafka itself, and connects to nobody. Starts and stops
/// librdkafka's threads once, some milliseconds.
package func validate(_ configuration: ProducerConfiguration) throws(KafkaConfigurationError) {
    rd_kafka_destroy(try configuration.makeClient(connecting: false))
}

extension ProducerConfiguration {
    var redactor: SecretRedactor { SecretRedactor(properties: properties) }

    /// A producer handle with its events switched on. Without `connecting` it has no servers to talk to, and no tokens.
    func makeClient(connecting: Bool = true) throws(KafkaConfigurationError) -> OpaquePointer {
        let settings = ClientSettings(redactor: redactor)
        for (key, value) in ProducerConfiguration.defaults { settings.set(key, value) }
        settings.set("client.id", clientID)
        settings.set("log.queue", "true")
        checkServers(settings)
        setBounds(settings)
        for (key, value) in properties.sorted(by: { $0.key < $1.key }) {
            if let reason = ProducerConfiguration.reserved[key] {
                settings.refuse(key, value, reason)
            } else {
                settings.set(key, value)
            }
        }
        if connecting { settings.set("bootstrap.servers", bootstrapServers) }
        settings.enableEvents(
            RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS
        )
        return try settings.makeClient(RD_KAFKA_PRODUCER, properties: properties, tokens: connecting ? tokens : nil)
    }

    private func setBounds(_ settings: ClientSettings) {
        if maxQueuedMessages < 1 {
            settings.refuse("queue.buffering.max.messages", String(maxQueuedMessages), "must be at least 1")
        } else {
            settings.set("queue.buffering.max.messages", String(maxQueuedMessages))
        }
        settings.set("message.max.bytes", String(maxMessageBytes))
        if maxQueuedBytes < maxMessageBytes {
            settings.refuse(
                "queue.buffering.max.kbytes",
                String(maxQueuedBytes),
                "the queue's \(maxQueuedBytes) bytes cannot hold one record of \(maxMessageBytes) bytes (message.max.bytes)"
            )
        } else {
            settings.set("queue.buffering.max.kbytes", String((maxQueuedBytes + 1023) / 1024))
        }
    }

    /// librdkafka only logs servers that it cannot read and then waits forever, so they are read here.
    private func checkServers(_ settings: ClientSettings) {
        let servers = bootstrapServers.split(separator: ",", omittingEmptySubsequences: false)
        for server in servers {
            if let reason = ProducerConfiguration.objection(to: server) {
                settings.refuse("bootstrap.servers", bootstrapServers, reason)
                return
            }
        }
    }

    private static func objection(to server: Substring) -> String? {
        var address = server.drop { $0 == " " }
        while address.last == " " { address.removeLast() }
        guard !address.isEmpty else { return "a server is missing: write host:port, several separated by commas" }
        if let scheme = address.firstRange(of: "://") { address = address[scheme.upperBound...] }
        // An IPv6 address stands in brackets; its colons are not the port's.
        let afterHost = address.first == "[" ? address.drop { $0 != "]" }.dropFirst() : address.drop { $0 != ":" }
        guard address.first != ":", !address.contains(" "), !address.contains("/") else {
            return "\"\(server)\" is not host:port"
        }
        guard !afterHost.isEmpty else { return nil }
        guard afterHost.first == ":", let port = UInt16(afterHost.dropFirst()), port > 0 else {
            return "\"\(server)\" does not end in a port from 1 to 65535"
        }
        return nil
    }
}
