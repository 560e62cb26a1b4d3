package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IPv4 or IPv6 address as 128 bits. IPv4 lives in `::ffff:0:0/96` (RFC 4291, 2.5.5.2), so that an IPv4 address and
/// its mapped form are one and the same.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    let bits: UInt128

    private static let mappedPrefix: UInt128 = 0xFFFF << 32

    init(bits: UInt128) {
        self.bits = bits
    }

    init(v4 address: UInt32) {
        bits = Self.mappedPrefix | UInt128(address)
    }

    var isV4: Bool { bits >> 32 == 0xFFFF }

    /// Reads a literal: dotted decimal, or IPv6 without brackets and without a zone. Nil for anything else.
    package init?(_ literal: some StringProtocol) {
        // In network byte order, as inet_pton writes them.
        var v4: UInt32 = 0
        var v6: UInt128 = 0
        // inet_pton stops at a NUL and would read what stands before it.
        guard literal.utf8.count < 64, !literal.utf8.contains(0) else { return nil }
        let text = String(literal)
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4))
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self.init(bits: UInt128(bigEndian: v6))
        } else {
            return nil
        }
    }

    /// Nil for a Unix domain socket. The address stands behind family and port in `sockaddr_in` (RFC 3493 for
    /// `sockaddr_in6`, with the flow label between).
    package init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            self.init(
                v4: withUnsafeBytes(of: address.address) {
                    UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
                }
            )
        case .v6(let address):
            self.init(
                bits: withUnsafeBytes(of: address.address) {
                    UInt128(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
                }
            )
        case .unixDomainSocket: return nil
        }
    }

    package var description: String {
        if isV4 {
            let address = UInt32(truncatingIfNeeded: bits)
            return "\(address >> 24).\(address >> 16 & 0xFF).\(address >> 8 & 0xFF).\(address & 0xFF)"
        }
        var address = bits.bigEndian
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard let start = text.baseAddress, inet_ntop(AF_INET6, &address, start, 64) != nil else { return "?" }
            return String(cString: start)
        }
    }
}
