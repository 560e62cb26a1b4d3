import Foundation
import Testing

@testable import Bitrix24

@Suite struct TimestampTests {
    private func text(_ milliseconds: Int64, withMilliseconds: Bool) -> String {
        var output: [UInt8] = []
        Timestamp(milliseconds: milliseconds).write(into: &output, withMilliseconds: withMilliseconds)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func writesWhatFoundationWrites() {
        let style = Date.ISO8601FormatStyle()
        var random = SplitMix64(state: 11)
        // Every boundary of a year, a leap day and a century within reach, and random seconds up to the year 9999.
        var seconds: [Int64] = [0, 1, 59, 60, 86_399, 86_400, 951_782_399, 951_782_400, 951_868_799, 951_868_800]
        seconds += (0..<400).map { $0 * 31_556_952 }
        seconds += [4_107_542_399, 4_107_542_400, 253_402_300_799]
        seconds += (0..<5000).map { _ in Int64.random(in: 0...253_402_300_799, using: &random) }
        for second in seconds {
            let expected = Date(timeIntervalSince1970: TimeInterval(second)).formatted(style)
            #expect(text(second * 1000, withMilliseconds: false) == expected)
        }
    }

    @Test(
        arguments: [
            (1_466_439_715_120, "2016-06-20T16:21:55.120Z"), (1_466_439_715_007, "2016-06-20T16:21:55.007Z"),
            (1_466_439_715_999, "2016-06-20T16:21:55.999Z"), (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] as [(Int64, String)]
    )
    func writesMilliseconds(milliseconds: Int64, expected: String) {
        #expect(text(milliseconds, withMilliseconds: true) == expected)
    }

    @Test(arguments: [
        ("1466439714", 1_466_439_714_000), ("1", 1000), ("253402300799", 253_402_300_799_000), ("007", 7000),
    ])
    func readsUnixSeconds(text: String, milliseconds: Int64) {
        #expect(Timestamp(unixSeconds: Array(text.utf8)[...])?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "0", "000", "-1", "+1", " 1", "1 ", "1.5", "1e9", "0x1", "253402300800", "999999999999", "1000000000000",
        "99999999999999999999999", "1466439714\u{0}", "\u{0661}",
    ])
    func doesNotBelieveAnythingElse(text: String) throws {
        #expect(Timestamp(unixSeconds: Array(text.utf8)[...]) == nil)
        let record = try Sample.record(Sample.body("ONCRMDEALADD", [("data[FIELDS][ID]", "7"), ("ts", text)]))
        #expect(try record.attribute("time") == "2016-06-20T16:21:55.120Z")
    }

    @Test func theTimeOfAnEventIsItsOwnIfItHasOne() throws {
        let record = try Sample.record(Sample.body("ONCRMDEALADD", [("ts", "1466439714")]))
        #expect(try record.attribute("time") == "2016-06-20T16:21:54Z")
        #expect(try record.attribute("recordedtime") == "2016-06-20T16:21:55.120Z")
    }
}
