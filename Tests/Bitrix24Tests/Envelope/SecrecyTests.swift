import Foundation
import Testing

@testable import Bitrix24

/// Plants tokens wherever Bitrix24 is known to send them and looks for them in all that leaves the process.
@Suite struct SecrecyTests {
    /// A recognisable token, other than all others.
    private static func canary(_ number: Int) -> String { "canary\(1000 + number)-c120afa4b628cc82d3935cce" }

    /// Where the contract of Bitrix24 has secrets.
    private static let places = [
        "auth[access_token]", "auth[refresh_token]", "data[BOT][567][access_token]", "data[BOT][567][refresh_token]",
        "data[BOT][567][application_token]", "data[BOT][567][AUTH][access_token]",
        "data[BOT][567][AUTH][refresh_token]",
        "data[BOT][567][AUTH][application_token]", "data[COMMAND][103][access_token]",
        "data[COMMAND][103][refresh_token]", "data[COMMAND][103][AUTH][access_token]",
        "data[COMMAND][103][AUTH][application_token]", "data[bot][auth][access_token]",
        "data[bot][auth][refresh_token]",
        "data[bot][auth][application_token]", "data[TOKEN]", "AUTH_ID", "REFRESH_ID", "APPLICATION_TOKEN",
        "event_token",
        "data[client_secret]", "data[signature]", "data[jwt]", "data[password]", "data[Password][deeper][still]",
        "data[list][0][Event_Token]", "data[QUERY][a][b][c][d][e][f][Auth_Id]", "data[refresh_id][]",
    ]

    /// Where a token may be repeated by whoever wrote the event.
    private static func repeated(_ token: String) -> [(String, String)] {
        [
            ("event_handler_id", token), ("auth[domain]", "x\(token)y"), ("auth[user_id]", token), ("ts", token),
            ("data[text]", "see https://acme.bitrix24.com/rest/?auth=\(token)&x=1"), ("data[\(token)][id]", "1"),
            ("data[list][1]", token + token), ("data[map][x\(token)]", "1"), ("data[FIELDS][ID]", token),
            ("top", token), ("top[\(token)]", "1"),
        ]
    }

    private func check(_ record: EventRecord, has none: [String], _ place: String) {
        for secret in none { #expect(!record.everything.contains(secret), "\(secret) of \(place)") }
    }

    @Test(arguments: EnvelopeMode.allCases)
    func noTokenOfAnyPlaceLeaves(mode: EnvelopeMode) throws {
        let secrets = Self.places.indices.map(Self.canary)
        let body = Sample.body(
            "ONIMBOTMESSAGEADD",
            Array(zip(Self.places, secrets)) + [("data[PARAMS][MESSAGE_ID]", secrets[4])]
                + secrets.enumerated().map { ("data[copy][\($0)]", "<\($1)>") }
        )
        let record = try Sample.record(body, mode: mode, domain: "acme.bitrix24.com")
        check(record, has: secrets + [Sample.token], "an event")
        check(try Sample.deadLetter(body), has: secrets + [Sample.token], "a dead letter")
        // It is the tokens that were cut out, not all there was.
        #expect(record.valueText.contains(#""copy":["<[redacted]>","#))
        #expect(record.keyText == "\(Sample.memberID)/imbot.message/[redacted]")
    }

    @Test(arguments: places)
    func aTokenOfOnePlaceIsNowhereElse(place: String) throws {
        let secret = Self.canary(0)
        for mode in EnvelopeMode.allCases {
            let body = Sample.body("ONFUTURE", [(place, secret)] + Self.repeated(secret))
            check(try Sample.record(body, mode: mode), has: [secret], place)
            check(try Sample.deadLetter(body), has: [secret], place)
            // Whatever comes first.
            let turned = Sample.body(
                "ONFUTURE",
                Self.repeated(secret).filter { !place.hasPrefix($0.0) } + [(place, secret)]
            )
            check(try Sample.record(turned, mode: mode), has: [secret], place)
            check(try Sample.deadLetter(turned), has: [secret], place)
        }
    }

    @Test(arguments: places)
    func aShortSecretIsHiddenByItsName(place: String) throws {
        let body = Sample.body("ONFUTURE", [(place, "s3cr3t")])
        for mode in EnvelopeMode.allCases { check(try Sample.record(body, mode: mode), has: ["s3cr3t"], place) }
        check(try Sample.deadLetter(body), has: ["s3cr3t"], place)
    }

    @Test(arguments: SecretNames.all)
    func everySecretNameIsHiddenInAnyCaseAtAnyDepth(name: String) throws {
        for path in ["data[%]", "data[a][%]", "data[a][0][b][%]", "data[%][x][y]", "data[%][]"] {
            for written in [name, name.uppercased(), name.capitalized] {
                let field = path.replacing("%", with: written)
                let record = try Sample.record(Sample.body("ONFUTURE", [(field, "s3cr3t"), ("data[z]", "kept")]))
                check(record, has: ["s3cr3t"], field)
                #expect(
                    record.valueText.contains(#"[redacted]""#) && record.valueText.contains(#""z":"kept""#),
                    "\(field)"
                )
            }
        }
    }

    @Test func aTokenInTheEventsCodeOrPortalDoesNotLeave() throws {
        for name in ["event", "auth[member_id]"] {
            let fields = [("event", "ONX"), ("auth[member_id]", "a")].filter { $0.0 != name }
            let body = Sample.body(fields + [(name, "on\(Sample.token)x"), ("auth[access_token]", Sample.token)])
            for mode in EnvelopeMode.allCases {
                let normalizer = try Sample.normalizer(topic: "{portal}.{entity}", mode: mode)
                let record = try Sample.record(body, with: normalizer)
                check(record, has: [Sample.token], name)
                #expect(record.everything.contains("[redacted]"))
            }
            check(try Sample.deadLetter(body), has: [Sample.token], name)
        }
    }

    @Test func aTokenOfDamagedTextDoesNotLeaveRepaired() throws {
        let body =
            "event=ONX&auth[member_id]=0123456789%FFabcdef&auth[token]=0123456789%FFabcdef&data[x]=0123456789%FFabcdef"
        check(try Sample.record(body), has: ["0123456789", "abcdef"], "member_id")
        check(try Sample.deadLetter(body), has: ["0123456789", "abcdef"], "member_id")
    }

    @Test func aTraceWithATokenIsLeftOut() throws {
        let trace = "00-\(Sample.token)-b7ad6b7169203331-01"
        let body = Sample.body([("event", "ONX"), ("auth[member_id]", "a"), ("auth[application_token]", Sample.token)])
        let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        for mode in EnvelopeMode.allCases {
            check(try Sample.record(body, mode: mode, traceparent: trace), has: [Sample.token, "traceparent"], "trace")
            #expect(try Sample.record(body, mode: mode, traceparent: other).header("traceparent") == other)
        }
    }

    @Test func aTokenMadeOfSeveralFieldsIsNotPutTogether() throws {
        // The parts of an address's id are joined by colons.
        let body = Sample.body(
            "ONCRMADDRESSREGISTER",
            [
                ("data[FIELDS][ENTITY_TYPE_ID]", "12345678"), ("data[FIELDS][ENTITY_ID]", "87654321"),
                ("data[FIELDS][TYPE_ID]", "1"), ("auth[access_token]", "12345678:87654321"),
            ]
        )
        check(try Sample.record(body), has: ["12345678:87654321"], "an id of parts")
    }

    @Test func moreSecretsThanCanBeLookedForAreRefused() throws {
        let body = Sample.body("ONX", (0..<257).map { ("data[\($0)][token]", Self.canary($0)) })
        #expect(throws: RedactionError.self) { try Sample.record(body) }
        #expect(throws: RedactionError.self) { try Sample.deadLetter(body) }
    }
}
