import Foundation
import Testing

/// One segment file of a journal as it lies on disk, written down here from the format's description and not from its code:
/// a header of 128 bytes with the marker at 16, then frames of marker, length, checksum, position, time and payload.
struct SegmentFile {
    static let headerBytes = 128
    private static let frameBytes = 40

    let path: String
    var bytes: [UInt8]

    init(_ path: String) throws {
        self.path = path
        bytes = Array(try Data(contentsOf: URL(filePath: path)))
    }

    /// The segments of a journal, oldest first.
    static func all(in directory: String) throws -> [SegmentFile] {
        try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasSuffix(".segment") }.sorted()
            .map { try SegmentFile(directory + "/" + $0) }
    }

    func write() throws { try Data(bytes).write(to: URL(filePath: path)) }

    /// Each frame's range, with the number of the event in it.
    var frames: [(range: Range<Int>, number: String)] {
        var frames: [(Range<Int>, String)] = []
        var offset = Self.headerBytes
        let marker = bytes[16..<32]
        while offset + Self.frameBytes <= bytes.count, bytes[offset..<(offset + 16)] == marker {
            let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 16 + $1]) << ($1 * 8) }
            let end = offset + Self.frameBytes + length
            guard end <= bytes.count else { break }
            let payload = String(decoding: bytes[(offset + Self.frameBytes)..<end], as: UTF8.self)
            let number = payload.split(separator: "\"N\":\"").dropFirst().first?.prefix { $0 != "\"" } ?? ""
            frames.append((offset..<end, String(number)))
            offset = end
        }
        return frames
    }

    /// The events in the frames that `range` touches.
    func numbers(touching range: Range<Int>) -> Set<String> {
        Set(frames.filter { $0.range.overlaps(range) }.map(\.number))
    }

    var numbers: Set<String> { Set(frames.map(\.number)) }

    /// The header's checksum is made right again.
    mutating func sealHeader() {
        var crc = UInt32.max
        for byte in bytes[..<124] {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        withUnsafeBytes(of: (crc ^ .max).littleEndian) { bytes.replaceSubrange(124..<128, with: $0) }
    }

    /// Writes a number of the header, little endian.
    mutating func setWord(_ value: UInt64, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<(offset + 8), with: $0) }
    }

    func word(at offset: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }
}

/// What an event of a fault test says of itself: a client that posts in order, see ``DeliveryOrder``.
func numberedForm(_ number: Int, key: Int, padding: Int = 0) -> String {
    SampleEvent.form(id: "\(key)", number: "\(key)-\(number)&data[FIELDS][X]=" + String(repeating: "x", count: padding))
}
