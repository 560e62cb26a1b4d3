import Testing

@testable import Bitrix24

@Suite struct RecordTemplateTests {
    private let deal = Sample.body("ONCRMDEALUPDATE", [("data[FIELDS][ID]", "4711")])
    private let portal = Sample.memberID

    private func topic(_ template: String, _ body: String? = nil, domain: String? = nil) throws -> String {
        try Sample.record(body ?? deal, with: try Sample.normalizer(topic: template), domain: domain).topicText
    }

    private func key(_ template: String, _ body: String? = nil, domain: String? = nil) throws -> String {
        let record = try Sample.record(body ?? deal, with: try Sample.normalizer(key: template), domain: domain)
        #expect(try record.attribute("partitionkey") == record.keyText)
        return record.keyText
    }

    private func fault(_ make: () throws -> Void) -> String {
        do {
            try make()
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test func aTopicIsMadeOfItsPlaceholders() throws {
        #expect(try topic("bitrix24.{entity}") == "bitrix24.crm.deal")
        #expect(try topic("{scope}-{action}_{entity}") == "crm-update_crm.deal")
        #expect(try topic("{portal}.{domain}", domain: "acme.bitrix24.com") == "\(portal).acme.bitrix24.com")
        #expect(try topic("x{domain}") == "xunknown")
        #expect(try topic("all-events") == "all-events")
    }

    @Test func theDomainIsThePortalsAndNotTheBodys() throws {
        let forged = Sample.body("ONCRMDEALADD", [("auth[domain]", "forged.example"), ("domain", "forged.example")])
        #expect(try topic("{domain}", forged, domain: "acme.bitrix24.com") == "acme.bitrix24.com")
        #expect(try topic("{domain}", forged) == "unknown")
        #expect(try key("{domain}/{id}", forged, domain: "acme.bitrix24.com") == "acme.bitrix24.com")
    }

    @Test(arguments: [
        ("{domain}", "пример.рф", "____________.____"), ("{domain}", "a b/c:d\u{0}", "a_b_c_d_"),
        ("{domain}", ".", "._"),
        ("{domain}", "..", ".._"), ("{domain}", "", "_"), ("{domain}", "...", "..."), (".{domain}", "", "._"),
    ])
    func aTopicIsLegalWhateverTheValues(template: String, domain: String, expected: String) throws {
        #expect(try topic(template, domain: domain) == expected)
    }

    @Test func aTopicThatWouldBeTooLongEndsInADigest() throws {
        let longest = try topic("x{domain}", domain: String(repeating: "d", count: 248))
        #expect(longest == "x" + String(repeating: "d", count: 248))
        let cut = try topic("x{domain}", domain: String(repeating: "d", count: 249))
        #expect(cut.utf8.count == 249)
        #expect(cut.wholeMatch(of: /xd{231}-[0-9a-f]{16}/) != nil)
        #expect(try cut != topic("x{domain}", domain: String(repeating: "d", count: 250)))
        #expect(try cut == topic("x{domain}", domain: String(repeating: "d", count: 249)))
    }

    @Test(arguments: [
        ("bitrix24.{entty}", "knows no {entty}; use {entity}, {scope}, {action}, {portal}, {domain}"),
        ("{id}", "knows no {id}; use {entity}, {scope}, {action}, {portal}, {domain}"),
        ("{", "has a brace without its partner; write placeholders as {entity}"),
        ("a}b", "has a brace without its partner; write placeholders as {entity}"),
        ("{}", "knows no {}; use {entity}, {scope}, {action}, {portal}, {domain}"),
        ("", "is empty; leave it out to get the default"),
        ("a/{entity}", "may hold letters, digits, '.', '_' and '-' beside its placeholders; leave out the rest"),
        ("é", "may hold letters, digits, '.', '_' and '-' beside its placeholders; leave out the rest"),
        ("..", "is no legal topic name; use 1 to 249 characters, not '.' or '..'"),
        (String(repeating: "a", count: 250), "is no legal topic name; use 1 to 249 characters, not '.' or '..'"),
    ])
    func saysWhatIsWrongWithATopic(template: String, expected: String) {
        #expect(fault { _ = try TopicTemplate(template) } == expected)
    }

    @Test func aKeyIsMadeOfItsPlaceholders() throws {
        #expect(try key(KeyTemplate.defaultText) == "\(portal)/crm.deal/4711")
        #expect(try key("{scope}:{action}:{id}") == "crm:update:4711")
        #expect(try key("{id}{id}") == "47114711")
        #expect(try key("Ключ {id}") == "Ключ 4711")
        #expect(try key("constant") == "constant")
    }

    @Test func withoutAnIdItsPlaceholderGoesWithTheTextBeforeIt() throws {
        let install = Sample.body("ONAPPINSTALL", [("data[VERSION]", "1")])
        #expect(try key(KeyTemplate.defaultText, install) == "\(portal)/app")
        #expect(try key("{portal}-{id}-{entity}", install) == "\(portal)-app")
        #expect(try key("{portal}{id}", install) == portal)
        #expect(try key("id={id}", install) == "\(portal)/app")
        #expect(try key("{id}", install) == "\(portal)/app")
        #expect(try key("{portal}/{id}/{id}", install) == portal)
    }

    @Test func aKeyOverItsLengthIsItsDigest() throws {
        func body(_ count: Int) -> String {
            Sample.body("ONCRMDEALADD", [("data[FIELDS][ID]", String(repeating: "7", count: count))])
        }
        let rest = "\(portal)/crm.deal/"
        #expect(
            try key(KeyTemplate.defaultText, body(256 - rest.count)) == rest
                + String(repeating: "7", count: 256 - rest.count)
        )
        let long = try key(KeyTemplate.defaultText, body(257 - rest.count))
        let digest = TokenDigest(token: (rest + String(repeating: "7", count: 257 - rest.count)).utf8).hexadecimal
        #expect(long == String(decoding: digest, as: UTF8.self))
    }

    @Test(arguments: [
        ("{ID}", "knows no {ID}; use {portal}, {entity}, {id}, {action}, {scope}, {domain}"),
        ("{portal", "has a brace without its partner; write placeholders as {portal}"),
        ("", "is empty; leave it out to get the default"), ("{id}\t", "holds a control character; leave it out"),
        ("\u{85}{id}", "holds a control character; leave it out"),
    ])
    func saysWhatIsWrongWithAKey(template: String, expected: String) {
        #expect(fault { _ = try KeyTemplate(template) } == expected)
    }

    @Test func theKeyIsThePartitionKeyInBothModesWhateverTheBody() throws {
        let ids = ["4711", "\u{1}\u{7F}", "a\"b\\c/d", "\u{FFFF}é", "%", String(repeating: "x", count: 999), "a\nb"]
        for id in ids {
            let body = Sample.body("ONCRMDEALADD", [("data[FIELDS][ID]", id)])
            let structured = try Sample.record(body, mode: .structured, domain: "a\u{1}b")
            #expect(try structured.attribute("partitionkey") == structured.keyText)
            let binary = try Sample.record(body, mode: .binary)
            #expect(binary.header("ce_partitionkey") == binary.keyText)
            #expect(binary.keyText == structured.keyText)
            #expect(binary.key.withUnsafeBytes(UTF8Text.isAttribute))
            #expect((1...256).contains(binary.key.count))
        }
        #expect(try key("{domain}", domain: "a\u{1}b") == "a\u{FFFD}b")
        let invalid = try Sample.record("event=ONCRMDEALADD&data[FIELDS][ID]=%FF%C3&auth[member_id]=%FE")
        #expect(invalid.keyText == "\u{FFFD}/crm.deal/\u{FFFD}\u{FFFD}")
        #expect(try invalid.attribute("partitionkey") == invalid.keyText)
    }
}
