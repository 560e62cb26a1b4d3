package import NIOCore

/// An address that a host name stands for.
package struct HostAddress: Sendable, Hashable, CustomStringConvertible {
    /// IPv6, or IPv4 as `::ffff:a.b.c.d`.
    private let bits: UInt128
    package let description: String

    /// Nil for a Unix domain socket. The address stands behind family and port, in IPv6 the flow label too (RFC 3493).
    package init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            let bits = withUnsafeBytes(of: address.address) { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
            self.bits = 0xFFFF << 32 | UInt128(UInt32(bigEndian: bits))
        case .v6(let address):
            let bits = withUnsafeBytes(of: address.address) { $0.loadUnaligned(fromByteOffset: 8, as: UInt128.self) }
            self.bits = UInt128(bigEndian: bits)
        case .unixDomainSocket: return nil
        }
        description = address.ipAddress ?? "?"
    }

    /// A literal such as `203.0.113.7` or `2001:db8::1`.
    package init?(_ literal: String) {
        guard let address = try? SocketAddress(ipAddress: literal, port: 0) else { return nil }
        self.init(address)
    }

    /// Whether the address is one of the public internet: none of a private network, of this host or of its link, and none
    /// that leads there by way of a translation.
    package var isPublic: Bool {
        // NAT64 (RFC 6052) leads to the IPv4 address in its last 32 bits.
        if bits >> 32 == 0xFFFF || bits >> 32 == 0x0064_FF9B << 64 {
            return !Self.reservedV4.contains { UInt32(truncatingIfNeeded: bits) >> (32 - $0.length) == $0.prefix }
        }
        return bits >> 125 == 0b001 && !Self.reservedV6.contains { bits >> UInt128(128 - $0.length) == $0.prefix }
    }

    /// IANA IPv4 Special-Purpose Address Registry, and multicast.
    private static let reservedV4: [(prefix: UInt32, length: UInt32)] = [
        (0, 8), (10, 8), (100 << 2 | 1, 10), (127, 8), (169 << 8 | 254, 16), (172 << 4 | 1, 12),
        (192 << 16, 24), (192 << 16 | 2, 24), (192 << 16 | 88 << 8 | 99, 24), (192 << 8 | 168, 16),
        (198 << 7 | 9, 15), (198 << 16 | 51 << 8 | 100, 24), (203 << 16 | 113, 24), (0xE, 4), (0xF, 4),
    ]

    /// IANA IPv6 Special-Purpose Address Registry, what of it lies within 2000::/3.
    private static let reservedV6: [(prefix: UInt128, length: Int)] = [
        (0x2001 << 7, 23), (0x2001_0DB8, 32), (0x2002, 16), (0x3FFF << 4, 20),
    ]
}
