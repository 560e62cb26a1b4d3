extension BracketForm {
    /// The same as of a buffer.
    package mutating func decode(_ body: [UInt8]) throws(FormError) {
        var fault: FormError?
        body.withUnsafeBytes { body in
            do throws(FormError) {
                try decode(body)
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
    }

    /// Replaces what the form holds by what `parse_str` makes of `body`.
    ///
    /// - Throws: `FormError` when the body is over a limit. The form then holds nothing of use.
    package mutating func decode(_ body: UnsafeRawBufferPointer) throws(FormError) {
        pairs.removeAll(keepingCapacity: true)
        entries[0] = .root
        entryCount = 1
        guard body.count < Int(UInt32.max) / 4 else { throw .tooLarge }
        try split(body)
        try buildTree()
    }

    /// First pass: cuts at `&` and the first `=`, and undoes the percent encoding of both sides.
    private mutating func split(_ body: UnsafeRawBufferPointer) throws(FormError) {
        // Decoding never makes a text longer, so the body's length is enough for all names and values. As much again for
        // the names that PHP rewrites saves most growing later.
        let room = body.count * 2 + FormBuilder.slack
        if text.count < room { text = [UInt8](repeating: 0, count: room) }
        textEnd = 0
        guard let input = body.baseAddress else { return }
        var found = pairs
        pairs = []
        defer { pairs = found }
        var written = 0
        var cursor = 0
        let limit = limits.pairs
        text.withUnsafeMutableBytes { text in
            guard let output = text.baseAddress else { return }
            while cursor < body.count {
                if body[cursor] == UInt8(ascii: "&") {
                    cursor += 1
                    continue
                }
                if found.count == limit { return }
                let start = written
                cursor = PercentCoding.decode(
                    input,
                    cursor..<body.count,
                    stoppingAtEquals: true,
                    into: output,
                    at: &written
                )
                let middle = written
                if cursor < body.count, body[cursor] == UInt8(ascii: "=") {
                    cursor = PercentCoding.decode(
                        input,
                        cursor + 1..<body.count,
                        stoppingAtEquals: false,
                        into: output,
                        at: &written
                    )
                }
                found.append(Pair(name: TextRange(start..<middle), value: TextRange(middle..<written)))
            }
        }
        textEnd = written
        if cursor < body.count { throw .tooManyPairs(limit: limit) }
    }

    /// Second pass: puts each pair where its name says.
    private mutating func buildTree() throws(FormError) {
        var found = pairs
        pairs = []
        defer { pairs = found }
        var next = 0
        while next < found.count {
            makeRoom(for: found[next])
            let (limits, hashSeed) = (limits, hashSeed)
            var fault: FormError?
            var (textEnd, entryCount) = (textEnd, entryCount)
            text.withUnsafeMutableBytes { text in
                entries.withUnsafeMutableBufferPointer { entries in
                    var builder = FormBuilder(
                        text: text,
                        textEnd: textEnd,
                        entries: entries,
                        entryCount: entryCount,
                        depthLimit: limits.depth,
                        hashSeed: hashSeed
                    )
                    // As many as fit, which is nearly always all of them.
                    while next < found.count, builder.hasRoom(for: found[next]) {
                        do throws(FormError) {
                            try builder.insert(&found[next])
                        } catch {
                            fault = error
                            return
                        }
                        next += 1
                    }
                    (textEnd, entryCount) = (builder.textEnd, builder.entryCount)
                }
            }
            (self.textEnd, self.entryCount) = (textEnd, entryCount)
            if let fault { throw fault }
        }
    }

    private mutating func makeRoom(for pair: Pair) {
        let textRoom = textEnd + FormBuilder.mostText(of: pair, depthLimit: limits.depth)
        if text.count < textRoom {
            text.append(contentsOf: repeatElement(0, count: Swift.max(textRoom - text.count, text.count / 2)))
        }
        let entryRoom = entryCount + limits.depth + 1
        if entries.count < entryRoom {
            entries.append(contentsOf: repeatElement(.root, count: Swift.max(entryRoom, entries.count * 2)))
        }
    }
}

/// `application/x-www-form-urlencoded` as PHP's `urldecode` reads it: `+` is a space, `%` needs two hexadecimal digits or
/// stays as it is.
enum PercentCoding {
    /// Decodes up to the next `&` (or `=`), and returns where it stopped.
    ///
    /// - Precondition: the output has room for eight bytes more than there is input.
    @inline(__always)
    static func decode(
        _ input: UnsafeRawPointer,
        _ range: Range<Int>,
        stoppingAtEquals: Bool,
        into output: UnsafeMutableRawPointer,
        at written: inout Int
    ) -> Int {
        var cursor = range.lowerBound
        var end = written
        defer { written = end }
        while cursor < range.upperBound {
            if cursor &+ 8 <= range.upperBound {
                // Eight bytes at once, of which those before the first special one count.
                let word = input.word(at: cursor)
                output.storeBytes(of: word, toByteOffset: end, as: UInt64.self)
                let plain = plainBytes(of: word.littleEndian, isName: stoppingAtEquals)
                cursor &+= plain
                end &+= plain
                if plain == 8 { continue }
            }
            let byte = input.load(fromByteOffset: cursor, as: UInt8.self)
            if byte == UInt8(ascii: "%") {
                // They seldom come alone: a letter that is not Latin takes two or three.
                repeat {
                    let (byte, length) = escape(input, cursor..<range.upperBound)
                    output.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
                    cursor &+= length
                    end &+= 1
                } while cursor < range.upperBound
                    && input.load(fromByteOffset: cursor, as: UInt8.self) == UInt8(ascii: "%")
                continue
            }
            if byte == UInt8(ascii: "&") || stoppingAtEquals && byte == UInt8(ascii: "=") { return cursor }
            let plain = byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte
            output.storeBytes(of: plain, toByteOffset: end, as: UInt8.self)
            cursor &+= 1
            end &+= 1
        }
        return cursor
    }

    /// How many of eight bytes, the first in the lowest place, come before one that may be special. `&`, `%` and `+` are
    /// below 0x2C, what PHP leaves unencoded is not.
    @inline(__always)
    private static func plainBytes(of word: UInt64, isName: Bool) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // The top bit is set in each byte below 0x2C, and maybe in some behind the first such one.
        var special = (word &- ones &* 0x2C) & ~word
        if isName {
            let difference = word ^ (ones &* UInt64(UInt8(ascii: "=")))
            special |= (difference &- ones) & ~difference
        }
        return (special & (ones &* 0x80)).trailingZeroBitCount >> 3
    }

    /// What the `%` at the range's start stands for: a byte of two digits, or itself.
    @inline(__always)
    private static func escape(_ input: UnsafeRawPointer, _ range: Range<Int>) -> (byte: UInt8, length: Int) {
        guard range.count > 2 else { return (UInt8(ascii: "%"), 1) }
        let high = hexadecimal(input.load(fromByteOffset: range.lowerBound &+ 1, as: UInt8.self))
        let low = hexadecimal(input.load(fromByteOffset: range.lowerBound &+ 2, as: UInt8.self))
        return high | low < 16 ? (high << 4 | low, 3) : (UInt8(ascii: "%"), 1)
    }

    /// The value of a digit, 255 if it is none.
    @inline(__always)
    private static func hexadecimal(_ byte: UInt8) -> UInt8 {
        let digit = byte &- UInt8(ascii: "0")
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return digit < 10 ? digit : letter < 6 ? letter &+ 10 : .max
    }
}
