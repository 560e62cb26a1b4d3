import Foundation
import Testing

@testable import Bitrix24

/// Compares the decoder with PHP itself on bodies made from a seed.
@Suite struct PHPAgreementTests {
    static let php = ["/usr/bin/php", "/usr/local/bin/php"].first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test(.enabled(if: php != nil, "php is not installed; apt-get install php-cli"))
    func decodesTwentyThousandHostileBodiesAsPHPDoes() throws {
        let php = try #require(Self.php)
        var bodies = BodyGenerator(seed: 20_160_620)
        let corpus = (0..<24_000).map { _ in bodies.next() }
        let reference = URL(filePath: #filePath).appending(path: "../../../Interoperability/parse_str_reference.php")
        let answers = try Self.output(
            of: php,
            [
                "-n", "-d", "max_input_vars=1000000", "-d", "max_input_nesting_level=1000000", "-d", "memory_limit=2G",
                reference.standardized.path,
            ],
            input: Data(corpus.map { Data($0).base64EncodedString() + "\n" }.joined().utf8)
        ).split(separator: "\n", omittingEmptySubsequences: true)
        try #require(answers.count == corpus.count)

        var form = BracketForm()
        var differences = 0
        for (body, expected) in zip(corpus, answers) {
            try body.withUnsafeBytes { try form.decode($0) }
            let ours = Self.text(of: BracketForm.root, in: form)
            if ours != expected {
                differences += 1
                if differences <= 5 {
                    Issue.record("\(String(decoding: body, as: UTF8.self))\n ours \(ours)\n PHP  \(expected)")
                }
            }
        }
        #expect(differences == 0)
    }

    /// The reference's own form of a tree, which loses nothing.
    static func text(of node: BracketForm.Node, in form: BracketForm) -> String {
        if let scalar = form.scalar(node) { return "{\"s\":\"\(Data(scalar).base64EncodedString())\"}" }
        let children = form.children(of: node).map { child in
            "[\"\(Data(form.name(child)).base64EncodedString())\",\(text(of: child, in: form))]"
        }
        return "{\"a\":[\(children.joined(separator: ","))]}"
    }

    static func output(of program: String, _ arguments: [String], input: Data) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        // Files instead of pipes: neither side can wait for the other.
        let folder = FileManager.default.temporaryDirectory.appending(path: "b24bridge-php-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try input.write(to: folder.appending(path: "in"))
        try Data().write(to: folder.appending(path: "out"))
        process.standardInput = try FileHandle(forReadingFrom: folder.appending(path: "in"))
        process.standardOutput = try FileHandle(forWritingTo: folder.appending(path: "out"))
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: try Data(contentsOf: folder.appending(path: "out")), as: UTF8.self)
    }
}

/// Bodies that poke at every rule of the decoder: brackets open, closed, nested and torn, percent signs, spaces, integer
/// keys at their limits, bytes that are not UTF-8.
struct BodyGenerator {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(state: seed) }

    private static let names = [
        "a", "b", "data", "auth", "event", "a.b", "a b", "+a", "%20a", ".a", " ", "", "__Host-x", "..Host-x",
        "_ Host-x",
        ".+Secure-x", "__Secure-x", "%D0%9F", "%ff", "a%00b", "%00", "x%5B", "GLOBALS", "this", "0", "1",
    ]
    private static let keys = [
        "[a]", "[b]", "[ID]", "[]", "[]", "[0]", "[1]", "[2]", "[5]", "[01]", "[007]", "[-0]", "[ ]", "[  ]", "[ x]",
        "[\t]", "[%0b]", "[+]", "[a.b]", "[a b]", "[[b]]", "[b", "]", "[", "[]]", "x", "%5Ba%5D", "%5b0%5d", "%5B%5D",
        "[-5]", "[-1]", "[-9223372036854775808]", "[-9223372036854775809]", "[9223372036854775807]",
        "[9223372036854775806]",
        "[9223372036854775808]", "[%ff]", "[a%00b]", "[%00]", ".", "+",
    ]
    private static let values = [
        "", "1", "x", "=", "a=b", "%zz", "%", "%4", "%41", "+", "%2B", "%D1%84", "%C3", "%00", ";", "[]", "]", "%26",
        "\u{0444}", "%f0%9f%98%80", "a;b=c",
    ]
    private static let separators = ["&", "&", "&", "&", "&&", ";", "=&", "&=", "&=1&", "&[a]=1&"]

    mutating func next() -> [UInt8] {
        var body = ""
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            body += pick(Self.names)
            for _ in 0..<pick([0, 0, 1, 1, 2, 3, 6]) {
                body += pick(Self.keys)
            }
            if !chance(10) { body += "=" + pick(Self.values) }
            body += pick(Self.separators)
        }
        var bytes = Array(body.utf8)
        // A few bodies of damaged bytes; a NUL cannot stand in what `parse_str` is given.
        if chance(8), !bytes.isEmpty {
            for _ in 0..<3 {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 1...255, using: &random)
            }
        }
        return bytes
    }

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: choices.indices, using: &random)] }
    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }
}

/// A generator whose numbers follow from its seed.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
