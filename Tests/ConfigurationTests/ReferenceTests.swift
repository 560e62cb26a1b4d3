import Foundation
import Testing

@testable import Configuration

@Suite("References to files and variables")
struct ReferenceTests {
    @Test("A file's content stands for any value, without one trailing line feed")
    func files() throws {
        try withDirectory { directory in
            func file(_ name: String, _ content: String) throws -> String {
                try content.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
                return "{file: \(directory)/\(name)}"
            }
            let reader = try reader(
                """
                a: \(file("a", "secret\n"))
                b: \(file("b", "two\n\n"))
                c: \(file("c", "crlf\r\n"))
                d: \(file("d", "none"))
                n: \(file("n", "42\n"))
                list: [x, \(file("l", "y\n")), {env: Z}]
                whole: \(file("w", "one\ntwo, three\n"))
                map: {k: \(file("m", "v\n")), e: {env: Z}}
                list2: [{id: {env: Z}}]
                """,
                ["Z": "from z\n"]
            )
            #expect(
                ["a", "b", "c", "d"].map { reader.string($0, default: "") } == ["secret", "two\n", "crlf", "none"]
            )
            #expect(reader.integer("n", default: 0, in: 0...99) == 42)
            #expect(reader.strings("list", default: []) == ["x", "y", "from z\n"])
            #expect(reader.strings("whole", default: []) == ["one", "two", "three"])
            #expect(reader.stringMap("map") == ["k": "v", "e": "from z\n"])
            #expect(reader.sections("list2").map { $0.string("id", default: "") } == ["from z\n"])
            #expect(faults(reader) == [])
        }
    }

    @Test("What cannot be followed is a fault with key, path and mend")
    func missing() throws {
        try withDirectory { directory in
            try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: "\(directory)/binary"))
            try Data(count: (1 << 20) + 1).write(to: URL(fileURLWithPath: "\(directory)/large"))
            let reader = try reader(
                """
                a: {file: \(directory)/absent}
                b: {file: \(directory)}
                c: {file: \(directory)/binary}
                d: {file: \(directory)/large}
                e: {env: ABSENT}
                f: [{env: ABSENT}]
                g: {x.y: {env: ABSENT}}
                h: {file: a, env: b}
                i: {file: [a]}
                j: {file: null}
                """
            )
            for key in ["a", "b", "c", "d", "e", "h", "i", "j"] {
                #expect(reader.string(key, default: "default") == "default")
            }
            #expect(reader.strings("f", default: ["default"]) == [])
            #expect(reader.stringMap("g") == [:])
            let mend = "mount or create it, or correct the path"
            let wanted = "found a mapping; give text, {file: PATH} or {env: NAME}"
            #expect(
                faults(reader) == [
                    "a: file \(directory)/absent cannot be read: No such file or directory; \(mend)",
                    "b: file \(directory) cannot be read: Is a directory; \(mend)",
                    "c: file \(directory)/binary is not UTF-8; save it as text",
                    "d: file \(directory)/large is larger than 1MiB; \(mend)",
                    "e: environment variable ABSENT is not set; set it, or correct the name",
                    "f[0]: environment variable ABSENT is not set; set it, or correct the name",
                    "g.x.y: environment variable ABSENT is not set; set it, or correct the name",
                    "h: \(wanted)", "i: \(wanted)", "j: \(wanted)",
                ]
            )
        }
    }

    @Test("A section may have a key named file without being a reference")
    func sectionWithFileKey() throws {
        let reader = try reader("portals: {file: portals.yaml}")
        #expect(reader.section("portals").string("file", default: "") == "portals.yaml")
        #expect(faults(reader) == [])
    }

    @Test("Neither a referenced value nor the value of a key that looks secret is ever quoted")
    func secrets() throws {
        let canary = "c4nary-51856fefc120afa4b628"
        let yaml = """
            password: \(canary)
            clientSecret: {a: \(canary)}
            port: {env: CANARY}
            mode: {env: CANARY}
            wait: {env: CANARY}
            size: {env: CANARY}
            flag: {env: CANARY}
            tokens: {number: \(canary), wait: 10\(canary), mode: \(canary)}
            sections: {applicationToken: [\(canary)]}
            apiKey: \(canary)
            accessToken: \(canary)
            saslPassword: \(canary)
            authorization: \(canary)
            """
        let reader = try reader(yaml, ["CANARY": canary, "APP_SECRET_NUMBER": canary])
        _ = reader.integer("password", default: 0, in: 0...1)
        _ = reader.string("clientSecret", default: "")
        _ = reader.integer("port", default: 0, in: 0...1)
        _ = reader.choice("mode", default: Mode.binary)
        _ = reader.duration("wait", default: .zero, in: .zero ... .zero)
        _ = reader.bytes("size", default: 0, in: 0...1)
        _ = reader.boolean("flag", default: false)
        let tokens = reader.section("tokens")
        _ = tokens.integer("number", default: 0, in: 0...1)
        _ = tokens.duration("wait", default: .zero, in: .zero ... .zero)
        _ = tokens.choice("mode", default: Mode.binary)
        _ = reader.section("sections").integer("applicationToken", default: 0, in: 0...1)
        _ = reader.duration("apiKey", default: .zero, in: .zero ... .zero)
        _ = reader.bytes("accessToken", default: 0, in: 0...1)
        _ = reader.boolean("saslPassword", default: false)
        _ = reader.choice("authorization", default: Mode.binary)
        _ = reader.integer("secretNumber", default: 0, in: 0...1)
        let found = faults(reader)
        #expect(found.count == 16, "\(found)")
        #expect(!found.joined().contains("c4nary"))
        // Nor is it when the text is not YAML at all.
        for broken in [
            "a: \(canary)\n b: [", "x: {\(canary)", "\(canary): &a *b", "a: \"\(canary)\u{1}\"", "- \(canary)",
        ] {
            let told = refusal(broken).joined()
            #expect(!told.isEmpty && !told.contains("c4nary"), "\(told)")
        }
    }
}
