/// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected), as iSCSI uses it (RFC 3720, appendix B.4 has test vectors).
///
/// Slicing by eight: eight tables, eight bytes a step.
package struct CRC32C {
    private var state: UInt32 = .max

    var value: UInt32 { ~state }

    package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(bytes)
        return crc.value
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        let t = Self.tables.pointer
        var crc = state
        var offset = 0
        let whole = bytes.count & ~7
        while offset < whole {
            let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ UInt64(crc)
            let low = UInt32(truncatingIfNeeded: word)
            let high = UInt32(truncatingIfNeeded: word &>> 32)
            let a = t[0x700 &+ Int(low & 0xff)] ^ t[0x600 &+ Int((low &>> 8) & 0xff)]
            let b = t[0x500 &+ Int((low &>> 16) & 0xff)] ^ t[0x400 &+ Int(low &>> 24)]
            let c = t[0x300 &+ Int(high & 0xff)] ^ t[0x200 &+ Int((high &>> 8) & 0xff)]
            let d = t[0x100 &+ Int((high &>> 16) & 0xff)] ^ t[Int(high &>> 24)]
            crc = (a ^ b) ^ (c ^ d)
            offset &+= 8
        }
        while offset < bytes.count {
            let index = Int((crc ^ UInt32(base.load(fromByteOffset: offset, as: UInt8.self))) & 0xff)
            crc = (crc &>> 8) ^ t[index]
            offset &+= 1
        }
        state = crc
    }

    private static let tables = Tables()

    /// Unchecked: the memory is written once, before the first reader can see the constant, and lives for ever.
    private struct Tables: @unchecked Sendable {
        let pointer: UnsafePointer<UInt32>

        init() {
            let tables = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
            for index in 0..<256 {
                var crc = UInt32(index)
                for _ in 0..<8 {
                    crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1
                }
                tables[index] = crc
            }
            for table in 1..<8 {
                for index in 0..<256 {
                    let previous = tables[(table - 1) * 256 + index]
                    tables[table * 256 + index] = (previous >> 8) ^ tables[Int(previous & 0xff)]
                }
            }
            pointer = UnsafePointer(tables)
        }
    }
}
