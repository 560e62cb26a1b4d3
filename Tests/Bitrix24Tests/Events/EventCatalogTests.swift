import Testing

@testable import Bitrix24

@Suite struct EventCatalogTests {
    let catalog = EventCatalog.standard

    @Test func everyDocumentedCodeHasItsRow() {
        // b24restdocs in 2026: 212 codes, of which three are templates of the numbered smart-process codes.
        #expect(catalog.eventTypes.count == 209)
        #expect(Set(catalog.eventTypes.map(\.code)).count == 209)
        for type in catalog.eventTypes { #expect(catalog.eventType(for: type.code)?.code == type.code) }
    }

    @Test func everyRowIsLegalInTopicsTypesAndTheSchema() {
        for type in catalog.eventTypes + [EventCatalog.unknown] {
            #expect(type.entity.wholeMatch(of: /[a-z0-9]+(\.[a-z0-9]+)*/) != nil, "\(type.code): entity")
            #expect(type.action.wholeMatch(of: /[a-z0-9]+/) != nil, "\(type.code): action")
            #expect(type.scope.wholeMatch(of: /[a-z0-9_.]+/) != nil, "\(type.code): scope")
            #expect(type.cloudEventType == "com.bitrix24.\(type.entity).\(type.action)")
        }
        for type in catalog.eventTypes {
            #expect(type.code.wholeMatch(of: /[A-Z0-9.]+/) != nil, "\(type.code): codes are compared in upper case")
            #expect(type.documentationPage?.hasSuffix(".md") ?? true, "\(type.code): page")
        }
    }

    @Test(arguments: [
        ("ONCRMDEALUPDATE", "crm.deal", "update", "crm"),
        ("ONCRMDEALMOVETOCATEGORY", "crm.deal", "movetocategory", "crm"),
        ("ONAPPUPDATE", "app", "update", "basic"), ("ONIMCOMMANDADD", "imbot.command", "add", "imbot"),
        ("ONSALEBEFOREORDERDELETE", "sale.order", "beforedelete", "sale"),
        ("ONORDERDELETED", "sale.order", "delete", "sale"),
        ("CATALOG.PRICE.TYPE.ON.ADD", "catalog.pricetype", "add", "catalog"),
        ("MAIN.ON.USER.TYPE.DELETE", "main.userfield", "delete", "userfieldconfig"),
        ("ONCRMTIMELINEITEMACTION", "crm.timeline.item", "action", "crm"),
        ("ONSIGNB2EMEMBERSTATUSCHANGED", "sign.member", "statuschange", "sign.b2e"),
        ("ONOFFLINEEVENT", "offline", "notify", "basic"),
        ("ONIMBOTV2REACTIONCHANGE", "imbot2.reaction", "change", "imbot"),
    ])
    func knowsWhatACodeIsAbout(code: String, entity: String, action: String, scope: String) throws {
        let type = try #require(catalog.eventType(for: code))
        #expect((type.entity, type.action, type.scope) == (entity, action, scope))
    }

    @Test(arguments: [
        "ONCRMDYNAMICITEMADD_174", "ONCRMDYNAMICITEMADD_0", "ONCRMDYNAMICITEMADD_00000000000000000000001",
    ])
    func aNumberAtTheEndIsLookedPast(code: String) {
        #expect(catalog.eventType(for: code)?.code == "ONCRMDYNAMICITEMADD")
    }

    @Test(arguments: [
        "", "_", "_1", "ONFUTUREENTITYADD", "ONCRMDYNAMICITEMADD_", "ONCRMDYNAMICITEMADD_17A",
        "ONCRMDYNAMICITEMADD_1_2",
        "ONCRMDYNAMICITEMADD174", "ONCRMDYNAMICITEMADD_-1", "ONCRMDYNAMICITEMADD_\u{0661}", "oncrmdealupdate",
        " ONCRMDEALUPDATE",
    ])
    func aCodeThatIsNotInTheTableIsUnknown(code: String) {
        #expect(catalog.eventType(for: code) == nil)
    }

    @Test func anUnknownEventFlowsUnderAReservedName() throws {
        let record = try Sample.record(Sample.body("onFutureEntityAdd", [("data[id]", "5")]))
        #expect(record.topicText == "bitrix24.other")
        #expect(record.keyText == "\(Sample.memberID)/other/5")
        #expect(try record.attribute("type") == "com.bitrix24.other.unknown")
        #expect(try record.attribute("b24event") == "onFutureEntityAdd")
    }
}

extension EventType: CustomTestStringConvertible {
    package var testDescription: String { code }
}
