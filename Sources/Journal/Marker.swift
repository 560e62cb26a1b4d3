import Glibc

/// The random 16 bytes that begin every frame of one segment. They are drawn anew for each segment and never leave the
/// disk, so nobody can put them into a payload to make it pose as a frame when a reader resynchronises after damage.
struct Marker: Equatable, Sendable {
    static let bytes = 16

    let first: UInt64
    let second: UInt64

    static func random() -> Marker {
        var generator = SystemRandomNumberGenerator()
        // Never a word of zeros: a block of zeros is what damage looks like.
        return Marker(
            first: .random(in: 1 ... .max, using: &generator),
            second: .random(in: 1 ... .max, using: &generator)
        )
    }

    init(first: UInt64, second: UInt64) {
        self.first = first
        self.second = second
    }

    init(loadingFrom pointer: UnsafeRawPointer) {
        first = UInt64(littleEndian: pointer.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        second = UInt64(littleEndian: pointer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    var isPlausible: Bool { first != 0 && second != 0 }

    /// The first offset from `from` on where the whole marker stands below `end`.
    func find(in base: UnsafeRawPointer, from: Int, to end: Int) -> Int? {
        let firstByte = Int32(truncatingIfNeeded: first & 0xff)
        var offset = from
        while end - offset >= Self.bytes {
            guard let found = memchr(base + offset, firstByte, end - offset - Self.bytes + 1) else { return nil }
            let place = UnsafeRawPointer(found) - base
            if Marker(loadingFrom: base + place) == self { return place }
            offset = place + 1
        }
        return nil
    }

    func store(to pointer: UnsafeMutableRawPointer) {
        pointer.storeBytes(of: first.littleEndian, toByteOffset: 0, as: UInt64.self)
        pointer.storeBytes(of: second.littleEndian, toByteOffset: 8, as: UInt64.self)
    }
}
