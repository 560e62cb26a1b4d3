/// The id of an event: a UUID of version 7, whose first 48 bits are the time of receipt (RFC 9562, section 5.7).
package struct EnvelopeID: Sendable, Equatable {
    package let high: UInt64
    package let low: UInt64

    /// Lower case, 36 characters.
    package func write(into output: inout [UInt8]) {
        for place in 0..<32 {
            if place == 8 || place == 12 || place == 16 || place == 20 { output.append(UInt8(ascii: "-")) }
            let word = place < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - place % 16 * 4)) & 15
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

/// Gives ids. Confined to one thread; holds a stock of random words, because asking the system for each id costs more than
/// all the rest of it.
package struct EnvelopeIDGenerator {
    private var stock: [UInt64] = []
    private var randomness = SystemRandomNumberGenerator()

    package init() {}

    package mutating func next(at time: Timestamp) -> EnvelopeID {
        if stock.count < 2 { stock = (0..<128).map { _ in randomness.next() } }
        let first = stock.removeLast()
        let second = stock.removeLast()
        return EnvelopeID(
            high: UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000 | first & 0x0FFF,
            low: 0x8000_0000_0000_0000 | second & 0x3FFF_FFFF_FFFF_FFFF
        )
    }
}
