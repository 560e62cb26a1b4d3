import Bitrix24
import Testing

@testable import KafkaClient
@testable import Simulation

@Suite struct EventBodyTests {
    private static func body(
        _ code: String,
        entity: Int = 7,
        number: Int = 4711,
        webhook: Bool = false
    ) throws -> [UInt8] {
        let portal = try SimulationSettings.sample(webhook: webhook).portals[0]
        let shape = try #require(EventShape(of: code))
        var random = FastRandom()
        var body: [UInt8] = []
        EventBody(code: code, shape: shape, portal: portal, run: "0123456789abcdef", handlerID: 123)
            .write(.init(entity: entity, number: number, time: 1_766_047_124), random: &random, into: &body)
        return body
    }

    /// Codes of the catalog that carry a map of data.
    static let codes = EventCatalog.standard.eventTypes.map(\.code).filter { EventShape(of: $0) != nil }

    @Test func almostEveryCodeOfTheCatalogCanBeSent() {
        #expect(Self.codes.count >= EventCatalog.standard.eventTypes.count - 1)
        #expect(EventShape(of: "ONIMCONNECTORLINEDELETE") == nil, "its data is a text, in which no marker fits")
    }

    @Test(arguments: codes)
    func theBridgeReadsWhatWasMeant(code: String) throws {
        let decoded = try DecodedBody(Self.body(code))
        let event = try decoded.event()
        #expect(event.code == code)
        #expect(event.memberID == "a223c6b3710f85df22e9377d6c4f7551")
        let type = try #require(event.eventType)
        #expect(type.code == code)
        if !type.idPath.isNone { #expect(type.idPath.value(in: decoded.form) != nil, "an id is found") }
        if !type.orderPath.isNone {
            #expect(type.orderPath.value(in: decoded.form) == Array("7".utf8), "the entity orders")
        }
        #expect(decoded.text("data", "b24bridge", "number") == "4711")
        #expect(decoded.text("auth", "application_token") == "51856fefc120afa4b628cc82d3935cc1")
        #expect(decoded.text("auth", "access_token")?.count == 70)
    }

    @Test(arguments: codes)
    func theMarkIsFoundInTheRecordOfEitherMode(code: String) throws {
        let decoded = try DecodedBody(Self.body(code))
        for mode in EnvelopeMode.allCases {
            let record = try decoded.record(mode: mode, domain: nil)
            #expect(Marker(run: "0123456789abcdef").number(in: record.value.bytes) == 4711)
            #expect(Marker(run: "0123456789abcdee").number(in: record.value.bytes) == nil, "of another run")
        }
    }

    /// Byte for byte what a portal sent, but for the mark and the random access token.
    @Test func aBodyLooksAsBitrix24WritesIt() throws {
        var text = String(decoding: try Self.body("ONCRMDEALADD"), as: UTF8.self)
        let mark = "data%5Bb24bridge%5D%5Brun%5D=0123456789abcdef&data%5Bb24bridge%5D%5Bnumber%5D=4711&"
        #expect(text.contains(mark))
        text.replace(mark, with: "")
        text.replace(/access_token%5D=[0-9a-f]{70}&/, with: "access_token%5D=T&")
        #expect(
            text == """
                event=ONCRMDEALADD&event_handler_id=123&data%5BFIELDS%5D%5BID%5D=7&ts=1766047124&\
                auth%5Baccess_token%5D=T&auth%5Bexpires%5D=1766050724&auth%5Bexpires_in%5D=3600&auth%5Bscope%5D=crm&\
                auth%5Bdomain%5D=portal-1.example&auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix.info%2Frest%2F&\
                auth%5Bstatus%5D=L&auth%5Bclient_endpoint%5D=https%3A%2F%2Fportal-1.example%2Frest%2F&\
                auth%5Bmember_id%5D=a223c6b3710f85df22e9377d6c4f7551&auth%5Buser_id%5D=1&\
                auth%5Bapplication_token%5D=51856fefc120afa4b628cc82d3935cc1
                """
        )
    }

    @Test func aWebhookHasNoAccessToken() throws {
        let decoded = try DecodedBody(Self.body("ONCRMDEALADD", webhook: true))
        #expect(decoded.text("auth", "access_token") == nil)
        #expect(decoded.text("auth", "user_id") == nil)
        #expect(decoded.text("auth", "application_token") != nil)
        #expect(decoded.text("auth", "client_endpoint") == "https://portal-1.example/rest/")
    }

    @Test func textsSurviveTheForm() throws {
        let decoded = try DecodedBody(Self.body("ONOPENLINEMESSAGEADD"))
        #expect(
            decoded.text("data", "DATA", "0", "message", "text") == "Здравствуйте! Скидка 50% + 10% = ? a&b=c 😀"
        )
    }

    @Test func aCommentIsOrderedByItsTaskAndHasAnIDOfItsOwn() throws {
        let decoded = try DecodedBody(Self.body("ONTASKCOMMENTADD"))
        let record = try decoded.record(mode: .structured, domain: nil)
        #expect(String(decoding: record.key, as: UTF8.self) == "a223c6b3710f85df22e9377d6c4f7551/task.comment/7")
        #expect(String(decoding: record.value.bytes, as: UTF8.self).contains(#""b24entityid":"1004711""#))
    }

    @Test(arguments: EnvelopeMode.allCases)
    func aRecordIsRecognized(mode: EnvelopeMode) throws {
        let record = try DecodedBody(Self.body("ONCRMDEALUPDATE")).record(mode: mode, domain: nil)
        var headers: [ConsumedRecord.Header] = []
        record.headers.forEach { name, value in
            headers.append(.init(name: String(decoding: name, as: UTF8.self), value: Array(value)))
        }
        func consumed(_ headers: [ConsumedRecord.Header]) -> ConsumedRecord {
            ConsumedRecord(
                topic: "bitrix24.crm.deal",
                partition: 0,
                offset: 0,
                timestampMilliseconds: nil,
                key: record.key,
                value: record.value.bytes,
                headers: headers
            )
        }
        let recognizer = Recognizer(run: "0123456789abcdef", mode: mode)
        let first = try #require(recognizer.arrival(consumed(headers)))
        #expect(first.number == 4711)
        #expect(first.isOfExpectedMode)
        let other = mode == .structured ? EnvelopeMode.binary : .structured
        #expect(
            try #require(Recognizer(run: "0123456789abcdef", mode: other).arrival(consumed(headers))).isOfExpectedMode
                == false
        )
        // The id is told from another one.
        let again = try DecodedBody(Self.body("ONCRMDEALUPDATE")).record(mode: mode, domain: nil)
        var othersHeaders: [ConsumedRecord.Header] = []
        again.headers.forEach { name, value in
            othersHeaders.append(.init(name: String(decoding: name, as: UTF8.self), value: Array(value)))
        }
        let second = ConsumedRecord(
            topic: "bitrix24.crm.deal",
            partition: 0,
            offset: 1,
            timestampMilliseconds: nil,
            key: again.key,
            value: again.value.bytes,
            headers: othersHeaders
        )
        #expect(try #require(recognizer.arrival(second)).idHash != first.idHash)
        #expect(Recognizer(run: "fedcba9876543210", mode: mode).arrival(second) == nil)
    }

    @Test func theMarkersNumberIsTakenWithCare() {
        let marker = Marker(run: "ab")
        #expect(marker.number(in: []) == nil)
        #expect(marker.number(in: Array(#"{"b24bridge":{"run":"ab","number":""#.utf8)) == nil)
        #expect(marker.number(in: Array(#"{"b24bridge":{"run":"ab","number":"x"}"#.utf8)) == nil)
        #expect(marker.number(in: Array(#"{"b24bridge":{"run":"ab","number":"0"}"#.utf8)) == 0)
        let long = String(repeating: "9", count: 40)
        #expect(marker.number(in: Array(#"{"b24bridge":{"run":"ab","number":"\#(long)"}"#.utf8)) != nil, "no overflow")
    }
}
