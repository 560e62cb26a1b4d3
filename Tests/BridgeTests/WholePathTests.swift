import Bitrix24
import Crypto
import Foundation
import KafkaClient
import Testing

@testable import Bridge

/// From the HTTP request to the record read back from the topic.
@Suite struct WholePathTests {
    /// What becomes of each fixture; all others are taken as an application's.
    static let exceptions: [String: Int] = [
        "ONAPPPAYMENT-notoken": 200, "ONAPPUNINSTALL-forged": 403, "ONCRMDEALADD-noauth": 400, "_empty": 400,
        "_notevent-appsettings": 200, "_notevent-placement-open": 200,
    ]

    @Test func `every fixture that is admitted arrives as its golden record, in order`() async throws {
        try await RunningBridge.with { bridge in
            let names = try Fixtures.names(in: "bodies")
            try #require(names.count >= 60)
            let statuses = try await bridge.post(all: names.map(Fixtures.body))
            for (name, status) in zip(names, statuses) { #expect(status == Self.exceptions[name] ?? 200, "\(name)") }
            let published = names.filter { Self.exceptions[$0] == nil }
            // One dead letter: the forged token.
            try await wait(for: "all records; \(bridge.delivered.count)") {
                bridge.delivered.count == published.count + 1
            }
            let topics = Set(bridge.delivered.map(\.topic)).sorted()
            let records = try await Kafka.read(published.count + 1, from: topics, at: Kafka.servers)
                .filter { !$0.topic.hasSuffix(".dead-letter") }
            try #require(records.count == published.count)
            let inOrder = try records.map { record in
                (try #require(Self.text(record, "sequence")), record)
            }.sorted { $0.0 < $1.0 }
            #expect(Set(inOrder.map(\.0)).count == published.count, "sequence is unique")
            #expect(inOrder.allSatisfy { $0.0.hasPrefix("test-0.") && $0.0.count == "test-0.".count + 20 })
            for (name, (sequence, record)) in zip(published, inOrder) {
                try Self.compare(name, sequence, record, prefix: bridge.topicPrefix)
            }
            try await bridge.expectSums()
            #expect(bridge.metric("events_admitted_total", [("origin", "webhook")]) == 7)
            #expect(bridge.metric("events_unknown_total") == 1)
        }
    }

    private static func text(_ record: ConsumedRecord, _ attribute: String) -> String? {
        let value = try? JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any]
        return value?[attribute] as? String
    }

    private static func compare(_ name: String, _ sequence: String, _ record: ConsumedRecord, prefix: String) throws {
        let id = try #require(text(record, "id"))
        let recorded = try #require(text(record, "recordedtime"))
        let golden = try Fixtures.record(name).replacingOccurrences(of: "<uuid7>", with: id)
            .replacingOccurrences(of: "<time>", with: recorded)
        let expected = try #require(try JSONSerialization.jsonObject(with: Data(golden.utf8)) as? [String: Any])
        var value = try #require(expected["value"] as? [String: Any])
        value["sequence"] = sequence
        let body = try Fixtures.body(name)
        if body.contains(webhookToken) { value["b24origin"] = "webhook" }
        let actual = try #require(
            try JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? NSDictionary
        )
        #expect(actual.isEqual(to: value), "\(name): \(actual)")
        let topic = try #require(expected["topic"] as? String)
        #expect(record.topic == topic.replacingOccurrences(of: "bitrix24.", with: prefix + "."))
        #expect(record.key.map { String(decoding: $0, as: UTF8.self) } == expected["key"] as? String, "\(name)")
        let headers = Dictionary(
            uniqueKeysWithValues: record.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) }
        )
        #expect(headers == expected["headers"] as? [String: String], "\(name)")
    }

    @Test func `path, query, method and malformed calls are answered by the table`() async throws {
        try await RunningBridge.with(adjust: {
            $0.http.maxBodyBytes = 20_000; $0.http.requestTimeout = .milliseconds(400)
        }) { bridge in
            func status(_ method: String, _ path: String, _ body: String = "") async throws -> Int {
                try await blocking { [port = bridge.port] in
                    try HTTPClient(port: port).request(method, path, body: body).status
                }
            }
            #expect(try await status("POST", "/b24/events", event(id: "1")) == 200)
            #expect(try await status("POST", "/b24/events/eu/portal-7", event(id: "1")) == 200)
            #expect(try await status("POST", "/b24/events?token=x&event=ONX", event(id: "1")) == 200)
            #expect(try await status("POST", "/b24/events/", event(id: "1")) == 200)
            #expect(try await status("POST", "/b24/eventsx", event(id: "1")) == 404)
            #expect(try await status("POST", "/", event(id: "1")) == 404)
            #expect(try await status("GET", "/b24/events") == 200)
            #expect(try await status("HEAD", "/b24/events") == 200)
            #expect(try await status("GET", "/elsewhere") == 404)
            #expect(try await status("PUT", "/b24/events", event(id: "1")) == 405)
            #expect(try await status("DELETE", "/b24/events") == 405)
            let malformed = [
                "", "data[x]=1", "event=&auth[member_id]=\(memberID)", "event[]=A&auth[member_id]=\(memberID)",
                "event=ONX", "event=ONX&auth=\(memberID)", "event=ONX&auth[member_id]=",
                "event=ONX&auth[member_id][]=\(memberID)",
                event(more: (0..<1001).map { "&a\($0)=1" }.joined()),
                event(more: "&data" + String(repeating: "[x]", count: 65) + "=1"),
            ]
            for body in malformed {
                #expect(try await status("POST", "/b24/events", body) == 400, "\(body.prefix(60))")
            }
            #expect(try await status("POST", "/b24/events", String(repeating: "x", count: 20_001)) == 413)
            let slow = try await blocking { [port = bridge.port] in
                let client = try HTTPClient(port: port)
                try client.send("POST /b24/events HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\nevent")
                return try client.reply().status
            }
            #expect(slow == 408)
            try await bridge.waitForDelivery(of: 4, to: "crm.deal")
            #expect(bridge.delivered.count == 4, "nothing else is published")
            #expect(Set(bridge.delivered.map(\.key)) == ["\(memberID)/crm.deal/1"])
            try await bridge.expectSums()
            for (name, count) in [("400", 10), ("404", 3), ("405", 2), ("408", 1), ("413", 1), ("200", 6)] {
                #expect(bridge.metric("answers_total", [("status", name)]) == count, "\(name)")
            }
        }
    }

    @Test func `calls that are no events are answered 200 and not published`() async throws {
        try await RunningBridge.with { bridge in
            try await bridge.take([
                "workflow_id=5a&code=robot&event_token=abc&auth[member_id]=\(memberID)&auth[application_token]=\(token)",
                "DOMAIN=x&AUTH_ID=\(token)&member_id=\(memberID)&PLACEMENT=DEFAULT",
                try Fixtures.body("_notevent-appsettings"), try Fixtures.body("ONAPPPAYMENT-notoken"),
                event(id: "9"),
            ])
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
            #expect(bridge.delivered.count == 1)
            for kind in ["robot", "placement", "settings", "payment-without-token"] {
                #expect(bridge.metric("calls_not_events_total", [("kind", kind)]) == 1, "\(kind)")
            }
        }
    }

    @Test func `a dead letter that would be too large goes without its body`() async throws {
        try await RunningBridge.with(adjust: { $0.kafka.maxRecordBytes = 2000 }) { bridge in
            let wrong = "0123456789abcdef0123456789abcdef"
            let body = event(id: "1", more: "&data[N]=" + String(repeating: "x", count: 2000), token: wrong)
            #expect(try await bridge.post(all: [body]) == [403])
            try await bridge.waitForDelivery(of: 1, to: "dead-letter")
            let letter = try #require(bridge.delivered.first)
            #expect(letter.value == "[]")
            #expect(letter.headers["b24_reason"] == "bad-token" && letter.headers["b24_portal"] == memberID)
            #expect(letter.headers["b24_token_sha256"] == Self.digest(wrong))
            try await bridge.expectSums()
        }
    }

    @Test func `what is not admitted is 403 and leaves a dead letter without its secrets`() async throws {
        try await RunningBridge.with { bridge in
            let wrong = "0123456789abcdef0123456789abcdef"
            let unknown = "ffffffffffffffffffffffffffffffff"
            let secret = "access-token-of-sixteen-and-more"
            let cases: [(body: String, reason: String, portal: String, token: String?)] = [
                (
                    event(id: "1", more: "&auth[access_token]=\(secret)&data[NOTE]=a-\(secret)-z", token: wrong),
                    "bad-token", memberID, wrong
                ),
                (event(id: "2", member: unknown), "unknown-portal", unknown, token),
                (event(id: "3", token: nil), "bad-token", memberID, nil),
                (event(id: "4", token: ""), "bad-token", memberID, ""),
                (event("ONAPPUNINSTALL", id: "5", token: webhookToken), "bad-token", memberID, webhookToken),
                (event("ONOFFLINEEVENT", id: "6", token: webhookToken), "bad-token", memberID, webhookToken),
                (event("ONAPPPAYMENT", id: "7", member: unknown, token: nil), "unknown-portal", unknown, nil),
                (event("ONAPPPAYMENT", id: "8", token: wrong), "bad-token", memberID, wrong),
            ]
            let replies = try await bridge.post(all: cases.map(\.body))
            #expect(replies == cases.map { _ in 403 })
            try await bridge.waitForDelivery(of: cases.count, to: "dead-letter")
            #expect(bridge.delivered.count == cases.count)
            for entry in cases {
                let id = try #require(entry.body.firstMatch(of: /\[ID\]=(\d)/)).output.1
                let letter = try #require(
                    bridge.delivered.first { $0.value.contains("[\"data[FIELDS][ID]\",\"\(id)\"]") }
                )
                #expect(letter.headers["b24_reason"] == entry.reason)
                #expect(letter.headers["b24_portal"] == entry.portal)
                #expect(letter.key == entry.portal)
                #expect(
                    letter.headers["b24_token_sha256"] == entry.token.flatMap { $0.isEmpty ? nil : Self.digest($0) }
                )
                #expect(letter.headers["b24_received_at"]?.hasSuffix("Z") == true)
                let pairs = try #require(try JSONSerialization.jsonObject(with: Data(letter.value.utf8)) as? [[String]])
                #expect(pairs.first?.first == "event")
                if let token = entry.token, !token.isEmpty {
                    #expect(pairs.contains(["auth[application_token]", "[redacted]"]))
                    #expect(!letter.value.contains(token))
                }
                #expect(!letter.value.contains(secret))
            }
            let first = try #require(bridge.delivered.first { $0.value.contains("data[NOTE]") })
            #expect(first.value.contains("[\"data[NOTE]\",\"a-[redacted]-z\"]"))
            try await bridge.expectSums()
        }
    }

    private static func digest(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
    }

    @Test func `webhook tokens vouch for data events only`() async throws {
        try await RunningBridge.with { bridge in
            try await bridge.take([event(id: "1", token: webhookToken)])
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
            #expect(bridge.delivered[0].attribute("b24origin") == "webhook")
            #expect(try await bridge.post(all: [event("ONAPPINSTALL", token: webhookToken)]) == [403])
        }
    }

    @Test func `a well-formed traceparent is passed through, any other is not`() async throws {
        try await RunningBridge.with { bridge in
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            #expect(try await bridge.post(event(id: "1"), headers: ["traceparent": trace]).status == 200)
            #expect(try await bridge.post(event(id: "2"), headers: ["traceparent": "00-\(token)"]).status == 200)
            try await bridge.waitForDelivery(of: 2, to: "crm.deal")
            let records = bridge.delivered.sorted { $0.entityID < $1.entityID }
            #expect(records[0].attribute("traceparent") == trace)
            #expect(records[0].headers["traceparent"] == trace)
            #expect(records[1].attribute("traceparent") == nil)
            #expect(records[1].headers["traceparent"] == nil)
        }
    }

    @Test func `only allowed networks may send, by the address that a trusted proxy forwards`() async throws {
        let direct: (inout BridgeSettings) -> Void = { $0.http.allowedNetworks = ["192.0.2.0/24"] }
        try await RunningBridge.with(adjust: direct) { bridge in
            #expect(try await bridge.post(event()).status == 403)
            // Nobody vouches for the header.
            #expect(try await bridge.post(event(), headers: ["X-Forwarded-For": "192.0.2.7"]).status == 403)
            #expect(bridge.metric("requests_refused_total", [("reason", "address")]) == 2)
            #expect(bridge.logs.lines.count { $0.contains("a sender outside http.allowedNetworks was refused") } == 1)
            #expect(bridge.logs.contains("warning", "address=127.0.0.1", "http.trustedProxies"))
            #expect(bridge.delivered.isEmpty)
            try await bridge.expectSums()
        }
        let behindProxy: (inout BridgeSettings) -> Void = {
            $0.http.allowedNetworks = ["192.0.2.0/24"]
            $0.http.trustedProxies = ["127.0.0.0/8"]
        }
        try await RunningBridge.with(adjust: behindProxy) { bridge in
            #expect(try await bridge.post(event(), headers: ["X-Forwarded-For": "192.0.2.7"]).status == 200)
            #expect(
                try await bridge.post(event(), headers: ["X-Forwarded-For": "192.0.2.7, 198.51.100.1"]).status == 403
            )
            #expect(try await bridge.post(event()).status == 403)
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
        }
    }

    @Test func `binary mode puts the attributes into headers and the position into ce_sequence`() async throws {
        try await RunningBridge.with(adjust: { $0.kafka.mode = .binary }) { bridge in
            try await bridge.take([event(id: "5")])
            try await bridge.waitForDelivery(of: 1, to: "crm.deal")
            let record = bridge.delivered[0]
            #expect(record.value == "{\"FIELDS\":{\"ID\":\"5\"}}")
            #expect(record.headers["content-type"] == "application/json")
            #expect(record.headers["ce_sequence"] == "test-0.00000000000000000001")
        }
    }
}
