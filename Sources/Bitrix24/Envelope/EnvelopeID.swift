import Crypto

/// The id of an event: a UUID of version 7, whose first 48 bits are the time of receipt (RFC 9562, section 5.7), or one of
/// version 5 where the same id must come out each time (section 5.5).
package struct EnvelopeID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads what `write` writes.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12], text.utf8.allSatisfy(Self.isDigitOrDash),
            let high = UInt64(parts[0...2].joined(), radix: 16), let low = UInt64(parts[3...4].joined(), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// A digit in lower case; the number reader takes signs and capitals as well.
    private static func isDigitOrDash(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "-"): true
        default: false
        }
    }

    /// The version 5 of `name`: the same for the same name and namespace.
    package init(derivedFrom name: String, in namespace: EnvelopeID) {
        var hasher = Insecure.SHA1()
        for word in [namespace.high, namespace.low] {
            withUnsafeBytes(of: word.bigEndian) { hasher.update(bufferPointer: $0) }
        }
        hasher.update(data: Array(name.utf8))
        let words = hasher.finalize().withUnsafeBytes { hash in
            (
                UInt64(bigEndian: hash.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: hash.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        high = words.0 & ~0xF000 | 0x5000
        low = words.1 & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    }

    /// Lower case, 36 characters.
    package func write(into output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 36, alignment: 8) { text in
            // Eight digits each; 8-4-4-4-12 of them stand between the dashes.
            let words = (
                Self.digits(high >> 32), Self.digits(high & 0xFFFF_FFFF), Self.digits(low >> 32),
                Self.digits(low & 0xFFFF_FFFF)
            )
            let dash = UInt8(ascii: "-")
            text.storeBytes(of: words.0, toByteOffset: 0, as: UInt64.self)
            text[8] = dash
            text.storeBytes(of: UInt32(truncatingIfNeeded: words.1), toByteOffset: 9, as: UInt32.self)
            text[13] = dash
            text.storeBytes(of: UInt32(truncatingIfNeeded: words.1 >> 32), toByteOffset: 14, as: UInt32.self)
            text[18] = dash
            text.storeBytes(of: UInt32(truncatingIfNeeded: words.2), toByteOffset: 19, as: UInt32.self)
            text[23] = dash
            text.storeBytes(of: UInt32(truncatingIfNeeded: words.2 >> 32), toByteOffset: 24, as: UInt32.self)
            text.storeBytes(of: words.3, toByteOffset: 28, as: UInt64.self)
            output.append(contentsOf: text)
        }
    }

    /// The eight hexadecimal digits of a 32-bit number, the first in the lowest byte.
    private static func digits(_ number: UInt64) -> UInt64 {
        // One nibble to each byte, then all eight to letters at once.
        var nibbles = (number << 32 | number >> 16) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles << 16 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles << 8 | nibbles >> 4) & 0x0F0F_0F0F_0F0F_0F0F
        let letters = (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 39
    }
}

/// Gives ids. Confined to one thread.
///
/// The random bits come from xoshiro256++ (https://prng.di.unimi.it), seeded by the system: ids must differ, they need not
/// be hard to guess, and asking the system for each costs more than all the rest of it.
package struct EnvelopeIDGenerator {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init() {
        var system = SystemRandomNumberGenerator()
        // The state must not be all zeros.
        state = (system.next() | 1, system.next(), system.next(), system.next())
    }

    package mutating func next(at time: Timestamp) -> EnvelopeID {
        EnvelopeID(
            high: UInt64(truncatingIfNeeded: time.milliseconds) << 16 | 0x7000 | random() & 0x0FFF,
            low: 0x8000_0000_0000_0000 | random() & 0x3FFF_FFFF_FFFF_FFFF
        )
    }

    private mutating func random() -> UInt64 {
        let result = Self.rotated(state.0 &+ state.3, by: 23) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = Self.rotated(state.3, by: 45)
        return result
    }

    private static func rotated(_ word: UInt64, by count: UInt64) -> UInt64 { word << count | word >> (64 - count) }
}
