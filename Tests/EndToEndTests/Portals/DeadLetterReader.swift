import KafkaClient

/// Why calls were not published, as letters come.
final class DeadLetterReader: Sendable {
    private let reader: TopicReader<[String]>

    init(_ topic: String, at servers: String) {
        reader = TopicReader(topic, at: servers, into: []) { reasons, record in
            func header(_ name: String) -> String { String(decoding: record.header(name) ?? [], as: UTF8.self) }
            reasons.append("\(header("b24_reason")) \(header("b24_portal"))")
        }
    }

    /// Reason and portal of each.
    var reasons: [String] { reader.look { $0 } }

    func stop() { reader.stop() }
}
