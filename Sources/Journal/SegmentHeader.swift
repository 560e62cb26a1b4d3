/// The first 128 bytes of a segment file, little endian, the last four of them the CRC-32C of the others.
///
/// Size, magic, version, position limit and checksum stay where they are in every later version. So a header whose checksum holds tells
/// its version for certain, and one whose checksum fails is damaged and not "newer", whatever its version field says.
struct SegmentHeader: Equatable, Sendable {
    static let bytes = 128
    static let version: UInt32 = 1
    static let magic: UInt64 = 0x0A4C_4E52_554F_4A89  // "\x89JOURNL\n", read as a little-endian number

    /// Tells the files of one journal from those of another.
    var journal: UInt64
    var number: UInt64
    var marker: Marker
    /// No record of this segment is below it, and all that was committed before is.
    var first: UInt64
    /// All positions of this segment are below it.
    var limit: UInt64
    /// Milliseconds since 1970.
    var createdAt: UInt64
    /// The segment made before this one, and its marker, should that one's header be unreadable. 0: there was none.
    var previousNumber: UInt64
    var previousMarker: Marker

    enum Reading: Equatable, Sendable {
        case valid(SegmentHeader)
        /// Written by a later version of this program.
        case newer(version: UInt32, limit: UInt64)
        case damaged
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            func put(_ value: UInt64, _ offset: Int) {
                base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
            }
            put(Self.magic, 0)
            base.storeBytes(of: Self.version.littleEndian, toByteOffset: 8, as: UInt32.self)
            base.storeBytes(of: UInt32(Self.bytes).littleEndian, toByteOffset: 12, as: UInt32.self)
            marker.store(to: base + 16)
            put(number, 32)
            put(first, 40)
            put(limit, 48)
            put(createdAt, 56)
            put(journal, 64)
            put(previousNumber, 72)
            previousMarker.store(to: base + 80)
            let crc = CRC32C.checksum(UnsafeRawBufferPointer(start: base, count: Self.bytes - 4))
            base.storeBytes(of: crc.littleEndian, toByteOffset: Self.bytes - 4, as: UInt32.self)
        }
        return bytes
    }

    static func read(_ bytes: [UInt8]) -> Reading {
        guard bytes.count >= Self.bytes else { return .damaged }
        return bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return .damaged }
            func word(_ offset: Int) -> UInt64 {
                UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            }
            func half(_ offset: Int) -> UInt32 {
                UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            }
            guard word(0) == magic,
                half(Self.bytes - 4) == CRC32C.checksum(UnsafeRawBufferPointer(rebasing: buffer[..<(Self.bytes - 4)]))
            else { return .damaged }
            guard half(8) <= version else { return .newer(version: half(8), limit: word(48)) }
            return .valid(
                SegmentHeader(
                    journal: word(64),
                    number: word(32),
                    marker: Marker(loadingFrom: base + 16),
                    first: word(40),
                    limit: word(48),
                    createdAt: word(56),
                    previousNumber: word(72),
                    previousMarker: Marker(loadingFrom: base + 80)
                )
            )
        }
    }
}
