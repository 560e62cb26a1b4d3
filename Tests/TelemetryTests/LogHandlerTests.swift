import Foundation
import Logging
import Testing

@testable import Telemetry

@Suite("Log handlers")
struct LogHandlerTests {
    @Test("A JSON line has the four fields and the metadata at the top level")
    func jsonLine() throws {
        let capture = try LogCapture(.json)
        logger(capture, label: "journal").notice(
            "segment closed",
            metadata: ["segment": "12", "bytes": .stringConvertible(64), "sync": .stringConvertible(true)]
        )
        let line = try #require(try capture.lines().first)
        let expected =
            #"^\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"notice","logger":"journal","#
            + #""message":"segment closed","bytes":64,"segment":"12","sync":true\}$"#
        #expect(line.range(of: expected, options: .regularExpression) != nil, "\(line)")
    }

    @Test("A metadata key cannot hide one of the four fields")
    func reservedKeys() throws {
        let capture = try LogCapture(.json)
        logger(capture).info("m", metadata: ["level": "forged", "level_": "other", "ts": "0"])
        let object = try #require(try capture.objects().first)
        #expect(object["level"] as? String == "info")
        #expect(Set(object.keys) == ["ts", "level", "logger", "message", "level_", "level__", "ts_"])
        #expect(Set([object["level_"] as? String, object["level__"] as? String]) == ["forged", "other"])
    }

    @Test("The call's metadata wins over the provider's, and that over the logger's")
    func precedence() throws {
        let capture = try LogCapture(.json)
        var log = Logger(label: "x") { label in
            let provider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
            return capture.output.handler(label: label, metadataProvider: provider)
        }
        log[metadataKey: "a"] = "logger"
        log[metadataKey: "b"] = "logger"
        log[metadataKey: "c"] = "logger"
        log.info("m", metadata: ["c": "call"])
        let object = try #require(try capture.objects().first)
        #expect(object["a"] as? String == "logger")
        #expect(object["b"] as? String == "provider")
        #expect(object["c"] as? String == "call")
    }

    @Test(
        "Level and metadata are values: a copy of a logger changes nothing in the original",
        arguments: LogFormat.allCases
    )
    func valueSemantics(format: LogFormat) throws {
        let capture = try LogCapture(format)
        var first = logger(capture, level: .info)
        first[metadataKey: "only-on"] = "first"
        var second = first
        second.logLevel = .error
        second[metadataKey: "only-on"] = "second"
        #expect(first.logLevel == .info)
        #expect(first[metadataKey: "only-on"] == "first")
        #expect(second[metadataKey: "only-on"] == "second")
        first.debug("not seen")
        second.info("not seen")
        first.info("seen")
        #expect(try capture.lines().count == 1)
    }

    static let hostile: [String] =
        (0...0x9F).map { String(Unicode.Scalar(UInt8($0))) }
        + [
            "\u{2028}", "\u{2029}", "\u{202E}", "\u{2066}", "\u{FEFF}", "\r\n", "\"", "\\",
            "\"}\n{\"level\":\"forged\"", "😀é",
        ]
        + [String(decoding: [0xFF, 0xC0, 0x41, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)]

    @Test("Nothing in a message, a key, a label or a value can break a JSON line, and all of it is there")
    func hostileJSON() throws {
        let capture = try LogCapture(.json, capacityBytes: 4 << 20)
        for (index, text) in Self.hostile.enumerated() {
            logger(capture, label: text).info(
                "\(text)",
                metadata: [
                    "v": "\(text)", "k\(text)": ["nested", .dictionary([text: .string(text)])], "n": "\(index)",
                ]
            )
        }
        let objects = try capture.objects()
        try #require(objects.count == Self.hostile.count)
        for (text, object) in zip(Self.hostile, objects) {
            #expect(object["message"] as? String == text)
            #expect(object["logger"] as? String == text)
            #expect(object["v"] as? String == text)
            let nested = try #require(object["k\(text)"] as? [Any])
            #expect((nested.last as? [String: String])?[text] == text)
        }
    }

    @Test("No line holds a character that steers a terminal or ends a line early", arguments: LogFormat.allCases)
    func noSteeringCharacters(format: LogFormat) throws {
        let capture = try LogCapture(format)
        for text in Self.hostile {
            logger(capture).warning("\(text)", metadata: ["\(text)": "\(text)"])
        }
        let lines = try capture.lines()
        #expect(lines.count == Self.hostile.count)
        for line in lines {
            #expect(!line.unicodeScalars.contains { LogText.isSteering($0) }, "\(line.debugDescription)")
        }
    }

    @Test("A text line quotes what would be misread and nothing else")
    func textLine() throws {
        let capture = try LogCapture(.text)
        logger(capture).warning(
            "two words \"as is\"",
            metadata: [
                "a": "plain", "b": "two words", "c": "", "d": "x=y", "e": "say \"hi\"\n", "f": ["1", "2"],
                "g": ["k": "v"], "h": .stringConvertible(7),
            ]
        )
        logger(capture).info("next")
        let lines = try capture.lines()
        #expect(
            lines.first?.dropFirst(25)
                == #"WARNING two words "as is" a=plain b="two words" c="" d="x=y" e="say \"hi\"\n" f="[1, 2]" g="{k: v}" h=7"#
        )
        #expect(lines.last?.dropFirst(25) == "INFO    next")
    }

    @Test("An error is told by message and type", arguments: LogFormat.allCases)
    func errors(format: LogFormat) throws {
        struct Broken: Error {}
        let capture = try LogCapture(format)
        logger(capture).error("failed", error: Broken())
        let line = try #require(try capture.lines().first)
        #expect(line.contains("error.message"))
        #expect(line.contains("Broken"))
    }

    @Test("Long values, long lines and deep metadata are cut, and the line stays whole", arguments: LogFormat.allCases)
    func bounds(format: LogFormat) throws {
        let capture = try LogCapture(format, capacityBytes: 8 << 20)
        let long = String(repeating: "é", count: 1 << 20)
        var deep: Logger.MetadataValue = "end"
        for _ in 0..<1000 { deep = [deep] }
        var many: Logger.Metadata = ["deep": deep, "a": .string(long)]
        for index in 0..<5000 { many["key-\(index)"] = .string(String(repeating: "x", count: 100)) }
        logger(capture).info("\(long)", metadata: many)
        logger(capture).info("m", metadata: ["list": .array(Array(repeating: .string(long), count: 100))])
        let lines = try capture.lines()
        #expect(lines.count == 2)
        for line in lines {
            #expect(line.utf8.count < 128 * 1024)
            #expect(line.contains("… (cut)"))
        }
        if format == .json {
            for line in lines {
                #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
            }
            #expect(lines[0].hasSuffix(#","cut":true}"#))
        }
    }

    @Test(
        "Times are RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, 0, "1970-01-01T00:00:00.000Z"), (951_782_399, 7, "2000-02-28T23:59:59.007Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.000Z"), (1_709_251_199, 999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200, 0, "2024-03-01T00:00:00.000Z"), (4_107_542_400, 10, "2100-03-01T00:00:00.010Z"),
            (1_735_689_599, 0, "2024-12-31T23:59:59.000Z"), (-1, 500, "1969-12-31T23:59:59.500Z"),
        ]
    )
    func timestamps(seconds: Int, milliseconds: Int, printed: String) {
        var bytes: [UInt8] = []
        LogTimestamp(seconds: seconds, milliseconds: milliseconds).append(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == printed)
    }
}
