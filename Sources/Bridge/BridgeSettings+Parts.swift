internal import Ingress
internal import Journal
package import KafkaClient

/// What each part of the bridge gets of the settings.
extension BridgeSettings {
    package var producerConfiguration: ProducerConfiguration {
        ProducerConfiguration(
            bootstrapServers: kafka.bootstrapServers,
            clientID: "b24bridge-\(replica)",
            properties: kafka.properties,
            tokens: kafka.oauth?.tokens,
            maxMessageBytes: max(kafka.maxRecordBytes + 4096, 1_000_000)
        )
    }

    /// Of the one producer that tells how the brokers are: those beside it would tell the same.
    var shipperProducerConfiguration: ProducerConfiguration {
        var configuration = producerConfiguration
        if configuration.properties[BrokerStates.property] == nil {
            configuration.properties[BrokerStates.property] = "\(BrokerStates.interval)"
        }
        return configuration
    }

    /// - Parameter purpose: tells the client from others of this replica, in the brokers' logs.
    package func consumerConfiguration(_ purpose: String, groupID: String) -> ConsumerConfiguration {
        ConsumerConfiguration(
            bootstrapServers: kafka.bootstrapServers,
            clientID: "b24bridge-\(replica)-\(purpose)",
            groupID: groupID,
            properties: kafka.properties,
            tokens: kafka.oauth?.tokens
        )
    }

    var journalConfiguration: JournalConfiguration {
        JournalConfiguration(
            directory: journal.directory,
            maxBytes: journal.maxBytes,
            segmentBytes: journal.segmentBytes,
            sync: journal.sync,
            retain: journal.retain
        )
    }

    var parkedConfiguration: JournalConfiguration {
        JournalConfiguration(
            directory: parkedDirectory,
            // The quota is kept by refusing events. What the journal has already taken moves over in any case, or it would
            // keep everything behind it there.
            maxBytes: parkedMaxBytes + journal.maxBytes,
            segmentBytes: min(journal.segmentBytes, max(parkedMaxBytes / 4, 512)),
            sync: journal.sync,
            tailBytes: 1 << 20
        )
    }

    func eventListener(_ descriptors: DescriptorBudget) -> ListenerConfiguration {
        let connections = descriptors.connections - adminListener(descriptors).maxConnections
        return ListenerConfiguration(
            name: "events",
            host: http.host,
            port: http.port,
            maxBodyBytes: http.maxBodyBytes,
            requestTimeout: http.requestTimeout,
            maxConnections: min(10_000, connections),
            maxConnectionsWhileDraining: connections,
            shutdownDelay: shutdownDelay
        )
    }

    func adminListener(_ descriptors: DescriptorBudget) -> ListenerConfiguration {
        let connections = min(256, max(1, descriptors.connections / 8))
        return ListenerConfiguration(
            name: "admin",
            host: admin.host,
            port: admin.port,
            maxConnections: connections,
            maxConnectionsWhileDraining: connections
        )
    }

    /// - Parameters:
    ///   - didDeliver: Called on the shipper's thread for each record that Kafka confirmed.
    ///   - singlesInterval: Time between two rounds in which single parked records are tried. `nil`: long, by `parkAfter`.
    func shipperSettings(
        _ journals: JournalPair,
        deadLetterBudget: DeadLetterBudget,
        parkingGate: ParkingGate? = nil,
        didDeliver: (@Sendable (borrowing DeliveryReport) -> Void)?,
        singlesInterval: Duration? = nil
    ) -> ShipperSettings {
        ShipperSettings(
            producer: shipperProducerConfiguration,
            parkAfter: kafka.parkAfter,
            maxRecordBytes: kafka.maxRecordBytes,
            deadLetterTopic: kafka.deadLetterTopic,
            deadLetterBudget: deadLetterBudget,
            firstOwnPosition: journals.main.statistics.next.rawValue,
            parkingLimit: parkingGate == nil ? .max : parkingLimit,
            parkingGate: parkingGate ?? ParkingGate(),
            didDeliver: didDeliver,
            singlesInterval: singlesInterval
        )
    }
}
