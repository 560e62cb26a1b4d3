/// One record as it lies in a segment, little endian:
///
/// | offset | bytes | field |
/// | --- | --- | --- |
/// | 0 | 16 | the segment's marker |
/// | 16 | 4 | length of the payload |
/// | 20 | 4 | CRC-32C over length, position, time and payload |
/// | 24 | 8 | position |
/// | 32 | 8 | time of the append, milliseconds since 1970 |
/// | 40 | | payload |
///
/// The marker is not under the checksum, so a frame moves to another segment by changing its first 16 bytes.
enum Frame {
    static let headerBytes = 40
    private static let lengthOffset = 16
    private static let checksumOffset = 20
    private static let positionOffset = 24
    private static let timeOffset = 32

    /// Writes all but marker and checksum, and copies the payload.
    static func lay(
        payload: UnsafeRawBufferPointer,
        position: UInt64,
        appendedAt: UInt64,
        stampAt: Int?,
        to frame: UnsafeMutableRawPointer
    ) {
        frame.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: lengthOffset, as: UInt32.self)
        frame.storeBytes(of: position.littleEndian, toByteOffset: positionOffset, as: UInt64.self)
        frame.storeBytes(of: appendedAt.littleEndian, toByteOffset: timeOffset, as: UInt64.self)
        if let source = payload.baseAddress, !payload.isEmpty {
            (frame + headerBytes).copyMemory(from: source, byteCount: payload.count)
        }
        if let stampAt {
            JournalPosition.writeDigits(of: position, to: frame + headerBytes + stampAt)
        }
    }

    /// Completes a laid frame.
    static func seal(_ frame: UnsafeMutableRawPointer, marker: Marker) {
        marker.store(to: frame)
        frame.storeBytes(of: checksum(of: frame).littleEndian, toByteOffset: checksumOffset, as: UInt32.self)
    }

    static func payloadBytes(of frame: UnsafeRawPointer) -> Int {
        Int(UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: lengthOffset, as: UInt32.self)))
    }

    static func bytes(of frame: UnsafeRawPointer) -> Int {
        headerBytes + payloadBytes(of: frame)
    }

    static func position(of frame: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: positionOffset, as: UInt64.self))
    }

    static func appendedAt(of frame: UnsafeRawPointer) -> UInt64 {
        UInt64(littleEndian: frame.loadUnaligned(fromByteOffset: timeOffset, as: UInt64.self))
    }

    static func payload(of frame: UnsafeRawPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: frame + headerBytes, count: payloadBytes(of: frame))
    }

    /// Whether the checksum holds. The whole frame, as its length field has it, must be readable.
    static func isIntact(_ frame: UnsafeRawPointer) -> Bool {
        checksum(of: frame)
            == UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: checksumOffset, as: UInt32.self))
    }

    private static func checksum(of frame: UnsafeRawPointer) -> UInt32 {
        var crc = CRC32C()
        crc.update(UnsafeRawBufferPointer(start: frame + lengthOffset, count: 4))
        crc.update(
            UnsafeRawBufferPointer(start: frame + positionOffset, count: bytes(of: frame) - positionOffset)
        )
        return crc.value
    }
}
