package import NIOCore

/// A list of networks in CIDR notation, such as `10.0.0.0/8`, `2001:db8::/32` or a single address.
package struct AddressRanges: Sendable, Equatable {
    private struct Range: Sendable, Equatable {
        let network: UInt128
        let mask: UInt128
    }

    private var ranges: [Range] = []
    /// The networks of one address, of which there may be thousands.
    private var addresses: Set<UInt128> = []

    /// Contains no address.
    package init() {}

    /// - Throws: the first entry that is not a network, with the mend.
    package init(_ entries: [String]) throws(AddressRangeError) {
        for entry in entries {
            let range = try Self.range(entry)
            if range.mask == .max { addresses.insert(range.network) } else { ranges.append(range) }
        }
    }

    package var isEmpty: Bool { ranges.isEmpty && addresses.isEmpty }

    package var count: Int { ranges.count + addresses.count }

    package func contains(_ address: IPAddress) -> Bool {
        addresses.contains(address.bits) || ranges.contains { address.bits & $0.mask == $0.network }
    }

    package mutating func formUnion(_ other: AddressRanges) {
        ranges += other.ranges.filter { !ranges.contains($0) }
        addresses.formUnion(other.addresses)
    }

    /// False for a Unix domain socket.
    package func contains(_ address: SocketAddress) -> Bool {
        IPAddress(address).map { contains($0) } ?? false
    }

    private static func range(_ entry: String) throws(AddressRangeError) -> Range {
        let parts = entry.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let literal = parts.first, let address = IPAddress(literal) else {
            throw AddressRangeError(entry: entry, mend: "write an IPv4 or IPv6 network such as 10.0.0.0/8")
        }
        // The mapped form of an IPv4 network is written with the prefix of its 128 bits.
        let isDotted = !literal.utf8.contains(UInt8(ascii: ":"))
        let width = isDotted ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
                let given = Int(parts[1]), given <= width
            else {
                throw AddressRangeError(entry: entry, mend: "write a prefix length from 0 to \(width) after the slash")
            }
            length = given
        }
        let prefix = length + 128 - width
        let mask: UInt128 = prefix == 0 ? 0 : UInt128.max << UInt128(128 - prefix)
        guard address.bits & ~mask == 0 else {
            let network = IPAddress(bits: address.bits & mask)
            throw AddressRangeError(
                entry: entry,
                mend: "its address has bits beyond the prefix; write \(network)/\(length) for the network "
                    + "or \(literal)/\(width) for the one address"
            )
        }
        return Range(network: address.bits & mask, mask: mask)
    }
}

/// An entry that is not a network.
package struct AddressRangeError: Error, Equatable, CustomStringConvertible {
    package let entry: String
    /// What to do about it.
    package let mend: String

    package var description: String { "\"\(entry)\" is not a network: \(mend)" }
}
