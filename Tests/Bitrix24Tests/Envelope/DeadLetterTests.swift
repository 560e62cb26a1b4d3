import Foundation
import Testing

@testable import Bitrix24

@Suite struct DeadLetterTests {
    private func pairs(_ record: EventRecord) throws -> [[String]] {
        try #require(try JSONSerialization.jsonObject(with: Data(record.value.bytes)) as? [[String]])
    }

    @Test func tellsWhatCameAndWhyItWasRefused() throws {
        let record = try Sample.deadLetter(
            "event=onCrmDealAdd&a[b]=1&a[b]=2&auth[member_id]=a223&auth[application_token]=wrong"
        )
        #expect(record.topicText == "bitrix24.dead-letter")
        #expect(record.keyText == "a223")
        let digest = String(decoding: TokenDigest(token: "wrong".utf8).hexadecimal, as: UTF8.self)
        #expect(
            record.headerList.map { "\($0.name): \($0.value)" } == [
                "content-type: application/json", "b24_reason: bad-token", "b24_received_at: 2016-06-20T16:21:55.120Z",
                "b24_portal: a223", "b24_event: onCrmDealAdd", "b24_token_sha256: \(digest)",
                "b24_id: 0199c0de-7c1a-7b5e-9f0d-2f1f6d1c0a42",
            ]
        )
        #expect(
            try pairs(record) == [
                ["event", "onCrmDealAdd"], ["a[b]", "1"], ["a[b]", "2"], ["auth[member_id]", "a223"],
                ["auth[application_token]", "[redacted]"],
            ]
        )
        #expect(record.sequencePlace == nil)
    }

    @Test func announcesWithoutTheBodyIfAsked() throws {
        let record = try Sample.deadLetter(Sample.body("ONCRMDEALADD"), withBody: false)
        #expect(record.valueText == "[]")
        #expect(record.header("b24_portal") == Sample.memberID)
    }

    @Test func aNewLetterHasNothingOfTheOneBefore() throws {
        let form = try Sample.form(Sample.body("ONCRMDEALADD"))
        var normalizer = try Sample.normalizer()
        var record = try Sample.record(Sample.body("ONCRMDEALADD"))
        for _ in 0..<2 {
            try normalizer.deadLetter(
                try Sample.event(in: form),
                of: form,
                topic: "t",
                reason: .tooLarge,
                receivedAt: Sample.receivedAt,
                tokenDigest: nil,
                id: EnvelopeID(high: 1, low: 2),
                into: &record
            )
        }
        #expect(record.topicText == "t")
        #expect(record.header("b24_id") == "00000000-0000-0001-0000-000000000002")
        #expect(record.header("b24_token_sha256") == nil)
        #expect(try pairs(record).count == 4)
    }

    @Test(arguments: [
        (
            "auth[application_token][51856fefc120afa4b628cc82d3935cce]=1",
            ["auth[application_token][redacted]", "[redacted]"]
        ),
        ("auth[application_token][]=51856fef", ["auth[application_token][redacted]", "[redacted]"]),
        ("auth[access_token=51856fef", ["auth[access_token", "[redacted]"]),
        ("[access_token]=51856fef", ["[access_token]", "[redacted]"]),
        ("auth.access_token=51856fef", ["auth.access_token", "[redacted]"]),
        ("data[x]y[Access_Token]=51856fef", ["data[x]y[Access_Token]", "[redacted]"]),
        ("data[x][access_token=51856fef", ["data[x][access_token", "[redacted]"]),
        ("data%00[access_token]=51856fef", ["data\0[access_token]", "[redacted]"]),
        ("token[51856fef]=x", ["token[redacted]", "[redacted]"]),
        ("token=51856fef", ["token", "[redacted]"]), ("tokens=51856fef", ["tokens", "51856fef"]),
    ])
    func showsNeitherASecretNorWhatFollowsItsName(field: String, expected: [String]) throws {
        let record = try Sample.deadLetter("event=ONX&auth[member_id]=a&" + field)
        #expect(try pairs(record).last == expected)
    }

    @Test func aFieldThatPHPDropsIsASecretByItsNameToo() throws {
        let record = try Sample.deadLetter(
            "event=ONX&auth[member_id]=a&a[9223372036854775807]=x&a[][token]=51856fefc120afa4&b=51856fefc120afa4"
        )
        #expect(!record.everything.contains("51856fef"))
    }

    @Test func aLongMemberIDOrCodeIsShortened() throws {
        let member = String(repeating: "é", count: 200)
        let record = try Sample.deadLetter(Sample.body([("event", "x" + member), ("auth[member_id]", member)]))
        let digest = String(decoding: TokenDigest(token: member.utf8).hexadecimal, as: UTF8.self)
        #expect(record.keyText == digest)
        #expect(record.header("b24_portal") == digest)
        // 256 bytes would end within a character.
        #expect(record.header("b24_event") == "x" + String(repeating: "é", count: 127))
    }

    @Test func headersAreTextWithoutControlCharactersWhateverCame() throws {
        let record = try Sample.deadLetter("event=a%00b%0Ac%FF&auth[member_id]=%0D%0A%C3")
        #expect(record.header("b24_event") == "a\u{FFFD}b\u{FFFD}c\u{FFFD}")
        #expect(record.header("b24_portal") == "\u{FFFD}\u{FFFD}\u{FFFD}")
    }

    @Test func everyReasonIsAWordForAHeader() {
        for reason in DeadLetterReason.allCases {
            #expect(reason.rawValue.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil)
        }
    }
}
