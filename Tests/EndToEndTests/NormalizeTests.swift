import Foundation
import Testing

@Suite struct NormalizeTests {
    static let fixtures = URL(filePath: #filePath).appending(path: "../../Fixtures").standardized
    static let event = "event=ONCRMDEALADD&data[FIELDS][ID]=7&auth[member_id]=a223"

    static func object(_ line: some StringProtocol) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
    }

    /// With the id and the time of receipt, which differ each time, replaced as in the golden records.
    static func masked(_ line: Substring) throws -> NSDictionary {
        let object = try object(line)
        guard object["error"] == nil else { return object as NSDictionary }
        let id = try #require((object["headers"] as? [String: String])?["ce_id"])
        let uuid7 = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        #expect(id.wholeMatch(of: uuid7) != nil, "\(id)")
        let received = try #require((object["value"] as? [String: Any])?["recordedtime"] as? String)
        return try Self.object(
            line.replacingOccurrences(of: id, with: "<uuid7>").replacingOccurrences(of: received, with: "<time>")
        ) as NSDictionary
    }

    @Test func everyFixtureGivesOneLineEqualToItsGoldenRecord() async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.fixtures.appending(path: "records").path)
            .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
        try #require(names.count >= 57)
        var input: [UInt8] = []
        for name in names {
            input += try Data(contentsOf: Self.fixtures.appending(path: "bodies/\(name).form"))
            input.append(UInt8(ascii: "\n"))
        }
        let result = try await runBridge(["normalize"], input: input)
        try #require(result.outputLines.count == names.count)
        var errors = 0
        for (name, line) in zip(names, result.outputLines) {
            let golden = try Self.object(
                String(contentsOf: Self.fixtures.appending(path: "records/\(name).json"), encoding: .utf8)
            )
            let ours = try Self.masked(line)
            if golden["error"] != nil {
                errors += 1
                #expect(ours.allKeys as? [String] == ["error"] && ours["error"] is String, "\(name): \(line)")
            } else {
                #expect(ours == golden as NSDictionary, "\(name)")
            }
        }
        #expect(errors > 0)
        #expect(result.end == .exit(1))
    }

    @Test func withoutErrorsTheExitStatusIsZero() async throws {
        let result = try await runBridge(["normalize"], input: Array((Self.event + "\n" + Self.event).utf8))
        #expect(result.outputLines.count == 2)
        #expect(result.end == .exit(0))
        #expect(result.errors.isEmpty)
    }

    @Test func emptyInputIsNoErrorAndNoOutput() async throws {
        let result = try await runBridge(["normalize"], input: [])
        #expect(result.end == .exit(0) && result.output.isEmpty)
    }

    @Test func aLineThatIsNoEventIsAnErrorLineAndTheRestGoesOn() async throws {
        let input = ["", "event=ONCRMDEALADD", "nonsense", Self.event].joined(separator: "\n") + "\n"
        let result = try await runBridge(["normalize"], input: Array(input.utf8))
        try #require(result.outputLines.count == 4)
        for line in result.outputLines.prefix(3) {
            let words = try #require(try Self.object(line)["error"] as? String)
            #expect(words.count > 10)
        }
        #expect(try Self.object(result.outputLines[3])["topic"] as? String == "bitrix24.crm.deal")
        #expect(result.end == .exit(1))
    }

    @Test func lineEndsOfWindowsAreNoPartOfTheBody() async throws {
        let result = try await runBridge(
            ["normalize"],
            input: Array("\(Self.event)&data[X]=y\r\n\(Self.event)\r\n".utf8)
        )
        try #require(result.outputLines.count == 2)
        let value = try #require(try Self.object(result.outputLines[0])["value"] as? [String: Any])
        #expect(value["data"] as? NSDictionary == ["FIELDS": ["ID": "7"], "X": "y"])
        #expect(result.end == .exit(0))
    }

    @Test func bytesThatAreNotUTF8AreReplaced() async throws {
        let input = Array("\(Self.event)&data[X]=a".utf8) + [0xFF, 0xC3] + Array("b&data[Y]=%ff\n".utf8)
        let result = try await runBridge(["normalize"], input: input)
        try #require(result.outputLines.count == 1)
        let value = try #require(try Self.object(result.outputLines[0])["value"] as? [String: Any])
        #expect(value["data"] as? NSDictionary == ["FIELDS": ["ID": "7"], "X": "a\u{FFFD}\u{FFFD}b", "Y": "\u{FFFD}"])
        #expect(result.end == .exit(0))
    }

    @Test func aLineOfOneMebibyteIsOneLine() async throws {
        let text = String(repeating: "x", count: 1 << 20)
        let result = try await runBridge(
            ["normalize"],
            input: Array("\(Self.event)&data[X]=\(text)\n\(Self.event)\n".utf8)
        )
        try #require(result.outputLines.count == 2)
        let value = try #require(try Self.object(result.outputLines[0])["value"] as? [String: Any])
        #expect((value["data"] as? [String: Any])?["X"] as? String == text)
        #expect(result.end == .exit(0))
    }
}
