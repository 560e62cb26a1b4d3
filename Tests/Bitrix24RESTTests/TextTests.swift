import Foundation
import Testing

@testable import Bitrix24REST

@Suite struct TextTests {
    @Test func `JSON is read as it stands`() throws {
        let text = #"{"a":[1,-2.5,true,null,"1",{}],"b":9007199254740993,"c":1e30,"d":false,"e":[]}"#
        let value = try JSONValue(json: Data(text.utf8))
        #expect(
            value == [
                "a": [1, .double(-2.5), true, nil, "1", [:]], "b": 9_007_199_254_740_993, "c": .double(1e30),
                "d": false,
                "e": [],
            ]
        )
        #expect(try JSONValue(json: value.json) == value)
        #expect(throws: (any Error).self) { try JSONValue(json: Data("<html>".utf8)) }
        #expect(throws: (any Error).self) { try JSONValue(json: Data()) }
    }

    @Test func `PHP's empty map is an empty list, and its flags are many`() {
        #expect(JSONValue.array([]).members == [:])
        #expect(JSONValue.array([1]).members == nil)
        #expect([true, 1, "1", "Y", "y", "true"].allSatisfy { (value: JSONValue) in value.flag == true })
        #expect([false, 0, "0", "N", "", "false"].allSatisfy { (value: JSONValue) in value.flag == false })
        #expect(JSONValue("en_selfhosted").flag == nil)
    }

    @Test func `deep nesting is refused and does no harm`() {
        let text = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(throws: (any Error).self) { try JSONValue(json: Data(text.utf8)) }
    }

    @Test func `parameters make a query as PHP reads it`() {
        let text = FormQuery.text([
            "handler": "https://bridge.example/e?src=1&x=ä+ b", "n": nil, "flag": true, "list": ["x", "y"],
            "options": ["min[Timeout": 5],
        ])
        #expect(
            text == "flag=1&handler=https%3A%2F%2Fbridge.example%2Fe%3Fsrc%3D1%26x%3D%C3%A4%2B%20b"
                + "&list%5B0%5D=x&list%5B1%5D=y&options%5Bmin%5BTimeout%5D=5"
        )
    }

    @Test func `quoted words lose secrets, long tokens and the end of webhook addresses`() {
        let words = SafeText(secrets: ["s3cret", ""])
        #expect(words.clean("a s3cret\nb\u{7}") == "a [redacted] b ")
        #expect(words.clean("token 0123456789abcdef0123!") == "token [redacted]!")
        #expect(
            words.clean("at https://p.example/rest/1/kk7/profile.json now")
                == "at https://p.example/rest/[redacted]/profile.json now"
        )
        #expect(
            words.clean("Unable to set event handler: Internationalization")
                == "Unable to set event handler: Internationalization"
        )
        #expect(words.clean(String(repeating: "x ", count: 100_000)).count == 300)
    }

    @Test func `a code that is none is not repeated`() {
        let words = SafeText(secrets: ["s3cret"])
        #expect(words.code("ERROR_EVENT_NOT_FOUND") == .eventNotFound)
        for text in ["", "two words", "s3cret", "token_0123456789abcdef", String(repeating: "a", count: 65)] {
            #expect(words.code(text) == .unnamed)
        }
    }

    @Test func `a webhook's address is never described`() throws {
        for text in [
            "https://acme.bitrix24.com/rest/1/abcdef0123456789", "https://acme.bitrix24.com/rest/1/abcdef0123456789/",
            "https://acme.bitrix24.com/rest/1/abcdef0123456789/profile.json",
        ] {
            let webhook = try #require(IncomingWebhook(text))
            #expect(webhook.address == "https://acme.bitrix24.com/rest/1/abcdef0123456789/")
            #expect(webhook.secret == "abcdef0123456789")
            #expect(webhook.host == "acme.bitrix24.com")
            var dumped = "\(webhook) \(webhook.debugDescription) \(Optional(webhook) as Any)"
            dump(webhook, to: &dumped)
            #expect(!dumped.contains("abcdef0123456789"))
        }
    }

    @Test(arguments: [
        "", "acme.bitrix24.com", "https://acme.bitrix24.com/", "https://acme.bitrix24.com/rest/",
        "https://acme.bitrix24.com/rest/x/abc/", "https://u@acme.bitrix24.com/rest/1/abc/",
        "https://acme.bitrix24.com/rest/1/abc/?x=1", "https://acme.bitrix24.com/rest/1/abc-def/",
    ])
    func `what is no webhook's address is not taken`(text: String) {
        #expect(IncomingWebhook(text) == nil)
    }

    @Test func `settings do not show the secret`() {
        let settings = RESTSettings(clientID: clientID, clientSecret: clientSecret)
        var text = "\(settings) \(String(reflecting: settings))"
        dump(settings, to: &text)
        #expect(!text.contains(clientSecret))
    }
}
