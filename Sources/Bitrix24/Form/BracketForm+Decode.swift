extension BracketForm {
    /// Replaces what the form holds by what `parse_str` makes of `body`.
    ///
    /// - Throws: `FormError` when the body is over a limit. The form then holds nothing of use.
    package mutating func decode(_ body: UnsafeRawBufferPointer) throws(FormError) {
        pairs.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        entries.append(Entry(name: .empty, nameHash: 0, isMap: true))
        guard body.count < Int(UInt32.max) / 2 else { throw .tooLarge }
        try split(body)
        for index in pairs.indices {
            try insert(pairAt: index)
        }
    }

    /// First pass: cuts at `&` and the first `=`, and undoes the percent encoding of both sides.
    private mutating func split(_ body: UnsafeRawBufferPointer) throws(FormError) {
        // Decoding never makes a text longer, so the body's length is enough for all names and values, and as much again
        // for the names that PHP rewrites.
        if text.count < body.count * 2 { text = [UInt8](repeating: 0, count: body.count * 2) }
        var found = pairs
        pairs = []
        defer { pairs = found }
        textEnd = 0
        var written = 0
        var cursor = 0
        let limit = limits.pairs
        text.withUnsafeMutableBufferPointer { out in
            while cursor < body.count {
                if body[cursor] == UInt8(ascii: "&") {
                    cursor += 1
                    continue
                }
                if found.count == limit { return }
                let nameStart = written
                cursor = PercentCoding.decode(body, from: cursor, stoppingAtEquals: true, into: out, at: &written)
                let nameEnd = written
                if cursor < body.count, body[cursor] == UInt8(ascii: "=") {
                    cursor = PercentCoding.decode(
                        body,
                        from: cursor + 1,
                        stoppingAtEquals: false,
                        into: out,
                        at: &written
                    )
                }
                found.append(
                    Pair(
                        name: TextRange(start: UInt32(nameStart), count: UInt32(nameEnd - nameStart)),
                        value: TextRange(start: UInt32(nameEnd), count: UInt32(written - nameEnd))
                    )
                )
            }
        }
        textEnd = written
        if cursor < body.count { throw .tooManyPairs(limit: limit) }
    }
}

/// `application/x-www-form-urlencoded` as PHP's `urldecode` reads it: `+` is a space, `%` needs two hexadecimal digits or
/// stays as it is.
enum PercentCoding {
    /// Decodes up to the next `&` (or `=`), and returns where it stopped.
    @inline(__always)
    static func decode(
        _ input: UnsafeRawBufferPointer,
        from start: Int,
        stoppingAtEquals: Bool,
        into output: UnsafeMutableBufferPointer<UInt8>,
        at written: inout Int
    ) -> Int {
        var cursor = start
        var end = written
        while cursor < input.count {
            let byte = input[cursor]
            switch byte {
            case UInt8(ascii: "&"):
                written = end
                return cursor
            case UInt8(ascii: "=") where stoppingAtEquals:
                written = end
                return cursor
            case UInt8(ascii: "+"):
                output[end] = UInt8(ascii: " ")
                cursor += 1
            case UInt8(ascii: "%"):
                if cursor + 2 < input.count, let high = hexadecimal(input[cursor + 1]),
                    let low = hexadecimal(input[cursor + 2])
                {
                    output[end] = high << 4 | low
                    cursor += 3
                } else {
                    output[end] = byte
                    cursor += 1
                }
            default:
                output[end] = byte
                cursor += 1
            }
            end += 1
        }
        written = end
        return cursor
    }

    @inline(__always)
    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }
}
