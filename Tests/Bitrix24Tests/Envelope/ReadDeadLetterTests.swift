import Foundation
import Testing

@testable import Bitrix24

/// A dead letter, read back, becomes what its body would have become.
@Suite struct ReadDeadLetterTests {
    /// The record of a body and that of its dead letter, with the same receipt.
    private func records(_ body: String) throws -> (body: EventRecord, letter: EventRecord) {
        let letter = try Sample.deadLetter(body)
        let lists = try #require(try JSONSerialization.jsonObject(with: Data(letter.value.bytes)) as? [[String]])
        var form = BracketForm()
        try form.decode(deadLetterPairs: lists.map { (name: $0[0], value: $0[1]) })
        var normalizer = try Sample.normalizer()
        var record = EventRecord()
        let id = EnvelopeID(high: 0x0199_C0DE_7C1A_7B5E, low: 0x9F0D_2F1F_6D1C_0A42)
        try normalizer.normalize(
            try Sample.event(in: form),
            of: form,
            domain: nil,
            receipt: Receipt(id: id, receivedAt: Sample.receivedAt, origin: .online),
            into: &record
        )
        return (try Sample.record(body), record)
    }

    private func expectSame(_ body: String, _ sourceLocation: SourceLocation = #_sourceLocation) throws {
        let (direct, letter) = try records(body)
        #expect(letter.topicText == direct.topicText, sourceLocation: sourceLocation)
        #expect(letter.keyText == direct.keyText, sourceLocation: sourceLocation)
        #expect(letter.valueText == direct.valueText, sourceLocation: sourceLocation)
        #expect(
            letter.headerList.map { "\($0.name): \($0.value)" } == direct.headerList.map { "\($0.name): \($0.value)" },
            sourceLocation: sourceLocation
        )
    }

    private static let bodies: [URL] = {
        let folder = URL(filePath: #filePath).appending(path: "../../../Fixtures/bodies").standardized
        return (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
    }()

    @Test func everyEventAmongTheFixturesComesBack() throws {
        var events = 0
        for file in Self.bodies where file.pathExtension == "form" {
            let body = String(decoding: try Data(contentsOf: file), as: UTF8.self)
            guard let form = try? Sample.form(body), case .event = InboundCall(form) else { continue }
            events += 1
            try expectSame(body)
        }
        #expect(events > 40)
    }

    @Test(arguments: [
        "data[FIELDS][ID]=7&data[FIELDS][x]=a%2Bb%26c%3Dd+e%25", "data[a][]=1&data[a][]=2&data[b][]=",
        "data[0]=a&data[2]=b&data[ x]=1&data[x.y]=2", "data[FIELDS][ID]=%22%5C%0A%01%7F%C3%A4%F0%9F%98%80",
        "data[%C3%A4]=1&data[FIELDS]=x&data[FIELDS][ID]=3", "data=scalar", "data[x]=%FF%C3&data[y]=%00", "=x&data[a]",
        "data[TOKEN]=short&data[password][a]=1&data[password][b]=2", "data[a[b]=1&data[c]d=2&data.x=1",
        "data[]=[redacted]&data[redacted]=1&data[x]=[redacted]", "auth[domain]=p.bitrix24.com&auth[user_id]=5&ts=12",
    ])
    func whatItsBodyWouldHaveBecome(fields: String) throws {
        try expectSame("event=ONCRMDEALADD&" + fields + "&auth[member_id]=a&auth[application_token]=\(Sample.token)")
    }

    @Test(arguments: [
        "data[x]=%T", "data[x]=a%Tb&data[y]=%T%T", "data[FIELDS][ID]=%T", "data[%T]=1&data[y]=2",
        "data[k-%T-k][y]=1&data[x][%T]=2", "event_handler_id=%T&auth[domain]=%T.x", "extra[%T]=1&%T=1",
        "data[TOKEN]=%T&data[AUTH][access_token]=%T&data[after]=%T", "data[0]=a&data[%T]=b",
    ])
    func secretsStayRedactedAndEverythingElseStays(fields: String) throws {
        let secret = "secret0secret0secret0secret0secret"
        let body =
            "event=ONCRMDEALADD&" + fields.replacingOccurrences(of: "%T", with: secret)
            + "&auth[member_id]=a&auth[application_token]=\(secret)"
        try expectSame(body)
        #expect(try !records(body).letter.everything.contains("secret0"))
    }

    @Test func theDerivedIDIsTheOneOfTheStandard() {
        func text(_ id: EnvelopeID) -> String {
            var output: [UInt8] = []
            id.write(into: &output)
            return String(decoding: output, as: UTF8.self)
        }
        // RFC 9562, appendix A.4.
        let dns = EnvelopeID(high: 0x6BA7_B810_9DAD_11D1, low: 0x80B4_00C0_4FD4_30C8)
        #expect(
            text(EnvelopeID(derivedFrom: "www.example.com", in: dns)) == "2ed6657d-e927-568b-95e1-2665a8aea6a2"
        )
        #expect(EnvelopeID(derivedFrom: "a", in: dns) != EnvelopeID(derivedFrom: "b", in: dns))
    }

    @Test func aDigestIsReadBackAsItWasWritten() {
        let digest = TokenDigest(token: Sample.token.utf8)
        #expect(TokenDigest(hexadecimal: digest.hexadecimal) == digest)
        let text = String(decoding: digest.hexadecimal, as: UTF8.self)
        for wrong in ["", "0", String(text.dropLast()), text + "0", "g" + text.dropFirst(), text.uppercased()] {
            #expect(TokenDigest(hexadecimal: wrong.utf8) == nil, "\(wrong)")
        }
    }
}
