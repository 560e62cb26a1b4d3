/// Makes the tree out of the pairs: a name such as `data[FIELDS][ID]` becomes a path in it. The rules are those of PHP's
/// `php_register_variable_ex` (https://github.com/php/php-src/blob/PHP-8.2/main/php_variables.c).
///
/// It works in memory that `BracketForm.decode` holds still for it and does not ask for more; `hasRoom` says whether what
/// there is will do for one pair more.
struct FormBuilder {
    typealias Entry = BracketForm.Entry
    typealias TextRange = BracketForm.TextRange

    let text: UnsafeMutableRawBufferPointer
    var textEnd: Int
    let entries: UnsafeMutableBufferPointer<Entry>
    var entryCount: Int
    let depthLimit: Int
    let hashSeed: UInt64

    /// What stands between two brackets.
    private enum Key {
        case named(Range<Int>)
        /// `[]`: the next free integer.
        case append
    }

    // MARK: Room

    /// Most digits of an integer key, with its sign.
    private static let mostDigits = 20
    /// Text behind `textEnd` that may be read or written without being used, as bytes are moved eight at a time.
    static let slack = 8

    /// Most text that inserting `pair` can add: its name rewritten, first up to a bracket and then, as that does not close,
    /// all of it; and a number for each `[]`.
    static func mostText(of pair: BracketForm.Pair, depthLimit: Int) -> Int {
        2 * Int(pair.name.count) + min(depthLimit, Int(pair.name.count) / 2) * mostDigits + slack
    }

    func hasRoom(for pair: BracketForm.Pair) -> Bool {
        textEnd + Self.mostText(of: pair, depthLimit: depthLimit) <= text.count
            && entryCount + depthLimit + 1 <= entries.count
    }

    // MARK: Names

    mutating func insert(_ pair: inout BracketForm.Pair) throws(FormError) {
        var start = pair.name.range.lowerBound
        var end = pair.name.range.upperBound
        // PHP skips leading spaces and sees a C string: a NUL byte ends the name.
        while start < end, text[start] == UInt8(ascii: " ") { start += 1 }
        var open = start
        while open < end, text[open] != UInt8(ascii: "["), text[open] != 0 { open += 1 }
        if let nul = place(of: 0, in: open..<end) {
            end = nul
            markSecret(&pair)
        }

        guard open < end else {
            guard let plain = topLevelName(start..<end) else { return markSecret(&pair) }
            if plain.lowerBound != start { markSecret(&pair) }
            assign(pair.value, to: child(plain, of: 0, &pair))
            return
        }
        guard open > start, let first = topLevelName(start..<open) else { return markSecret(&pair) }
        if first.lowerBound != start { markSecret(&pair) }

        var container = 0
        var key = Key.named(first)
        var bracket = open
        var depth = 0
        while true {
            depth += 1
            if depth > depthLimit { throw .tooDeep(limit: depthLimit) }
            let inside = bracket + 1
            // Exactly one white space is skipped, and only to see whether the brackets are empty.
            let inner = inside < end && Self.isSpace(text[inside]) ? inside + 1 : inside
            let next: Key
            let close: Int
            if inner < end, text[inner] == UInt8(ascii: "]") {
                (next, close) = (.append, inner)
            } else if inner < end, let found = place(of: UInt8(ascii: "]"), in: inner..<end) {
                (next, close) = (.named(inside..<found), found)
            } else {
                // The bracket never closes. At the top it becomes part of the name, deeper down the rest is dropped.
                markSecret(&pair)
                if depth == 1 {
                    guard let whole = topLevelName(start..<end) else { return }
                    key = .named(whole)
                }
                if let node = child(key, of: container, &pair) { assign(pair.value, to: node) }
                return
            }
            guard let node = child(key, of: container, &pair) else { return markSecret(&pair) }
            makeMap(node)
            container = node
            key = next
            bracket = close + 1
            guard bracket < end, text[bracket] == UInt8(ascii: "[") else {
                if bracket < end { markSecret(&pair) }
                guard let last = child(key, of: container, &pair) else { return markSecret(&pair) }
                assign(pair.value, to: last)
                return
            }
        }
    }

    /// Looks for a secret's name in what PHP drops, cuts off or rewrites of a field's name. The tree does not show it, but
    /// whoever wrote it meant the value to be secret.
    private func markSecret(_ pair: inout BracketForm.Pair) {
        if SecretNames.endOfFirst(in: bytes(pair.name.range)) != nil { pair.isSecret = true }
    }

    /// A top-level name as PHP stores it: `.`, space and an unclosed `[` become `_`. `nil` when PHP drops the field.
    private mutating func topLevelName(_ name: Range<Int>) -> Range<Int>? {
        guard !name.isEmpty else { return nil }
        guard name.contains(where: { Self.isRewritten(text[$0]) }) else { return name }
        let rewritten = textEnd..<textEnd + name.count
        for (source, place) in zip(name, rewritten) {
            text[place] = Self.isRewritten(text[source]) ? UInt8(ascii: "_") : text[source]
        }
        textEnd = rewritten.upperBound
        // PHP refuses names that only its own rewriting turned into a protected cookie name.
        for prefix in ["__Host-", "__Secure-"]
        where bytes(rewritten).starts(with: prefix.utf8) && !bytes(name).starts(with: prefix.utf8) {
            return nil
        }
        return rewritten
    }

    private static func isRewritten(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "[")
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (9...13).contains(byte) }

    private func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(text).part(range) }

    private func place(of byte: UInt8, in range: Range<Int>) -> Int? {
        var place = range.lowerBound
        while place < range.upperBound {
            if text[place] == byte { return place }
            place += 1
        }
        return nil
    }

    // MARK: The tree

    private func assign(_ value: TextRange, to node: Int) {
        entries[node].isMap = false
        entries[node].firstChild = -1
        entries[node].value = value
    }

    private func makeMap(_ node: Int) {
        guard !entries[node].isMap else { return }
        entries[node].isMap = true
        entries[node].isSequential = true
        entries[node].childCount = 0
        entries[node].childBits = 0
        entries[node].firstChild = -1
        entries[node].lastChild = -1
        entries[node].nextIndex = .min
    }

    /// The child with this key, made if it is not there. `nil` when `[]` finds no free integer.
    private mutating func child(_ key: Key, of container: Int, _ pair: inout BracketForm.Pair) -> Int? {
        switch key {
        case .named(let name):
            return child(name, of: container, &pair)
        case .append:
            guard let index = entries[container].nextIndex else { return nil }
            let start = textEnd
            for digit in String(index == .min ? 0 : index).utf8 {
                text[textEnd] = digit
                textEnd += 1
            }
            return child(start..<textEnd, of: container, &pair)
        }
    }

    private mutating func child(_ name: Range<Int>, of container: Int, _ pair: inout BracketForm.Pair) -> Int {
        let nameBytes = bytes(name)
        let isSecret = SecretNames.contains(nameBytes)
        if isSecret { pair.isSecret = true }
        let hash = hash(nameBytes)
        let bit: UInt64 = 1 << (hash & 63)
        var sibling = entries[container].childBits & bit == 0 ? -1 : Int(entries[container].firstChild)
        while sibling >= 0 {
            if entries[sibling].nameHash == hash, bytes(entries[sibling].name.range).equals(nameBytes) {
                return sibling
            }
            sibling = Int(entries[sibling].nextSibling)
        }

        let node = entryCount
        entryCount += 1
        // A node is born as an empty scalar; `assign` or `makeMap` gives it its shape.
        entries[node] = Entry(name: TextRange(name), nameHash: hash, isSecret: isSecret)
        entries[container].childBits |= bit
        let integer = Self.integerKey(nameBytes)
        if integer != Int(entries[container].childCount) { entries[container].isSequential = false }
        if let integer, let next = entries[container].nextIndex, integer >= next {
            entries[container].nextIndex = integer == Int.max ? nil : integer + 1
        }
        entries[container].childCount += 1
        if entries[container].lastChild >= 0 {
            entries[Int(entries[container].lastChild)].nextSibling = Int32(node)
        } else {
            entries[container].firstChild = Int32(node)
        }
        entries[container].lastChild = Int32(node)
        return node
    }

    /// Of the length and the first and last eight bytes, seeded for each form so that names cannot be chosen to
    /// collide. Names that differ in their middles alone do; comparing them is quick enough for a thousand.
    private func hash(_ name: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = name.baseAddress, name.count > 0 else { return hashSeed }
        // There is slack behind the last name, so eight bytes can be read of any.
        let first = start.word(at: 0)
        let ends: (UInt64, UInt64) =
            name.count >= 8
            ? (first, start.word(at: name.count - 8))
            : (first & ((1 << UInt64(name.count * 8)) - 1), 0)
        let mixed =
            (ends.0 ^ hashSeed) &* 0x9E37_79B9_7F4A_7C15 ^ (ends.1 &+ UInt64(name.count)) &* 0xBF58_476D_1CE4_E5B9
        return mixed ^ mixed >> 32
    }

    /// The integer that PHP makes of a key such as `7` or `-3`; `nil` for keys that stay strings, as `07` and `-0`.
    private static func integerKey(_ name: UnsafeRawBufferPointer) -> Int? {
        guard let first = name.first, first <= UInt8(ascii: "9"), name.count <= mostDigits else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        let digits = name.part((isNegative ? 1 : 0)..<name.count)
        guard let lead = digits.first else { return nil }
        if lead == UInt8(ascii: "0") { return name.count == 1 ? 0 : nil }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
            let value = Int(digit - UInt8(ascii: "0"))
            // Counted down from zero: the least integer has no positive counterpart.
            let (sum, isPast) =
                isNegative ? tens.subtractingReportingOverflow(value) : tens.addingReportingOverflow(value)
            if isTooLarge || isPast { return nil }
            number = sum
        }
        return number
    }
}
