import Testing

@testable import Bitrix24

@Suite struct RedactorTests {
    private func redactor(_ tokens: [String]) throws -> Redactor {
        var redactor = Redactor()
        try redactor.learn(
            from: try Sample.form(Sample.body(tokens.enumerated().map { ("auth[\($0)][token]", $1) }))
        )
        return redactor
    }

    /// `nil` when nothing was found.
    private func redacted(_ text: String, _ tokens: [String]) throws -> String? {
        let redactor = try redactor(tokens)
        return Array(text.utf8).withUnsafeBytes { redactor.redacted($0) }.map { String(decoding: $0, as: UTF8.self) }
    }

    private let first = "0123456789abcdef"
    private let second = "ABCDEFGHIJKLMNOPQRST"

    @Test func replacesATokenWhereverItStands() throws {
        #expect(try redacted(first, [first]) == "[redacted]")
        #expect(try redacted("a\(first)", [first]) == "a[redacted]")
        #expect(try redacted("\(first)b", [first]) == "[redacted]b")
        #expect(try redacted("a\(first)b\(first)\(first)c", [first]) == "a[redacted]b[redacted][redacted]c")
        #expect(
            try redacted("https://x/?auth=\(first)&s=\(second)", [first, second])
                == "https://x/?auth=[redacted]&s=[redacted]"
        )
    }

    @Test func leavesOtherTextAlone() throws {
        #expect(try redacted("", [first]) == nil)
        #expect(try redacted(String(first.dropLast()), [first]) == nil)
        #expect(try redacted(first.uppercased(), [first]) == nil)
        #expect(try redacted(String(first.dropLast()) + "x" + first.dropFirst(), [first]) == nil)
        #expect(try redacted(first, []) == nil)
        #expect(try redactor([]).isEmpty)
    }

    @Test func looksForTokensOfSixteenBytesAndMore() throws {
        #expect(try redacted("x\(first)x", [String(first.dropLast())]) == nil)
        #expect(try redacted("x\(first)x", [first]) == "x[redacted]x")
        let long = String(repeating: "long-", count: 400)
        #expect(try redacted("x\(long)x", [long]) == "x[redacted]x")
    }

    @Test func ofTokensWithinTokensTheLongestGoes() throws {
        for tokens in [[first, first + "-more"], [first + "-more", first]] {
            #expect(try redacted("a \(first)-more b \(first)-mor", tokens) == "a [redacted] b [redacted]-mor")
        }
        #expect(try redacted("a more-\(first) b", [first, "more-" + first]) == "a [redacted] b")
        #expect(try redacted("<\(first)>", [first, "_\(first)_"]) == "<[redacted]>")
    }

    @Test func overlappingTokensLeaveNothingOfEither() throws {
        let left = "aaaaaaaaaaaa-shared"
        let right = "shared-bbbbbbbbbbbb"
        #expect(try redacted("x aaaaaaaaaaaa-shared-bbbbbbbbbbbb y", [left, right]) == "x [redacted] y")
        #expect(try redacted(String(repeating: "z", count: 45), [String(repeating: "z", count: 16)]) == "[redacted]")
        #expect(try redacted("zzzzzzzzzzzzzzz-", [String(repeating: "z", count: 16)]) == nil)
    }

    @Test func tokensThatBeginAlikeAreToldApart() throws {
        let tokens = (0..<200).map { "f1b2d95f00697df70057c56f00000001-\($0)-" }
        #expect(
            try redacted(tokens.joined(separator: "<>"), tokens)
                == repeatElement("[redacted]", count: 200).joined(separator: "<>")
        )
        #expect(try redacted("<f1b2d95f00697df70057c56f00000001-200->", tokens) == nil)
    }

    @Test func agreesWithAPlainSearchOnRandomTexts() throws {
        var random = SplitMix64(state: 3)
        for _ in 0..<300 {
            // Few different letters, so that there are many near misses and overlaps.
            func text(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 97...98, using: &random) } }
            let source = text(120)
            var tokens = (0..<4).map { _ in
                let start = Int.random(in: 0..<100, using: &random)
                return Array(source[start..<start + Int.random(in: 16...20, using: &random)])
            }
            tokens.append(text(16))
            let redactor = try redactor(tokens.map { String(decoding: $0, as: UTF8.self) })
            var covered = [Bool](repeating: false, count: source.count)
            for place in source.indices {
                for token in tokens where source[place...].starts(with: token) {
                    for index in place..<place + token.count { covered[index] = true }
                }
            }
            let kept = source.indices.filter { !covered[$0] }.map { source[$0] }
            let result = source.withUnsafeBytes { redactor.redacted($0) } ?? source
            let plain = String(decoding: result, as: UTF8.self).replacing("[redacted]", with: "")
            #expect(plain == String(decoding: kept, as: UTF8.self))
        }
    }

    @Test func forgetsTheTokensOfTheRequestBefore() throws {
        var redactor = try redactor([first])
        try redactor.learn(from: try Sample.form("auth[access_token]=\(second)"))
        #expect(Array(first.utf8).withUnsafeBytes { redactor.redacted($0) } == nil)
        #expect(Array(second.utf8).withUnsafeBytes { redactor.redacted($0) } == Redactor.replacement)
    }

    @Test func countsDifferentTokensAndRefusesTooMany() throws {
        let tokens = (0..<256).map { "a token with number \($0)" }
        #expect(!(try redactor(tokens + tokens)).isEmpty)
        #expect(throws: RedactionError.tooMany) { try redactor(tokens + [first]) }
    }

    /// A megabyte made to defeat the search: tokens of equal beginnings that differ from the text at their ends.
    @Test(.timeLimit(.minutes(1)), arguments: [(256, 1000), (2, 250_000)])
    func tokensMadeToDefeatTheSearchAreRefusedSoon(count: Int, length: Int) throws {
        let fields = (0..<count).map { "auth[\($0)][token]=\(String(repeating: "a", count: length))\($0)" }
        let text = "data[x]=" + String(repeating: "a", count: 1_000_000 - count * (length + 20))
        let body = "event=ONX&auth[member_id]=m&" + (fields + [text]).joined(separator: "&")
        let clock = ContinuousClock()
        let elapsed = clock.measure {
            #expect(throws: RedactionError.tooAlike) { try Sample.record(body) }
            #expect(throws: RedactionError.tooAlike) { try Sample.deadLetter(body) }
        }
        // Unoptimised code needs some seconds; a search without bound would need hours.
        #expect(elapsed < .seconds(30))
    }

    @Test func aMegabyteOfTextThatIsNotMadeForItIsSearched() throws {
        let stars = String(repeating: "*", count: 900_000)
        let record = try Sample.record(
            Sample.body("ONCRMDEALADD", [("data[password]", String(repeating: "*", count: 16)), ("data[x]", stars)])
        )
        #expect(try record.data() == #"{"password":"[redacted]","x":"[redacted]"}"#)
    }
}
