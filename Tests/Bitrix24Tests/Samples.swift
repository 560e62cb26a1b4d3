import Foundation
import Testing

@testable import Bitrix24

/// Bodies as Bitrix24 sends them, and what becomes of them.
enum Sample {
    static let memberID = "a223c6b3710f85df22e9377d6c4f7553"
    static let token = "51856fefc120afa4b628cc82d3935cce"
    static let receivedAt = Timestamp(milliseconds: 1_466_439_715_120)

    /// A body of these fields in this order; names and values are percent-encoded.
    static func body(_ fields: [(String, String)]) -> String {
        fields.map { "\(encoded($0))=\(encoded($1))" }.joined(separator: "&")
    }

    static func body(_ code: String, _ fields: [(String, String)] = [("data[FIELDS][ID]", "7")]) -> String {
        body([("event", code)] + fields + [("auth[member_id]", memberID), ("auth[application_token]", token)])
    }

    private static func encoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    static func form(_ body: String) throws -> BracketForm {
        var form = BracketForm()
        try Array(body.utf8).withUnsafeBytes { try form.decode($0) }
        return form
    }

    static func event(in form: BracketForm) throws -> InboundEvent {
        guard case .event(let event) = InboundCall(form) else { throw NoEvent() }
        return event
    }

    struct NoEvent: Error {}

    static func normalizer(
        topic: String = TopicTemplate.defaultText,
        key: String = KeyTemplate.defaultText,
        mode: EnvelopeMode = .structured,
        replica: String? = nil
    ) throws -> Normalizer {
        Normalizer(topic: try TopicTemplate(topic), key: try KeyTemplate(key), mode: mode, replica: replica)
    }

    /// The record of `body`; the id is the same each time.
    static func record(
        _ body: String,
        with normalizer: Normalizer? = nil,
        mode: EnvelopeMode = .structured,
        domain: String? = nil,
        origin: EventOrigin = .online,
        traceparent: String? = nil
    ) throws -> EventRecord {
        let form = try form(body)
        var normalizer = try normalizer ?? Self.normalizer(mode: mode)
        var record = EventRecord()
        try normalizer.normalize(
            try event(in: form),
            of: form,
            domain: domain,
            receipt: Receipt(
                id: id,
                receivedAt: receivedAt,
                origin: origin,
                traceparent: traceparent
            ),
            into: &record
        )
        return record
    }

    static let id = EnvelopeID(high: 0x0199_C0DE_7C1A_7B5E, low: 0x9F0D_2F1F_6D1C_0A42)

    static func deadLetter(_ body: String, withBody: Bool = true) throws -> EventRecord {
        let form = try form(body)
        let event = try event(in: form)
        var normalizer = try normalizer()
        var record = EventRecord()
        try normalizer.deadLetter(
            event,
            of: form,
            topic: "bitrix24.dead-letter",
            reason: .badToken,
            receivedAt: receivedAt,
            tokenDigest: event.applicationToken(in: form).map { TokenDigest(token: $0) },
            id: id,
            withBody: withBody,
            into: &record
        )
        return record
    }
}

extension EventRecord {
    var topicText: String { String(decoding: topic, as: UTF8.self) }
    var keyText: String { String(decoding: key, as: UTF8.self) }
    var valueText: String { String(decoding: value.bytes, as: UTF8.self) }

    /// In order.
    var headerList: [(name: String, value: String)] {
        var list: [(name: String, value: String)] = []
        headers.forEach { list.append((String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self))) }
        return list
    }

    func header(_ name: String) -> String? { headerList.first { $0.name == name }?.value }

    /// The value of structured mode, parsed.
    func envelope() throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(value.bytes)) as? [String: Any])
    }

    func attribute(_ name: String) throws -> String? { try envelope()[name] as? String }

    /// `data` of structured mode as JSON text, to the letter.
    func data() throws -> String {
        let start = try #require(valueText.range(of: #","data":"#))
        return String(valueText[start.upperBound...].dropLast())
    }

    /// Everything that leaves the process with this record.
    var everything: String {
        ([topicText, keyText, valueText] + headerList.flatMap { [$0.name, $0.value] }).joined(separator: "\n")
    }
}
