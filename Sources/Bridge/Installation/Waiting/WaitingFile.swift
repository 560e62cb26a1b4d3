/// Payloads of the waiting room back to back, each behind its length (4 bytes, little-endian).
enum WaitingFile {
    static func encode(_ payloads: [[UInt8]]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payloads.reduce(0) { $0 + 4 + $1.count })
        for payload in payloads {
            withUnsafeBytes(of: UInt32(payload.count).littleEndian) { bytes.append(contentsOf: $0) }
            bytes += payload
        }
        return bytes
    }

    /// `nil`: not what `encode` makes.
    static func decode(_ bytes: [UInt8]) -> [[UInt8]]? {
        var payloads: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            guard bytes.count - start >= 4 else { return nil }
            let count = bytes.withUnsafeBytes {
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
            }
            start += 4
            guard bytes.count - start >= count else { return nil }
            payloads.append(Array(bytes[start..<start + count]))
            start += count
        }
        return payloads
    }
}

/// An event in the waiting room: its dead letter, should its token prove wrong, from which its record is made otherwise.
///
/// Two bytes, the length of `traceparent`, then that, then the letter as it would lie in the journal.
struct WaitingEvent {
    let traceparent: String?
    /// As `StoredRecord` reads it.
    let letter: ArraySlice<UInt8>

    static func encode(letter: [UInt8], traceparent: String?) -> [UInt8] {
        // What is longer is no traceparent, and would not be passed on.
        let trace = Array((traceparent ?? "").utf8.prefix(256))
        return [UInt8(trace.count & 0xFF), UInt8(trace.count >> 8)] + trace + letter
    }

    init?(_ payload: [UInt8]) {
        guard payload.count >= 2 else { return nil }
        let start = 2 + Int(payload[0]) + Int(payload[1]) << 8
        guard payload.count >= start else { return nil }
        traceparent = start == 2 ? nil : String(decoding: payload[2..<start], as: UTF8.self)
        letter = payload[start...]
    }
}
