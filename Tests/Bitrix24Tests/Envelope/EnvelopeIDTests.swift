import Foundation
import Testing

@testable import Bitrix24

@Suite struct EnvelopeIDTests {
    private func text(_ id: EnvelopeID) -> String {
        var output: [UInt8] = []
        id.write(into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    @Test func isWrittenAsFoundationWritesAUUID() throws {
        var random = SplitMix64(state: 5)
        for _ in 0..<1000 {
            let id = EnvelopeID(high: random.next(), low: random.next())
            let written = text(id)
            let bytes = try #require(UUID(uuidString: written)).uuid
            #expect(written == UUID(uuid: bytes).uuidString.lowercased())
            let words = withUnsafeBytes(of: bytes) {
                ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
            }
            #expect((UInt64(bigEndian: words.0), UInt64(bigEndian: words.1)) == (id.high, id.low))
        }
    }

    @Test func isReadBackAsItWasWritten() {
        var random = SplitMix64(state: 7)
        for _ in 0..<1000 {
            let id = EnvelopeID(high: random.next(), low: random.next())
            #expect(EnvelopeID(text(id)) == id)
        }
        let good = "0199c0de-7c1a-7b5e-9f0d-2f1f6d1c0a42"
        for wrong in [
            "", "x", good + "0", String(good.dropLast()), good.uppercased(), "+" + good.dropFirst(),
            good.replacing("-", with: ""), "0199c0de7-c1a-7b5e-9f0d-2f1f6d1c0a42",
        ] {
            #expect(EnvelopeID(wrong) == nil, "\(wrong)")
        }
    }

    @Test func isAUUIDOfVersionSevenThatBeginsWithTheTime() {
        var ids = EnvelopeIDGenerator()
        let uuid7 = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/
        for milliseconds in [0, 1_466_439_715_120, 0xFFFF_FFFF_FFFF] as [Int64] {
            let written = text(ids.next(at: Timestamp(milliseconds: milliseconds)))
            #expect(written.wholeMatch(of: uuid7) != nil)
            #expect(Int64(written.prefix(13).filter { $0 != "-" }, radix: 16) == milliseconds)
        }
    }

    @Test func noTwoAreEqualWhoeverGivesThem() {
        let time = Timestamp(milliseconds: 1_466_439_715_120)
        var seen = Set<String>()
        var bits = (any: UInt64(0), all: UInt64.max)
        for _ in 0..<20 {
            var ids = EnvelopeIDGenerator()
            for _ in 0..<500 {
                let id = ids.next(at: time)
                seen.insert(text(id))
                bits = (bits.any | id.low, bits.all & id.low)
            }
        }
        #expect(seen.count == 10_000)
        // All 62 bits behind the variant are random.
        #expect(bits.any == 0xBFFF_FFFF_FFFF_FFFF)
        #expect(bits.all == 0x8000_0000_0000_0000)
    }

    @Test func laterIdsSortBehindEarlierOnes() {
        var ids = EnvelopeIDGenerator()
        let texts = (0..<200).map { text(ids.next(at: Timestamp(milliseconds: 1_466_439_715_120 + $0))) }
        #expect(texts == texts.sorted())
    }
}
