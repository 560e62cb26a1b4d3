import Crypto

/// The SHA-256 of an application token. The token itself is never kept.
package struct TokenDigest: Sendable, Equatable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package init(token: some Collection<UInt8>) {
        var hasher = SHA256()
        if token.withContiguousStorageIfAvailable({ hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }) == nil {
            hasher.update(data: Array(token))
        }
        words = hasher.finalize().withUnsafeBytes(Self.words)
    }

    /// - Precondition: there are 32 bytes.
    private static func words(_ bytes: UnsafeRawBufferPointer) -> (UInt64, UInt64, UInt64, UInt64) {
        (
            bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        )
    }

    /// A digest that no token has, but for a chance of 2⁻²⁵⁶.
    static func random() -> TokenDigest { TokenDigest(words: (.random(), .random(), .random(), .random())) }

    private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// Lower-case hexadecimal, 64 digits.
    package var hexadecimal: [UInt8] {
        withUnsafeBytes(of: words) { bytes in
            bytes.flatMap { byte in [Self.digit(byte >> 4), Self.digit(byte & 15)] }
        }
    }

    /// Reads what `hexadecimal` wrote. `nil`: anything else.
    package init?(hexadecimal text: some Collection<UInt8>) {
        guard text.count == 64 else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text {
            guard let value = Self.value(character) else { return nil }
            if let half = high {
                bytes.append(half << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        words = bytes.withUnsafeBytes(Self.words)
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - 48
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - 87
        default: nil
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }

    /// All ones if equal, else zero, in a time that does not depend on where they differ.
    @inline(__always)
    func mask(equalTo other: TokenDigest) -> UInt64 {
        let difference =
            (words.0 ^ other.words.0) | (words.1 ^ other.words.1) | (words.2 ^ other.words.2)
            | (words.3 ^ other.words.3)
        // The top bit of `difference | -difference` is set exactly when `difference` is not zero.
        return ((difference | (0 &- difference)) >> 63) &- 1
    }

    package static func == (left: TokenDigest, right: TokenDigest) -> Bool { left.mask(equalTo: right) != 0 }
}

extension UInt64 {
    fileprivate static func random() -> UInt64 { .random(in: .min ... .max) }
}
