import Foundation
import Testing

@testable import Configuration

@Suite("Documents")
struct DocumentTests {
    @Test("All faults come together, in the order of the file, unknown keys among them")
    func allTogether() throws {
        let reader = try reader(
            """
            http: {port: 99999, hosst: x}
            kafka:
              topics: t
              zzz: 1
            port: 80
            portals:
              - memberId: a
                memberid: b
              - 5
            wait: 10
            """
        )
        // Asked for in another order than the file's.
        _ = reader.duration("wait", default: .zero, in: .zero ... .seconds(9))
        let kafka = reader.section("kafka")
        _ = kafka.string("topic", default: "")
        _ = kafka.string("key", default: "")
        kafka.fault("topics", "has no {entity}; add it")
        _ = reader.sections("portals").map { $0.requiredString("memberId") }
        _ = reader.section("http").integer("port", default: 8080, in: 1...65535)
        _ = reader.section("http").string("host", default: "")
        let thrown = #expect(throws: ConfigurationFaults.self) { try reader.finish() }
        #expect(
            thrown?.description == """
                f.yaml: http.port: 99999 is outside 1 to 65535; give a number in that range
                f.yaml: http.hosst: unknown key; did you mean http.host?
                f.yaml: kafka.topics: unknown key; did you mean kafka.topic?
                f.yaml: kafka.topics: has no {entity}; add it
                f.yaml: kafka.zzz: unknown key; remove it, or use one of key, topic
                f.yaml: port: unknown key; did you mean http.port?
                f.yaml: portals[0].memberid: unknown key; did you mean portals[0].memberId?
                f.yaml: portals[1]: found a single value; give a mapping of keys
                f.yaml: portals[1].memberId: missing; set it in the file
                f.yaml: wait: 10 has no unit; write 10s for seconds or 10ms for milliseconds
                """
        )
        // Ending twice tells the same.
        #expect(thrown == #expect(throws: ConfigurationFaults.self) { try kafka.finish() })
    }

    @Test("A section that nobody reads is an unknown key, as is one inside a section")
    func unreadSections() throws {
        let reader = try reader("kafka: {a: 1}\njournall: {b: 2}\n")
        _ = reader.section("kafka").string("a", default: "")
        _ = reader.section("journal").string("b", default: "")
        #expect(faults(reader) == ["journall: unknown key; did you mean journal?"])
    }

    @Test("The same section or list asked for twice is the same")
    func repeatedSections() throws {
        let reader = try reader("s: {a: 1, b: 2}\nl: [{c: 3}]\nbad: 5")
        #expect(reader.section("s").string("a", default: "") == "1")
        #expect(reader.section("s").string("b", default: "") == "2")
        #expect(reader.sections("l").first === reader.sections("l").first)
        #expect(reader.sections("l").first?.string("c", default: "") == "3")
        _ = reader.section("bad")
        _ = reader.section("bad")
        #expect(faults(reader) == ["bad: found a single value; give a mapping of keys"])
    }

    @Test(
        "What cannot be read says where and what to do",
        arguments: [
            ("a: [1\nb: 2\n", "line 2, column 2: did not find expected ',' or ']'"),
            ("a: 1\na: 2\n", "line 1, column 1: given more than once in one mapping: a; keep one of each"),
            ("s:\n  b: 1\n  'b': 2\n", "line 2, column 3: given more than once in one mapping: b; keep one of each"),
            ("- a\n- b\n", "holds a list; give a mapping of keys (key: value)"),
            ("text", "holds a single value; give a mapping of keys (key: value)"),
            ("a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
            ("a: *b\n", "line 1, column 4: found undefined alias"),
            ("a: b\u{0}c\n", "line 1, column 5: control characters are not allowed; remove the character"),
            ("\ta: 1", "line 1, column 1: found character that cannot start any token"),
            (String(repeating: "[", count: 100_000), "nested deeper than 1000 levels"),
            (String(repeating: "{a: ", count: 100_000), "nested deeper than 1000 levels"),
            (String(repeating: "- ", count: 100_000), "nested deeper than 1000 levels"),
        ]
    )
    func unreadable(yaml: String, fault: String) {
        let told = refusal(yaml)
        #expect(told.count == 1 && told[0].contains(fault), "\(told)")
    }

    @Test("Keys that are not text, and merging, are faults")
    func oddKeys() throws {
        let reader = try reader("base: &b {x: 1}\ns:\n  ? [a]\n  : 1\n  <<: *b\n  ok: 1\n")
        #expect(reader.section("base").string("x", default: "") == "1")
        #expect(reader.section("s").string("ok", default: "") == "1")
        #expect(
            faults(reader) == [
                "s: a key in line 3 is a list; give plain text",
                "s.<<: merging is not supported; write the keys out",
            ]
        )
    }

    @Test("An alias stands for its anchor")
    func aliases() throws {
        let reader = try reader("a: &t [x, y]\nb: *t\nc: &s {k: v}\nd: *s\n")
        #expect(reader.strings("a", default: []) == ["x", "y"])
        #expect(reader.strings("b", default: []) == ["x", "y"])
        #expect(reader.section("c").string("k", default: "") == reader.section("d").string("k", default: "?"))
        #expect(faults(reader) == [])
    }

    @Test("A small file that stands for a huge one is refused before it grows", arguments: ["- ", "? "])
    func aliasBomb(last: String) {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...12 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            yaml += "a\(level): &a\(level) [\(aliases)]\n"
        }
        yaml += "end:\n  \(last)*a12\n"
        let started = ContinuousClock.now
        let told = refusal(yaml)
        #expect(told.count == 1 && told[0].contains("121 aliases (*name) of 13 anchors (&name)"), "\(told)")
        #expect(started.duration(to: .now) < .seconds(1))
    }

    @Test(
        "An empty document reads as an empty mapping",
        arguments: ["", "\n", "# only a comment\n", "---\n", "null", "{}"]
    )
    func empty(yaml: String) throws {
        let reader = try reader(yaml)
        #expect(reader.section("http").integer("port", default: 5, in: 1...9) == 5)
        #expect(faults(reader) == [])
    }

    @Test("A file is read from disk, with a byte order mark and any line ending")
    func file() throws {
        try withDirectory { directory in
            let path = "\(directory)/f.yaml"
            try "\u{FEFF}a: 1\r\nb: 2\r\n".write(toFile: path, atomically: true, encoding: .utf8)
            let reader = try ConfigurationReader.load(file: path, environment: [:], environmentPrefix: nil)
            #expect(reader.string("a", default: "") == "1")
            #expect(reader.string("b", default: "") == "2")
            #expect(faults(reader) == [])
        }
    }

    @Test("A file that cannot be read, is too large or is not UTF-8 is a fault that names it")
    func badFiles() throws {
        try withDirectory { directory in
            func refusal(_ name: String) -> String {
                let path = "\(directory)/\(name)"
                let fault = #expect(throws: ConfigurationFaults.self) {
                    try ConfigurationReader.load(file: path, environment: [:], environmentPrefix: "APP")
                }
                #expect(fault?.source == path)
                return fault?.faults.first?.description ?? ""
            }
            try Data([0x61, 0xFF]).write(to: URL(fileURLWithPath: "\(directory)/latin"))
            try Data(repeating: 0x20, count: (16 << 20) + 1).write(to: URL(fileURLWithPath: "\(directory)/large"))
            let mend = "name a YAML file that this process may read"
            #expect(refusal("absent") == "cannot be read: No such file or directory; \(mend)")
            #expect(refusal("") == "cannot be read: Is a directory; \(mend)")
            #expect(refusal("latin") == "is not UTF-8; save it as UTF-8")
            #expect(refusal("large") == "is larger than 16MiB; \(mend)")
        }
    }

    @Test("Many faults are counted rather than all listed, and ten thousand portals read fast")
    func manyFaults() throws {
        var yaml = "portals:\n"
        for index in 0..<10_000 {
            yaml += "  - memberId: m\(index)\n    memberID: x\n    tokens: [a\(index), b\(index)]\n"
        }
        let started = ContinuousClock.now
        let reader = try reader(yaml)
        let portals = reader.sections("portals")
        #expect(portals.count == 10_000)
        #expect(portals.last?.path == "portals[9999]")
        for portal in portals {
            _ = portal.requiredString("memberId")
            _ = portal.strings("tokens", default: [])
        }
        let told = faults(reader)
        #expect(told.count == 1001)
        #expect(told.last == "9000 more faults are not listed; mend these first")
        #expect(started.duration(to: .now) < .seconds(10))
    }
}
