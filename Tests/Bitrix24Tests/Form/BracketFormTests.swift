import Foundation
import Testing

@testable import Bitrix24

@Suite struct BracketFormTests {
    @Test(arguments: [
        ("a=1&a=2", #"{"a":"2"}"#), ("a[]=1&a[]=2", #"{"a":["1","2"]}"#), ("a[0]=x&a[1]=y", #"{"a":["x","y"]}"#),
        ("a[1]=x&a[2]=y", #"{"a":{"1":"x","2":"y"}}"#), ("a[5]=x", #"{"a":{"5":"x"}}"#),
        ("a[1]=x&a[0]=y", #"{"a":{"1":"x","0":"y"}}"#), ("a[01]=x", #"{"a":{"01":"x"}}"#),
        ("a=1&a[b]=2", #"{"a":{"b":"2"}}"#), ("a[b]=2&a=1", #"{"a":"1"}"#), ("a", #"{"a":""}"#), ("=1", "{}"),
        ("[a]=1", "{}"), ("&&a=1&", #"{"a":"1"}"#), ("a=%zz%", #"{"a":"%zz%"}"#), ("a=1;b=2", #"{"a":"1;b=2"}"#),
        ("a.b c=1", #"{"a_b_c":"1"}"#), ("a[b=1", #"{"a_b":"1"}"#), ("a[b]c=1", #"{"a":{"b":"1"}}"#),
        ("a[[b]]=1", #"{"a":{"[b":"1"}}"#), ("+data[x]=1", #"{"data":{"x":"1"}}"#), ("data[ ]=1", #"{"data":["1"]}"#),
        ("data[FIELDS][ID=1", #"{"data":{"FIELDS":"1"}}"#), ("a%00b=1", #"{"a":"1"}"#),
        ("a=1+%2B%20", #"{"a":"1 + "}"#),
        ("a[3]=x&a[]=y", #"{"a":{"3":"x","4":"y"}}"#), ("a[b]=1&a[]=2", #"{"a":{"b":"1","0":"2"}}"#),
        ("a[0][]=1&a[0][]=2", #"{"a":[["1","2"]]}"#),
        ("a[9223372036854775807]=x&a[]=y", #"{"a":{"9223372036854775807":"x"}}"#),
    ])
    func followsTheRulesOfParseStr(body: String, json: String) throws {
        var form = BracketForm()
        try decode(body, into: &form)
        #expect(Self.json(form) == json)
    }

    @Test func decodesEveryFixtureToWhatPHPMadeOfIt() throws {
        let bodies = try Fixtures.bodies()
        try #require(bodies.count >= 60)
        var form = BracketForm()
        for (name, body) in bodies {
            try body.withUnsafeBytes { try form.decode($0) }
            let ours = try JSONSerialization.jsonObject(with: Data(Self.json(form).utf8)) as? NSDictionary
            let theirs = try JSONSerialization.jsonObject(with: Fixtures.data("bodies/\(name).json")) as? NSDictionary
            #expect(ours == theirs, "\(name)")
        }
    }

    @Test func acceptsAThousandFieldsAndRefusesOneMore() throws {
        var form = BracketForm()
        try decode((0..<1000).map { "a\($0)=1" }.joined(separator: "&&"), into: &form)
        #expect(form.pairs.count == 1000)
        #expect(throws: FormError.tooManyPairs(limit: 1000)) {
            try decode(String(repeating: "=&", count: 1001), into: &form)
        }
        try decode("a=1", into: &form)
        #expect(Self.json(form) == #"{"a":"1"}"#)
    }

    @Test func acceptsSixtyFourBracketsAndRefusesOneMore() throws {
        var form = BracketForm()
        try decode("a" + String(repeating: "[x]", count: 64) + "=1", into: &form)
        #expect(throws: FormError.tooDeep(limit: 64)) {
            try decode("a" + String(repeating: "[x]", count: 65) + "=1", into: &form)
        }
    }

    @Test func survivesRandomBytesAndCanBeUsedAgain() throws {
        var random = SplitMix64(state: 7)
        var form = BracketForm()
        let alphabet = Array("a[]=&%+. \u{0}05Bfz;".utf8) + [0xC3, 0xFF, 0x80]
        for _ in 0..<6000 {
            let body = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            try? body.withUnsafeBytes { try form.decode($0) }
            // Whatever came, the tree can be walked and written.
            #expect(try JSONSerialization.jsonObject(with: Data(Self.json(form).utf8)) is NSDictionary)
        }
        try decode("a[b]=1", into: &form)
        #expect(Self.json(form) == #"{"a":{"b":"1"}}"#)
    }

    @Test func aBodyOfManyNamesInOneMapIsDecodedInBoundedTime() throws {
        var form = BracketForm()
        let body = (0..<1000).map { "data[k\($0)][x][y]=1" }.joined(separator: "&")
        for _ in 0..<20 { try decode(body, into: &form) }
        #expect(
            form.children(of: try #require(form.child(of: BracketForm.root, named: "data"))).reduce(0) { n, _ in n + 1 }
                == 1000
        )
    }

    @Test(arguments: [
        ("auth[access_token]=1", true), ("a[Token][x]=1", true), ("a[x][JWT]=1", true), ("token=1", true),
        ("+token=1", true), ("a[x]token=1", true), ("a[tokens]=1", false), ("a=token", false),
        ("a[x]b[token]=1", true),
        ("a[token=1", true), ("[token]=1", true), ("a.token=1", true), ("a[x][token=1", true), ("a%00[token]=1", true),
        ("a[x]%00[token]=1", true), ("a[9223372036854775807]=1&a[][token]=1", true), ("..Host-token=1", false),
        ("..Host-.token=1", true), ("a[x].b=1", false),
    ])
    func marksTheFieldsThatHoldASecret(body: String, isSecret: Bool) throws {
        var form = BracketForm()
        try decode(body, into: &form)
        #expect(form.pairs.last?.isSecret == isSecret)
    }

    @Test func aTextThatReplacesAMapHasNoChildren() throws {
        var form = BracketForm()
        try decode("a[b]=1&a[c]=2&a=3", into: &form)
        let node = try #require(form.child(of: BracketForm.root, named: "a"))
        #expect(form.scalar(node).map(Array.init) == Array("3".utf8))
        #expect(form.child(of: node, named: "b") == nil)
        #expect(Array(form.children(of: node)).isEmpty)
        try decode("a[b]=1&a=3&a[c]=2", into: &form)
        #expect(Self.json(form) == #"{"a":{"c":"2"}}"#)
    }

    @Test func namesThatDifferAnywhereStayApart() throws {
        var form = BracketForm()
        // Lengths around eight and sixteen, where names are compared in words, that differ in one place.
        var names: Set<String> = []
        for count in 1...34 {
            names.insert(String(repeating: "x", count: count))
            for place in 0..<count {
                names.insert(
                    String(repeating: "x", count: place) + "y" + String(repeating: "x", count: count - place - 1)
                )
            }
        }
        let sorted = names.sorted()
        for part in stride(from: 0, to: sorted.count, by: 400) {
            let some = sorted[part..<min(part + 400, sorted.count)]
            try decode((some + some).enumerated().map { "a[\($1)]=\($0)" }.joined(separator: "&"), into: &form)
            let node = try #require(form.child(of: BracketForm.root, named: "a"))
            #expect(Array(form.children(of: node)).count == some.count)
            for (index, name) in some.enumerated() {
                let child = try #require(form.child(of: node, named: Array(name.utf8)))
                #expect(form.scalar(child).map { String(decoding: $0, as: UTF8.self) } == "\(some.count + index)")
            }
        }
    }

    @Test func growsForManyNumbersThatPHPGives() throws {
        var form = BracketForm()
        // Each `[]` gets a number of nineteen digits, many times longer than what stands in the body.
        let body = "a[9223372036854770000]=x&" + repeatElement("a[]=y", count: 999).joined(separator: "&")
        for _ in 0..<2 { try decode(body, into: &form) }
        let node = try #require(form.child(of: BracketForm.root, named: "a"))
        #expect(Array(form.children(of: node)).count == 1000)
        #expect(form.child(of: node, named: "9223372036854770999") != nil)
        let deep = (0..<1000).map { _ in "b" + String(repeating: "[]", count: 64) + "=1" }.joined(separator: "&")
        try decode(deep, into: &form)
        #expect(Array(form.children(of: try #require(form.child(of: BracketForm.root, named: "b")))).count == 1000)
    }

    @Test func growsForLongNamesThatPHPRewrites() throws {
        var form = BracketForm()
        // Rewritten up to the bracket, and then whole, because the bracket does not close.
        let names = ["b", "c", "d", "e"].map { $0 + "." + String(repeating: "x", count: 50_000) + "[" }
        try decode(names.map { $0 + "=1" }.joined(separator: "&"), into: &form)
        for name in names {
            let stored = Array(name.utf8).map {
                $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "[") ? UInt8(ascii: "_") : $0
            }
            #expect(form.child(of: BracketForm.root, named: stored) != nil)
        }
    }

    @Test func givesUnusualMemoryBack() throws {
        var form = BracketForm()
        try decode("a=" + String(repeating: "x", count: 100_000), into: &form)
        try decode((0..<1000).map { "a[\($0)][b]=1" }.joined(separator: "&"), into: &form)
        form.shrink(above: 1000)
        #expect(form.text.count <= 1000)
        #expect(form.child(of: BracketForm.root, named: "a") == nil)
        try decode("a[b]=1", into: &form)
        #expect(Self.json(form) == #"{"a":{"b":"1"}}"#)
        form.shrink(above: 1_000_000)
        #expect(Self.json(form) == #"{"a":{"b":"1"}}"#)
    }

    private func decode(_ body: String, into form: inout BracketForm) throws {
        try Array(body.utf8).withUnsafeBytes { try form.decode($0) }
    }

    /// The whole form as JSON text, members in order. An empty top level is a map.
    static func json(_ form: BracketForm, _ node: BracketForm.Node = BracketForm.root) -> String {
        if let scalar = form.scalar(node) {
            var text = JSONText()
            text.string(scalar)
            return String(decoding: text.bytes, as: UTF8.self)
        }
        let children = Array(form.children(of: node))
        if form.isList(node), node != BracketForm.root {
            return "[" + children.map { json(form, $0) }.joined(separator: ",") + "]"
        }
        return "{"
            + children.map { child in
                var name = JSONText()
                name.string(form.name(child))
                return String(decoding: name.bytes, as: UTF8.self) + ":" + json(form, child)
            }.joined(separator: ",") + "}"
    }
}

/// Request bodies and what they must become, in `Tests/Fixtures`.
enum Fixtures {
    static let folder = URL(filePath: #filePath).appending(path: "../../../Fixtures").standardized

    static func data(_ path: String) throws -> Data { try Data(contentsOf: folder.appending(path: path)) }

    static func names(in directory: String, extension ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: directory).path)
            .filter { $0.hasSuffix("." + ending) }.map { String($0.dropLast(ending.count + 1)) }.sorted()
    }

    static func bodies() throws -> [(name: String, body: [UInt8])] {
        try names(in: "bodies", extension: "form").map { ($0, Array(try data("bodies/\($0).form"))) }
    }
}
