import Bitrix24

@testable import Simulation

extension SimulationSettings {
    /// Portals of the numbers 1 to `portals`.
    static func sample(portals: Int = 1, webhook: Bool = false) throws -> SimulationSettings {
        SimulationSettings(
            url: "http://127.0.0.1:8080/b24/events",
            portals: (1...portals).map { number in
                SimulatedPortal(
                    memberID: "a223c6b3710f85df22e9377d6c4f755\(number)",
                    domain: "portal-\(number).example",
                    token: "51856fefc120afa4b628cc82d3935cc\(number)",
                    isWebhook: webhook
                )
            },
            topic: try TopicTemplate(TopicTemplate.defaultText),
            key: try KeyTemplate(KeyTemplate.defaultText)
        )
    }
}

/// A body as the bridge reads it.
struct DecodedBody {
    var form = BracketForm()

    init(_ body: [UInt8]) throws {
        try body.withUnsafeBytes { try form.decode($0) }
    }

    func event() throws -> InboundEvent {
        guard case .event(let event) = InboundCall(form) else { throw SimulationError("no event") }
        return event
    }

    func text(_ path: String...) -> String? {
        var node = BracketForm.root
        for name in path {
            guard let child = form.child(of: node, named: Array(name.utf8)) else { return nil }
            node = child
        }
        return form.scalar(node).map { String(decoding: $0, as: UTF8.self) }
    }

    func record(mode: EnvelopeMode, domain: String?) throws -> EventRecord {
        var normalizer = Normalizer(
            topic: try TopicTemplate(TopicTemplate.defaultText),
            key: try KeyTemplate(KeyTemplate.defaultText),
            mode: mode,
            replica: "test-0"
        )
        var record = EventRecord()
        var ids = EnvelopeIDGenerator()
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let receipt = Receipt(id: ids.next(at: now), receivedAt: now, origin: .online)
        try normalizer.normalize(try event(), of: form, domain: domain, receipt: receipt, into: &record)
        return record
    }
}
