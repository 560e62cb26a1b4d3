import Testing

@testable import Simulation

@Suite struct PHPValueTests {
    @Test func `JSON is written as PHP writes it`() {
        let value: PHPValue = [
            "url": "https://a/", "none": .null, "empty": .emptyMap, "list": ["a", 1, true], "0": "x",
            "like": ["0": "a", "1": "b"], "text": "Größe \"1\"\n",
        ]
        #expect(
            String(decoding: value.json, as: UTF8.self)
                == #"{"url":"https:\/\/a\/","none":null,"empty":[],"list":["a",1,true],"0":"x","like":["a","b"],"#
                + #""text":"Größe \"1\"\n"}"#
        )
    }

    @Test func `JSON is read in its order`() {
        let text = #" {"b": [1, -2.5, "\u0041\n\ud83d\ude00"], "a": {"x": null, "y": false}, "e": []} "#
        #expect(
            PHPValue(json: text.utf8) == [
                "b": [1, .double(-2.5), "A\n😀"], "a": ["x": .null, "y": false], "e": [],
            ]
        )
        #expect(PHPValue(json: text.utf8)?.members.map(\.name) == ["b", "a", "e"])
    }

    @Test(arguments: ["", "{", "[1,]", "{\"a\":}", "\"\\", "{\"a\" 1}", "1 2", "nul", "<html>"])
    func `what is no JSON is none`(text: String) {
        #expect(PHPValue(json: text.utf8) == nil)
    }

    @Test func `a form has no null and no empty map, and comes back`() throws {
        let value: PHPValue = [
            "event": "X", "none": .null, "empty": .emptyMap, "data": ["QUERY": ["a b": "ä+&="], "list": ["x", "y"]],
            "yes": true, "no": false,
        ]
        let form = String(decoding: value.form, as: UTF8.self)
        #expect(
            form == "event=X&data%5BQUERY%5D%5Ba+b%5D=%C3%A4%2B%26%3D&data%5Blist%5D%5B0%5D=x&data%5Blist%5D%5B1%5D=y"
                + "&yes=1&no=0"
        )
        #expect(
            try PHPValue(form: form.utf8) == [
                "event": "X", "data": ["QUERY": ["a b": "ä+&="], "list": ["x", "y"]], "yes": "1", "no": "0",
            ]
        )
    }

    @Test func `the same seed makes the same portals, with other tokens`() {
        var settings = StandInSettings(portals: 2000)
        settings.seed = 1
        var first = PortalWorld(settings)
        var second = PortalWorld(settings)
        #expect(first.portals.map(\.memberID) == second.portals.map(\.memberID))
        #expect(Set(first.portals.map(\.memberID)).count == 2000)
        #expect(first.makeAccessToken(of: 0, user: 1) != second.makeAccessToken(of: 0, user: 1))
        settings.seed = nil
        #expect(PortalWorld(settings).portals[0].memberID != first.portals[0].memberID)
    }
}
