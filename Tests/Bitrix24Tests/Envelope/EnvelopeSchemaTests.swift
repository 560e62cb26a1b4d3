import Foundation
import Testing

@testable import Bitrix24

/// Holds envelopes against the published schema, as far as it is made of names, constants, choices and patterns.
@Suite struct EnvelopeSchemaTests {
    private let schema: [String: Any]

    init() throws {
        schema = try #require(
            try JSONSerialization.jsonObject(with: Data(PackageResources.envelope_schema_json)) as? [String: Any]
        )
    }

    private func faults(of envelope: [String: Any]) throws -> [String] {
        let properties = try #require(schema["properties"] as? [String: [String: Any]])
        let required = try #require(schema["required"] as? [String])
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        var faults = required.filter { envelope[$0] == nil }.map { "\($0) is missing" }
        for (name, value) in envelope {
            guard var rule = properties[name] else {
                faults.append("\(name) is not in the schema")
                continue
            }
            if let reference = rule["$ref"] as? String {
                rule = definitions[reference.replacingOccurrences(of: "#/$defs/", with: "")] ?? [:]
            }
            if name == "data" {
                if !Self.isTextAllThrough(value) { faults.append("data holds something other than texts") }
                continue
            }
            guard let text = value as? String else {
                faults.append("\(name) is no text")
                continue
            }
            if let constant = rule["const"] as? String, text != constant { faults.append("\(name): \(text)") }
            if let choices = rule["enum"] as? [String], !choices.contains(text) { faults.append("\(name): \(text)") }
            if let pattern = rule["pattern"] as? String, try !Self.matches(text, pattern) {
                faults.append("\(name): \(text)")
            }
            if let shortest = rule["minLength"] as? Int, text.count < shortest { faults.append("\(name) is empty") }
        }
        if envelope["b24entityid"] != nil, (envelope["subject"] as? String)?.contains("/") != true {
            faults.append("the id is not in the subject")
        }
        return faults
    }

    private static func isTextAllThrough(_ value: Any) -> Bool {
        switch value {
        case is String: true
        case let list as [Any]: list.allSatisfy(isTextAllThrough)
        case let map as [String: Any]: map.values.allSatisfy(isTextAllThrough)
        default: false
        }
    }

    private static func matches(_ text: String, _ pattern: String) throws -> Bool {
        let expression = try NSRegularExpression(pattern: pattern)
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    /// Attribute names have lower-case letters and digits, and twenty of them at most.
    private func checkNames(_ envelope: [String: Any]) {
        for name in envelope.keys { #expect(name.wholeMatch(of: /[a-z0-9]{1,20}/) != nil) }
    }

    @Test func everyFixturesEnvelopeFits() throws {
        let normalizer = try Sample.normalizer(replica: "b24bridge-0")
        var count = 0
        for (name, body) in try Fixtures.bodies() where !name.hasPrefix("_") && name != "ONCRMDEALADD-noauth" {
            let record = try Sample.record(String(decoding: body, as: UTF8.self), with: normalizer)
            let envelope = try record.envelope()
            #expect(try faults(of: envelope) == [], "\(name)")
            checkNames(envelope)
            count += 1
        }
        #expect(count >= 56)
    }

    @Test func envelopesOfHostileBodiesFit() throws {
        var random = SplitMix64(state: 17)
        let texts = [
            "", "0", "7", "%00", "%0A", "%FF", "%7F", "%C2%85", "\"", "\\", "%EF%BF%BF", "%F4%8F%BF%BF", "/", "é",
            Sample.token,
            String(repeating: "x", count: 300), "%ED%A0%80", "ONCRMDEALADD", "ONCRMDYNAMICITEMADD_5", "1466439714",
        ]
        func text() -> String { texts[Int.random(in: 0..<texts.count, using: &random)] }
        let normalizer = try Sample.normalizer(replica: "b24bridge-0")
        var events = 0
        for _ in 0..<400 {
            let body =
                "event=\(text())\(text())&ts=\(text())&event_handler_id=\(text())&data[FIELDS][ID]=\(text())&data[\(text())][\(text())]=\(text())"
                + "&data[FIELDS][ENTITY_TYPE_ID]=\(text())&auth[member_id]=\(text())&auth[domain]=\(text())&auth[user_id]=\(text())"
                + "&auth[access_token]=\(text())"
            guard case .event = InboundCall(try Sample.form(body)) else { continue }
            events += 1
            let record = try Sample.record(body, with: normalizer)
            let envelope = try record.envelope()
            #expect(try faults(of: envelope) == [], "\(body)")
            #expect(envelope["partitionkey"] as? String == record.keyText)
            #expect(record.topicText.wholeMatch(of: /[a-zA-Z0-9._-]{1,249}/) != nil)
            // Both modes say the same.
            let binary = try Sample.record(body, with: try Sample.normalizer(mode: .binary, replica: "b24bridge-0"))
            var headers = Dictionary(
                binary.headerList.map { ($0.name, $0.value) },
                uniquingKeysWith: { _, _ in "twice" }
            )
            #expect(headers.removeValue(forKey: "content-type") == "application/json")
            let attributes = envelope.filter { $0.key != "data" && $0.key != "datacontenttype" }
            #expect(
                headers
                    == Dictionary(uniqueKeysWithValues: attributes.map { ("ce_" + $0.key, $0.value as? String ?? "") })
            )
            #expect(binary.valueText == (try record.data()))
        }
        #expect(events > 250)
    }

    @Test func theCheckNoticesDamage() throws {
        let good = try Sample.record(Sample.body("ONCRMDEALADD")).envelope()
        #expect(try faults(of: good) == [])
        for (name, value) in [
            ("id", "x"), ("time", "2016-06-20"), ("b24origin", "other"), ("specversion", "0.3"), ("data", 7),
            ("extra", "x"),
            ("partitionkey", "a\nb"), ("subject", ""), ("source", "/bitrix24/a b"),
        ] as [(String, Any)] {
            var bad = good
            bad[name] = value
            #expect(try !faults(of: bad).isEmpty, "\(name)")
        }
        var bad = good
        bad["b24event"] = nil
        #expect(try !faults(of: bad).isEmpty)
    }
}
