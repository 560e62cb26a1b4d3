import Bitrix24
import Foundation
import KafkaClient
import Testing

@testable import Bridge

/// Dead letters are read, judged by the portals of today, and sent.
@Suite struct ReadmissionTests {
    private static let newToken = "newtoken0newtoken0newtoken0newto"
    private static let newWebhook = "newhook0newhook0newhook0newhook0"

    /// Only the newcomer and its tokens.
    private static let today = PortalDirectory([
        Portal(
            memberID: "newcomer",
            domain: "newcomer.bitrix24.com",
            applicationTokens: [TokenDigest(token: newToken.utf8)],
            webhookTokens: [TokenDigest(token: newWebhook.utf8)]
        )
    ])

    private static func letters(_ settings: BridgeSettings, areOnce: Bool = true) async throws -> [DeadLetter] {
        try await blocking {
            var letters: [DeadLetter] = []
            let exists = try DeadLetterTopic(settings: settings, timeout: .seconds(10)).read { letter, done, total in
                letters.append(letter)
                #expect((areOnce ? done == letters.count : done >= letters.count) && done <= total)
            }
            #expect(exists)
            return letters
        }
    }

    private static func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

    /// The envelope without what differs between a receipt and an admission later.
    private static func timeless(_ value: String) throws -> NSDictionary {
        var envelope = try #require(try JSONSerialization.jsonObject(with: Data(value.utf8)) as? [String: Any])
        for name in ["id", "sequence", "recordedtime"] { envelope[name] = nil }
        return envelope as NSDictionary
    }

    @Test func `an event admitted later is the record it would have been`() async throws {
        let directory = try TemporaryDirectory()
        let prefix = "later\(UUID().uuidString.prefix(6))"
        let settings = try RunningBridge.settings(servers: Kafka.servers, directory: directory, prefix: prefix)
        let bodies = [
            event(
                id: "7",
                more: "&data[x][]=a&data[x][]=%C3%A4&data[t]=" + Self.newToken,
                member: "newcomer",
                token: Self.newToken
            ),
            event("ONCRMLEADADD", id: "8", member: "newcomer", token: Self.newWebhook),
            event("ONUNHEARDOF", id: "9", member: "newcomer", token: Self.newToken),
        ]
        let refused =
            bodies + [
                event("ONAPPINSTALL", member: "newcomer", token: Self.newWebhook),
                event(id: "1", member: "newcomer", token: "some-other-token-of-somebody"),
                event(id: "1", member: "newcomer", token: nil),
                event(id: "1", member: "stranger", token: Self.newToken),
            ]
        try await RunningBridge.with(directory: directory, prefix: prefix) { bridge in
            #expect(try await bridge.post(all: refused).allSatisfy { $0 == 403 })
            try await bridge.waitForDelivery(of: refused.count, to: "dead-letter")
        }
        let letters = try await Self.letters(settings)
        #expect(letters.count == refused.count)
        let given = letters.map { letter in
            var text: [UInt8] = []
            letter.id?.write(into: &text)
            return Optional(Self.text(text))
        }
        #expect(Set(given).count == refused.count)
        var direct: [Delivered] = []
        try await RunningBridge.with(prefix: "direct", portals: Self.today) { bridge in
            try await bridge.take(bodies)
            try await wait(for: "them") { bridge.delivered.count == 3 }
            direct = bridge.delivered
        }

        var readmission = Readmission(settings: settings, portals: Self.today)
        var record = EventRecord()
        var obstacles: [Readmission.Obstacle] = []
        var sent: [String: [UInt8]] = [:]
        let judged = letters.sorted {
            $0.receivedAt ?? .init(milliseconds: 0) < $1.receivedAt ?? .init(milliseconds: 0)
        }
        for letter in judged {
            switch readmission.judge(letter, into: &record) {
            case .left(let obstacle): obstacles.append(obstacle)
            case .admitted(let origin):
                let topic = Self.text(record.topic)
                let twin = try #require(direct.first { $0.topic.dropFirst(6) == topic.dropFirst(prefix.count) })
                #expect(Self.text(record.key) == twin.key)
                let value = Self.text(record.value.bytes)
                #expect(try Self.timeless(value) == Self.timeless(twin.value), "\(value) \(twin.value)")
                #expect(!value.contains("\"sequence\"") && !value.contains(Self.newToken))
                #expect(value.contains("\"recordedtime\":\"\(try #require(letter.receivedAt).rfc3339)\""))
                #expect(origin == (letter.event == "ONCRMLEADADD" ? .webhook : .online))
                sent[topic] = record.value.bytes
                // The same again, to the byte.
                var again = Readmission(settings: settings, portals: Self.today)
                var second = EventRecord()
                #expect(again.judge(letter, into: &second) == .admitted(origin))
                #expect(second.value.bytes == record.value.bytes)
            }
        }
        #expect(sent.count == 3)
        let ids = sent.values.map { Self.text($0).firstMatch(of: /"id":"([0-9a-f-]{14}7[^"]+)/)?.1.description }
        #expect(Set(ids).count == 3 && Set(ids).isSubset(of: Set(given)), "given at receipt: \(ids)")
        #expect(
            obstacles.map(\.rawValue).sorted() == ["needs-application", "no-token", "portal-unknown", "token-unknown"],
            "\(obstacles)"
        )
    }

    private static func letter(
        _ reason: String,
        _ value: String = #"[["event","ONCRMDEALADD"],["auth[member_id]","newcomer"],["data[FIELDS][ID]","1"]]"#,
        digest: String? = text(TokenDigest(token: newToken.utf8).hexadecimal),
        at time: String = "2016-06-20T16:21:55.120Z",
        partition: Int32 = 1,
        offset: Int64 = 5,
        id: EnvelopeID? = nil
    ) -> DeadLetter {
        DeadLetter(
            partition: partition,
            offset: offset,
            id: id,
            reason: reason,
            receivedAt: Timestamp(rfc3339: time),
            portal: "newcomer",
            event: "ONCRMDEALADD",
            tokenDigest: digest,
            value: Array(value.utf8)
        )
    }

    @Test func `what cannot be admitted is told from what cannot be admitted yet`() throws {
        let directory = try TemporaryDirectory()
        var settings = try RunningBridge.settings(servers: "x", directory: directory, prefix: "x")
        func verdict(_ letter: DeadLetter) -> Readmission.Verdict {
            var readmission = Readmission(settings: settings, portals: Self.today)
            var event = EventRecord()
            return readmission.judge(letter, into: &event)
        }
        #expect(verdict(Self.letter("unknown-portal")) == .admitted(.online))
        #expect(verdict(Self.letter("bad-token")) == .admitted(.online))
        #expect(verdict(Self.letter("too-large", "[]", digest: nil)) == .left(.tooLarge))
        #expect(verdict(Self.letter("gone-portal")) == .admitted(.online), "it was installed again")
        #expect(verdict(Self.letter("of-a-later-version")) == .left(.otherReason))
        #expect(verdict(Self.letter("bad-token", "[]")) == .left(.noBody))
        #expect(verdict(Self.letter("bad-token", digest: nil)) == .left(.noToken))
        #expect(verdict(Self.letter("bad-token", digest: "12")) == .left(.notALetter))
        for value in ["", "{}", "[1]", "[[\"a\"]]", "[[\"event\",\"\"]]", "[[\"data\",\"1\"]]"] {
            #expect(verdict(Self.letter("bad-token", value)) == .left(.notALetter), "\(value)")
        }
        for time in ["", "yesterday", "2016-06-20"] {
            #expect(verdict(Self.letter("bad-token", at: time)) == .left(.notALetter), "\(time)")
        }
        settings.kafka.maxRecordBytes = 300
        #expect(verdict(Self.letter("bad-token")) == .left(.recordTooLarge))
    }

    @Test func `an id given at receipt is the event's, otherwise it is of one place in one topic and of one receipt`()
        throws
    {
        let directory = try TemporaryDirectory()
        var settings = try RunningBridge.settings(servers: "x", directory: directory, prefix: "x")
        func id(_ letter: DeadLetter) throws -> String {
            var readmission = Readmission(settings: settings, portals: Self.today)
            var event = EventRecord()
            #expect(readmission.judge(letter, into: &event) == .admitted(.online))
            return String(try #require(Self.text(event.value.bytes).firstMatch(of: /"id":"([0-9a-f-]{36})"/)).1)
        }
        var ids = [
            try id(Self.letter("bad-token")), try id(Self.letter("bad-token", partition: 2)),
            try id(Self.letter("bad-token", offset: 6)),
            // A topic that was made anew begins at offset 0 again.
            try id(Self.letter("bad-token", at: "2016-06-20T16:21:55.121Z")),
        ]
        settings.kafka.deadLetterTopic = "another"
        ids.append(try id(Self.letter("bad-token")))
        #expect(Set(ids).count == 5, "\(ids)")
        #expect(ids[0] == "6039b3e2-8cd4-5eee-ae7a-df5887786808", "never to be changed")
        let given = EnvelopeID(high: 0x0199_C0DE_7C1A_7B5E, low: 0x9F0D_2F1F_6D1C_0A42)
        for offset in [5, 6] as [Int64] {
            let id = try id(Self.letter("bad-token", offset: offset, id: given))
            #expect(id == "0199c0de-7c1a-7b5e-9f0d-2f1f6d1c0a42")
        }
    }

    /// A dead letter as the receiver writes it.
    private static func record(of id: EnvelopeID, _ settings: BridgeSettings) throws -> EventRecord {
        var form = BracketForm()
        try Array(event(id: "1").utf8).withUnsafeBytes { try form.decode($0) }
        guard case .event(let event) = InboundCall(form) else { throw WaitingEnded() }
        var normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: .structured,
            replica: nil
        )
        var record = EventRecord()
        try normalizer.deadLetter(
            event,
            of: form,
            topic: settings.kafka.deadLetterTopic,
            reason: .badToken,
            receivedAt: WallClock.now(),
            tokenDigest: nil,
            id: id,
            into: &record
        )
        return record
    }

    /// As after a kill -9, or a replay of the range in which they lie.
    @Test func `a letter that was sent twice is one letter`() async throws {
        let prefix = "twice\(UUID().uuidString.prefix(6))"
        let settings = try RunningBridge.settings(
            servers: Kafka.servers,
            directory: TemporaryDirectory(),
            prefix: prefix
        )
        let ids = (1...3).map { EnvelopeID(high: 0x7000, low: 0x8000_0000_0000_0000 | UInt64($0)) }
        try await blocking {
            let sender = try RecordSender(settings: settings, timeout: .seconds(10))
            defer { sender.close() }
            // The last two are of a version that gave no ids.
            for id in [ids[0], ids[1], ids[0], ids[2], ids[1], nil, nil] {
                var record = EventRecord()
                if let id {
                    record = try Self.record(of: id, settings)
                } else {
                    record.topic = Array(settings.kafka.deadLetterTopic.utf8)
                    record.key = Array(memberID.utf8)
                    record.value.raw("[]")
                }
                #expect(sender.send(record, label: ""))
            }
            sender.finish { _ in }
            #expect(sender.delivered == 7)
        }
        let letters = try await Self.letters(settings, areOnce: false)
        #expect(letters.map(\.id) == ids + [nil, nil])
        let first = try #require(letters.first).offset
        #expect(letters.map { $0.offset - first } == [0, 1, 3, 5, 6], "the first place counts")
    }

    @Test func `letters are chosen by reason, portal, token and time`() throws {
        let digest = Self.text(TokenDigest(token: Self.newToken.utf8).hexadecimal)
        let letter = Self.letter("bad-token")
        func admits(_ set: (inout DeadLetterFilter) -> Void) -> Bool {
            var filter = DeadLetterFilter()
            set(&filter)
            return filter.admits(letter)
        }
        #expect(admits { _ in } && admits { $0.reasons = ["bad-token", "x"] } && !admits { $0.reasons = ["x"] })
        #expect(admits { $0.portal = "newcomer" } && !admits { $0.portal = "new" })
        #expect(admits { $0.tokenDigest = String(digest.prefix(8)) } && !admits { $0.tokenDigest = "00000000" })
        let at = try #require(Timestamp(rfc3339: "2016-06-20T16:21:55.120Z"))
        #expect(at.milliseconds == 1_466_439_715_120 && Timestamp(rfc3339: "2016-06-20T16:21:55Z") != nil)
        #expect(admits { $0.since = at } && !admits { $0.since = Timestamp(milliseconds: at.milliseconds + 1) })
    }

    @Test func `a topic without letters is read at once`() async throws {
        try await Kafka.withCluster { cluster in
            let settings = try RunningBridge.settings(
                servers: cluster.bootstrapServers,
                directory: TemporaryDirectory(),
                prefix: "none"
            )
            let letters = try await blocking {
                var letters = 0
                _ = try DeadLetterTopic(settings: settings, timeout: .seconds(10)).read { _, _, _ in letters += 1 }
                return letters
            }
            #expect(letters == 0)
            cluster.setTopicError("none.dead-letter", .topicAuthorizationFailed)
            await #expect(throws: KafkaError.self) {
                try await blocking {
                    _ = try DeadLetterTopic(settings: settings, timeout: .seconds(10)).read { _, _, _ in }
                }
            }
        }
    }

    @Test func `every record is confirmed or named with its reason`() async throws {
        try await Kafka.withCluster { cluster in
            let settings = try RunningBridge.settings(
                servers: cluster.bootstrapServers,
                directory: TemporaryDirectory(),
                prefix: "send"
            )
            cluster.setTopicError("send.closed", .unknownTopicOrPartition)
            let (delivered, failed) = try await blocking {
                let sender = try RecordSender(settings: settings, timeout: .seconds(10))
                defer { sender.close() }
                for index in 0..<500 {
                    var record = EventRecord()
                    record.topic = Array((index % 100 == 7 ? "send.closed" : "send.open").utf8)
                    record.key = [1]
                    record.value.raw("{}")
                    #expect(sender.send(record, label: "0@\(index)"))
                }
                sender.finish { _ in }
                return (sender.delivered, sender.failures.map { "\($0.label) \($0.topic)" })
            }
            #expect(delivered == 495)
            #expect(failed.sorted() == [7, 107, 207, 307, 407].map { "0@\($0) send.closed" }.sorted())
            #expect(try await Kafka.read(495, from: ["send.open"], at: cluster.bootstrapServers).count == 495)
        }
    }

    @Test func `without Kafka it ends in time and names what was not sent`() async throws {
        let settings = try RunningBridge.settings(servers: "127.0.0.1:1", directory: TemporaryDirectory(), prefix: "x")
        let failures = try await blocking {
            let sender = try RecordSender(settings: settings, timeout: .seconds(1))
            defer { sender.close() }
            var record = EventRecord()
            record.topic = Array("t".utf8)
            _ = sender.send(record, label: "0@1")
            sender.finish { _ in }
            return sender.failures.map { "\($0.label) \($0.error)" }
        }
        #expect(
            failures.count == 1 && failures[0].contains("0@1") && failures[0].contains("refused")
                && failures[0].contains("Write"),
            "\(failures)"
        )
    }
}
