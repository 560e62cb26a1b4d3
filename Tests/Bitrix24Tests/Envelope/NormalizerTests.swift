import Foundation
import Testing

@testable import Bitrix24

@Suite struct NormalizerTests {
    @Test(arguments: [
        ("", "{}"), ("data=107", #""107""#), ("data=", #""""#), ("data[]=a&data[]=b", #"["a","b"]"#),
        ("data[FIELDS][ID]=0&data[x]=007", #"{"FIELDS":{"ID":"0"},"x":"007"}"#),
        ("data[1]=a&data[2]=b", #"{"1":"a","2":"b"}"#),
        ("data[a][]=1&data[a][]=2&data[b][c][]=3", #"{"a":["1","2"],"b":{"c":["3"]}}"#),
        ("data[a%22b]=c%5Cd%0A%00", #"{"a\"b":"c\\d\n\u0000"}"#), ("data[]=%FF%FE", "[\"\u{FFFD}\u{FFFD}\"]"),
        ("data[__proto__][constructor]=1&data[%00x]=2", #"{"__proto__":{"constructor":"1"}}"#),
    ])
    func dataIsWhatPHPHolds(fields: String, expected: String) throws {
        #expect(try Sample.record("event=ONX&auth[member_id]=a&" + fields).data() == expected)
    }

    @Test func aMapHasNoNameTwiceWhateverWasCutOrRepaired() throws {
        let token = Sample.token
        let fields = [
            ("data[\(token)]", "1"), ("data[x\(token)]", "2"), ("data[x[redacted\(token)]", "3"), ("data[#2]", "4"),
        ]
        #expect(
            try Sample.record(Sample.body("ONX", fields)).data()
                == ##"{"[redacted]":"1","x[redacted]":"2","x[redacted[redacted]":"3","#2":"4"}"##
        )
        let damaged =
            "event=ONX&auth[member_id]=a&data[%EF%BF%BD#2]=0&data[%FF]=1&data[%FE]=2&data[%FD]=3&data[%EF%BF%BD]=4"
        #expect(
            try Sample.record(damaged).data()
                == "{\"\u{FFFD}#2\":\"0\",\"\u{FFFD}#3\":\"1\",\"\u{FFFD}#4\":\"2\",\"\u{FFFD}#5\":\"3\",\"\u{FFFD}\":\"4\"}"
        )
    }

    @Test func aThousandNamesThatBecomeOneStayApartInBoundedTime() throws {
        // 990 names that are all ill-formed, and differ.
        let fields = (0..<990).map {
            "data[%FF%\(String(0x80 + $0 % 60, radix: 16))%\(String(0x80 + $0 / 60, radix: 16))]=\($0)"
        }
        let body = "event=ONX&auth[member_id]=a&" + fields.joined(separator: "&")
        let clock = ContinuousClock()
        var names = 0
        let elapsed = try clock.measure {
            let data = try #require(try Sample.record(body).envelope()["data"] as? [String: Any])
            names = data.count
        }
        #expect(names == 990)
        #expect(elapsed < .seconds(10))
    }

    @Test func theDeepestFormIsWritten() throws {
        let deep = String(repeating: "[a]", count: 64)
        let record = try Sample.record("event=ONX&auth[member_id]=a&data\(deep)=1")
        let opening = String(repeating: #"{"a":"#, count: 64)
        #expect(try record.data() == opening + #""1""# + String(repeating: "}", count: 64))
    }

    @Test func repairsAreCounted() throws {
        #expect(try Sample.record("event=ONX&auth[member_id]=a&data[%FF]=%FE&data[x]=%C3").value.repairs >= 3)
        #expect(try Sample.record(Sample.body("ONX")).value.repairs == 0)
    }

    @Test func attributesWithoutAValueAreLeftOut() throws {
        let bare = try Sample.record(
            "event=ONAPPINSTALL&auth[member_id]=a&auth[domain]=&auth[user_id]=&event_handler_id="
        )
        let names = try bare.envelope().keys.sorted()
        #expect(
            names == [
                "b24action", "b24entity", "b24event", "b24origin", "data", "datacontenttype", "id", "partitionkey",
                "recordedtime", "source", "specversion", "subject", "time", "type",
            ]
        )
        let maps = try Sample.record(
            "event=ONAPPINSTALL&auth[member_id]=a&auth[domain][]=x&auth[user_id][]=y&event_handler_id[]=z"
        )
        #expect(try maps.envelope().keys.sorted() == names)
    }

    @Test func theSourceIsAURIWhateverTheMemberID() throws {
        let record = try Sample.record("event=ONX&auth[member_id]=a%2F..%3F%23%25%20%D0%9F%FF%22")
        #expect(try record.attribute("source") == "/bitrix24/a%2F..%3F%23%25%20%D0%9F%EF%BF%BD%22")
        #expect(record.keyText == "a/..?#% П\u{FFFD}\"/other")
    }

    @Test(arguments: EventOrigin.allOrigins)
    func theOriginSaysWhatVouchesForTheEvent(origin: EventOrigin) throws {
        #expect(try Sample.record(Sample.body("ONX"), origin: origin).attribute("b24origin") == origin.rawValue)
    }

    // MARK: The trace

    @Test(arguments: [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-0123",
    ])
    func aTraceIsPassedThroughAsAttributeAndHeader(trace: String) throws {
        let structured = try Sample.record(Sample.body("ONX"), traceparent: trace)
        #expect(try structured.attribute("traceparent") == trace)
        #expect(structured.header("traceparent") == trace)
        let binary = try Sample.record(Sample.body("ONX"), mode: .binary, traceparent: trace)
        #expect(binary.header("ce_traceparent") == trace)
        #expect(binary.header("traceparent") == trace)
    }

    @Test(arguments: [
        "", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nx: y",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-" + String(repeating: "a", count: 200),
    ])
    func whatIsNoTraceIsLeftOut(trace: String) throws {
        let record = try Sample.record(Sample.body("ONX"), traceparent: trace)
        #expect(try record.attribute("traceparent") == nil)
        #expect(record.header("traceparent") == nil)
    }

    // MARK: The place of the sequence

    @Test(arguments: EnvelopeMode.allCases)
    func theSequencePlaceHoldsTwentyZerosThatCanBeWrittenOver(mode: EnvelopeMode) throws {
        let normalizer = try Sample.normalizer(mode: mode, replica: "b24bridge-0")
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        var record = try Sample.record(Sample.body("ONCRMDEALADD"), with: normalizer, traceparent: trace)
        let place = try #require(record.sequencePlace)
        let digits = Array("00000000000000004711".utf8)
        switch place {
        case .value(let start):
            #expect(mode == .structured)
            #expect(record.value.bytes[start..<start + 20].allSatisfy { $0 == UInt8(ascii: "0") })
            record.value.bytes.replaceSubrange(start..<start + 20, with: digits)
            #expect(try record.attribute("sequence") == "b24bridge-0.00000000000000004711")
        case .headers(let start):
            #expect(mode == .binary)
            #expect(record.headers.bytes[start..<start + 20].allSatisfy { $0 == UInt8(ascii: "0") })
            #expect(record.header("ce_sequence") == "b24bridge-0.00000000000000000000")
            let before = String(decoding: record.headers.bytes[..<start], as: UTF8.self)
            #expect(before.hasSuffix("ce_sequenceb24bridge-0."))
        }
    }

    @Test func withoutAJournalThereIsNoSequence() throws {
        for mode in EnvelopeMode.allCases {
            let record = try Sample.record(Sample.body("ONX"), mode: mode)
            #expect(record.sequencePlace == nil)
            #expect(!record.everything.contains("sequence"))
        }
    }

    @Test func aReplicasNameIsCleanedLikeAnyAttribute() throws {
        let record = try Sample.record(Sample.body("ONX"), with: try Sample.normalizer(replica: "a\"\n\\"))
        #expect(try record.attribute("sequence") == "a\"\u{FFFD}\\.00000000000000000000")
        guard case .value(let start) = record.sequencePlace else {
            Issue.record("no place in the value")
            return
        }
        #expect(record.value.bytes[start..<start + 20].elementsEqual(repeatElement(UInt8(ascii: "0"), count: 20)))
    }

    // MARK: One record after the other

    @Test func aRecordHasNothingOfTheOneBefore() throws {
        let bodies = try Fixtures.bodies().filter {
            (try? Sample.record(String(decoding: $0.body, as: UTF8.self))) != nil
        }
        try #require(bodies.count > 50)
        var form = BracketForm()
        var record = EventRecord()
        for mode in EnvelopeMode.allCases {
            var normalizer = try Sample.normalizer(mode: mode)
            for (name, body) in bodies + bodies.reversed() {
                try body.withUnsafeBytes { try form.decode($0) }
                try normalizer.normalize(
                    try Sample.event(in: form),
                    of: form,
                    domain: nil,
                    receipt: Receipt(
                        id: EnvelopeID(high: 0x0199_C0DE_7C1A_7B5E, low: 0x9F0D_2F1F_6D1C_0A42),
                        receivedAt: Sample.receivedAt,
                        origin: .online
                    ),
                    into: &record
                )
                let fresh = try Sample.record(String(decoding: body, as: UTF8.self), mode: mode)
                #expect(record.everything == fresh.everything, "\(name)")
            }
        }
    }
}

extension EventOrigin {
    static let allOrigins: [EventOrigin] = [.online, .webhook, .offline]
}
