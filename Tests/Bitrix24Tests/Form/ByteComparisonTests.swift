import Testing

@testable import Bitrix24

@Suite struct ByteComparisonTests {
    @Test func findsADifferenceAtAnyPlace() {
        for count in 0...40 {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(bytes.withUnsafeBytes { left in Array(bytes).withUnsafeBytes { left.equals($0) } })
            for place in 0..<count {
                var other = bytes
                other[place] ^= 0x80
                #expect(
                    !bytes.withUnsafeBytes { left in other.withUnsafeBytes { left.equals($0) } },
                    "\(place) of \(count)"
                )
            }
            #expect(!bytes.withUnsafeBytes { left in (bytes + [0]).withUnsafeBytes { left.equals($0) } })
        }
    }
}
