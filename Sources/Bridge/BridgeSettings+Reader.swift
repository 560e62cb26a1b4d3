package import Bitrix24
package import Configuration
internal import Ingress

extension BridgeSettings {
    /// Reads all keys and leaves every fault with `reader`, whose `finish` throws them together.
    package init(reading reader: ConfigurationReader, hostName: String) throws(TemplateError) {
        let kafka = reader.section("kafka")
        self.init(
            topic: try Self.template(kafka, "topic", TopicTemplate.defaultText, TopicTemplate.init),
            key: try Self.template(kafka, "key", KeyTemplate.defaultText, KeyTemplate.init),
            replica: reader.string("replica", default: hostName)
        )
        if replica.utf8.count > 128 || replica.wholeMatch(of: /[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?/) == nil {
            reader.fault(
                "replica",
                "must be 1 to 128 letters, digits, '.', '_' and '-', the first and last a letter or digit; name this replica"
            )
        }
        readHTTP(reader.section("http"))
        let admin = reader.section("admin")
        self.admin.host = Self.nonEmpty(admin, "host", self.admin.host, "name an address of this host")
        self.admin.port = admin.integer("port", default: self.admin.port, in: 0...65_535)
        self.admin.portalMetrics = admin.integer("portalMetrics", default: self.admin.portalMetrics, in: 0...100_000)
        readKafka(kafka)
        readJournal(reader.section("journal"))
        readApplication(reader.section("application"))
        readSecrets(reader.section("secrets"))
        readSubscriptions(reader.section("subscriptions"))
        readOffline(reader.section("offline"))
        let portals = reader.section("portals")
        // Portals of an application are in the registry.
        portalsFile = portals.string("file", default: application.isConfigured ? "" : portalsFile)
        keepsRegistry = portals.boolean("registry", default: application.isConfigured)
        shutdownDelay = reader.duration("shutdownDelay", default: shutdownDelay, in: .zero ... .seconds(600))
        shutdownTimeout = reader.duration("shutdownTimeout", default: shutdownTimeout, in: .zero ... .seconds(3600))
    }

    private mutating func readHTTP(_ reader: ConfigurationReader) {
        http.host = Self.nonEmpty(reader, "host", http.host, "name an address of this host, or 0.0.0.0 for all")
        http.port = reader.integer("port", default: http.port, in: 0...65_535)
        http.path = reader.string("path", default: http.path)
        if !http.path.hasPrefix("/") || http.path.hasSuffix("/") || http.path.contains("?") {
            reader.fault("path", "must begin with / and neither end with / nor have a query; for example /b24/events")
        }
        http.installPath = reader.string("installPath", default: http.installPath)
        if !http.installPath.hasPrefix("/") || http.installPath.hasSuffix("/") || http.installPath.contains("?") {
            reader.fault(
                "installPath",
                "must begin with / and neither end with / nor have a query; for example /b24/install"
            )
        } else if "\(http.installPath)/".hasPrefix("\(http.path)/") || "\(http.path)/".hasPrefix("\(http.installPath)/")
        {
            reader.fault(
                "installPath",
                "and path must not be the same nor one below the other; for example /b24/install"
            )
        }
        http.maxBodyBytes = reader.bytes("maxBodyBytes", default: http.maxBodyBytes, in: 1024...(2 << 20))
        http.requestTimeout = reader.duration(
            "requestTimeout",
            default: http.requestTimeout,
            in: .milliseconds(100) ... .seconds(300)
        )
        http.allowedNetworks = Self.networks(reader, "allowedNetworks", takesLists: true)
        http.trustedProxies = Self.networks(reader, "trustedProxies")
        http.eventLoops = reader.integer("eventLoops", default: http.eventLoops, in: 0...256)
    }

    private mutating func readKafka(_ reader: ConfigurationReader) {
        kafka.bootstrapServers = reader.requiredString("bootstrapServers")
        kafka.mode = reader.choice("mode", default: kafka.mode)
        kafka.maxRecordBytes = reader.bytes("maxRecordBytes", default: kafka.maxRecordBytes, in: 1000...(100 << 20))
        kafka.deadLetterTopic = reader.string("deadLetterTopic", default: kafka.deadLetterTopic)
        kafka.registryTopic = reader.string("registryTopic", default: kafka.registryTopic)
        for (key, topic) in [("deadLetterTopic", kafka.deadLetterTopic), ("registryTopic", kafka.registryTopic)]
        where topic.contains("{") || (try? TopicTemplate(topic)) == nil {
            reader.fault(key, "is no legal topic name; use letters, digits, '.', '_' and '-'")
        }
        if kafka.registryTopic == kafka.deadLetterTopic {
            reader.fault("registryTopic", "is kafka.deadLetterTopic as well; the registry needs a topic of its own")
        }
        kafka.properties = reader.stringMap("properties")
        readOAuth(reader.section("oauth"))
        kafka.parkAfter = reader.duration("parkAfter", default: kafka.parkAfter, in: .zero ... .seconds(3600))
    }

    private mutating func readJournal(_ reader: ConfigurationReader) {
        journal.directory = Self.nonEmpty(
            reader,
            "directory",
            journal.directory,
            "name a directory for this journal alone"
        )
        journal.maxBytes = reader.bytes("maxBytes", default: journal.maxBytes, in: (1 << 20)...(1 << 50))
        journal.segmentBytes = reader.bytes("segmentBytes", default: journal.segmentBytes, in: (64 << 10)...(1 << 40))
        journal.sync = reader.boolean("sync", default: journal.sync)
        journal.retain = reader.duration("retain", default: journal.retain, in: .zero ... .seconds(366 * 86_400))
        journal.parkedMaxBytes = reader.bytes("parkedMaxBytes", default: journal.parkedMaxBytes, in: 0...(1 << 50))
        if journal.parkedMaxBytes > 0, journal.parkedMaxBytes < leastParkedMaxBytes {
            reader.fault(
                "parkedMaxBytes",
                "is \(journal.parkedMaxBytes), which is too small to park the largest record that http.maxBodyBytes allows; "
                    + "give at least \(leastParkedMaxBytes >> 20 + 1)MiB, or 0 for the default, or lower http.maxBodyBytes"
            )
        }
    }

    /// A template that cannot be read is a fault like any other; the default stands in so that reading goes on.
    private static func template<T>(
        _ reader: ConfigurationReader,
        _ key: String,
        _ fallback: String,
        _ make: (String) throws(TemplateError) -> T
    ) throws(TemplateError) -> T {
        do {
            return try make(reader.string(key, default: fallback))
        } catch {
            reader.fault(key, error.description)
            return try make(fallback)
        }
    }

    private static func nonEmpty(
        _ reader: ConfigurationReader,
        _ key: String,
        _ fallback: String,
        _ mend: String
    ) -> String {
        let value = reader.string(key, default: fallback)
        if value.isEmpty { reader.fault(key, "is empty; \(mend)") }
        return value.isEmpty ? fallback : value
    }

    private static func networks(
        _ reader: ConfigurationReader,
        _ key: String,
        takesLists: Bool = false
    ) -> [String] {
        let networks = reader.strings(key, default: [])
        do {
            _ = try AddressRanges(takesLists ? SenderNetworks.split(networks).networks : networks)
        } catch {
            let names = SenderList.allCases.map(\.rawValue).joined(separator: " or ")
            reader.fault(key, takesLists ? "\(error), or the name of a published list, \(names)" : "\(error)")
        }
        return networks
    }
}
