/// Second pass of `decode`: a name such as `data[FIELDS][ID]` becomes a path in the tree. The rules are those of PHP's
/// `php_register_variable_ex` (https://github.com/php/php-src/blob/PHP-8.2/main/php_variables.c).
extension BracketForm {
    /// What stands between two brackets.
    private enum Key {
        case named(TextRange)
        /// `[]`: the next free integer.
        case append
    }

    mutating func insert(pairAt index: Int) throws(FormError) {
        let value = pairs[index].value
        var name = pairs[index].name
        // PHP skips leading spaces and sees a C string: a NUL byte ends the name.
        while name.count > 0, text[Int(name.start)] == UInt8(ascii: " ") {
            name.start += 1
            name.count -= 1
        }
        if let nul = text[name.range].firstIndex(of: 0) {
            name.count = UInt32(nul) - name.start
            markSecret(pairAt: index)
        }
        let end = name.range.upperBound

        guard let open = text[name.range].firstIndex(of: UInt8(ascii: "[")) else {
            guard let plain = topLevelName(name) else { return markSecret(pairAt: index) }
            if plain.start != name.start { markSecret(pairAt: index) }
            assign(value, to: .named(plain), in: Self.root, pairAt: index)
            return
        }
        guard open > name.range.lowerBound,
            let first = topLevelName(TextRange(start: name.start, count: UInt32(open) - name.start))
        else { return markSecret(pairAt: index) }
        if first.start != name.start { markSecret(pairAt: index) }

        var container = Self.root
        var key = Key.named(first)
        var bracket = open
        var depth = 0
        while true {
            depth += 1
            if depth > limits.depth { throw .tooDeep(limit: limits.depth) }
            let start = bracket + 1
            // Exactly one white space is skipped, and only to see whether the brackets are empty.
            let inner = start < end && Self.isSpace(text[start]) ? start + 1 : start
            let next: Key
            let close: Int
            if inner < end, text[inner] == UInt8(ascii: "]") {
                (next, close) = (.append, inner)
            } else if let found = text[min(inner, end)..<end].firstIndex(of: UInt8(ascii: "]")) {
                next = .named(TextRange(start: UInt32(start), count: UInt32(found - start)))
                close = found
            } else {
                // The bracket never closes. At the top it becomes part of the name, deeper down the rest is dropped.
                markSecret(pairAt: index)
                if depth == 1 {
                    guard let whole = topLevelName(name) else { return }
                    key = .named(whole)
                }
                assign(value, to: key, in: container, pairAt: index)
                return
            }
            guard let inside = descend(to: key, in: container, pairAt: index) else {
                return markSecret(pairAt: index)
            }
            container = inside
            key = next
            bracket = close + 1
            guard bracket < end, text[bracket] == UInt8(ascii: "[") else {
                if bracket < end { markSecret(pairAt: index) }
                assign(value, to: key, in: container, pairAt: index)
                return
            }
        }
    }

    /// Looks for a secret's name in what PHP drops, cuts off or rewrites of a field's name. The tree does not show it, but
    /// whoever wrote it meant the value to be secret.
    private mutating func markSecret(pairAt index: Int) {
        let name = pairs[index].name.range
        if text[name].withUnsafeBytes(SecretNames.endOfFirst) != nil { pairs[index].isSecret = true }
    }

    /// A top-level name as PHP stores it: `.`, space and an unclosed `[` become `_`. `nil` when PHP drops the field.
    private mutating func topLevelName(_ name: TextRange) -> TextRange? {
        guard name.count > 0 else { return nil }
        guard text[name.range].contains(where: Self.isRewritten) else { return name }
        let start = textEnd
        if text.count < start + Int(name.count) {
            text.append(contentsOf: repeatElement(0, count: start + Int(name.count) - text.count))
        }
        for (offset, source) in name.range.enumerated() {
            text[start + offset] = Self.isRewritten(text[source]) ? UInt8(ascii: "_") : text[source]
        }
        textEnd += Int(name.count)
        let rewritten = TextRange(start: UInt32(start), count: name.count)
        // PHP refuses names that only its own rewriting turned into a protected cookie name.
        for prefix in ["__Host-", "__Secure-"]
        where text[rewritten.range].starts(with: prefix.utf8) && !text[name.range].starts(with: prefix.utf8) {
            return nil
        }
        return rewritten
    }

    private static func isRewritten(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || byte == UInt8(ascii: " ") || byte == UInt8(ascii: "[")
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (9...13).contains(byte) }

    // MARK: The tree

    private mutating func assign(_ value: TextRange, to key: Key, in container: Node, pairAt pair: Int) {
        guard let node = node(for: key, in: container, pairAt: pair) else { return }
        var entry = entries[Int(node.index)]
        entry.isMap = false
        entry.firstChild = -1
        entry.value = value
        entries[Int(node.index)] = entry
    }

    private mutating func descend(to key: Key, in container: Node, pairAt pair: Int) -> Node? {
        guard let node = node(for: key, in: container, pairAt: pair) else { return nil }
        if !entries[Int(node.index)].isMap {
            var entry = entries[Int(node.index)]
            entry.isMap = true
            entry.isSequential = true
            entry.childCount = 0
            entry.firstChild = -1
            entry.lastChild = -1
            entry.nextIndex = .min
            entries[Int(node.index)] = entry
        }
        return node
    }

    /// The child with this key, made if it is not there. `nil` when `[]` finds no free integer.
    private mutating func node(for key: Key, in container: Node, pairAt pair: Int) -> Node? {
        let name: TextRange
        switch key {
        case .named(let range):
            name = range
        case .append:
            guard let index = entries[Int(container.index)].nextIndex else { return nil }
            let digits = Array(String(index == .min ? 0 : index).utf8)
            if text.count < textEnd + digits.count {
                text.append(contentsOf: repeatElement(0, count: Swift.max(64, digits.count)))
            }
            for (offset, digit) in digits.enumerated() { text[textEnd + offset] = digit }
            name = TextRange(start: UInt32(textEnd), count: UInt32(digits.count))
            textEnd += digits.count
        }
        let isSecret = SecretNames.contains(text[name.range])
        if isSecret { pairs[pair].isSecret = true }
        let hash = Self.hash(text[name.range])
        if let existing = find(name, hash: hash, in: container) { return existing }
        let node = Node(index: Int32(entries.count))
        // A node is born as an empty scalar; `assign` or `descend` gives it its shape.
        entries.append(Entry(name: name, nameHash: hash, isSecret: isSecret))
        var parent = entries[Int(container.index)]
        let integer = Self.integerKey(text[name.range])
        if integer != Int(parent.childCount) { parent.isSequential = false }
        if let integer, let next = parent.nextIndex, integer >= next {
            parent.nextIndex = integer == Int.max ? nil : integer + 1
        }
        parent.childCount += 1
        if parent.lastChild >= 0 {
            entries[Int(parent.lastChild)].nextSibling = node.index
        } else {
            parent.firstChild = node.index
        }
        parent.lastChild = node.index
        entries[Int(container.index)] = parent
        return node
    }

    private func find(_ name: TextRange, hash: UInt32, in container: Node) -> Node? {
        var next = entries[Int(container.index)].firstChild
        while next >= 0 {
            let entry = entries[Int(next)]
            if entry.nameHash == hash, entry.name.count == name.count,
                text[entry.name.range].elementsEqual(text[name.range])
            {
                return Node(index: next)
            }
            next = entry.nextSibling
        }
        return nil
    }

    /// FNV-1a, seeded for each process so that names cannot be chosen to collide. It only saves comparing bytes.
    private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBufferPointer { buffer in
            var hash = hashSeed
            for byte in buffer { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
            return hash
        }
    }
    private static let hashSeed = UInt32.random(in: .min ... .max)

    /// The integer that PHP makes of a key such as `7` or `-3`; `nil` for keys that stay strings, as `07` and `-0`.
    private static func integerKey(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first, bytes.count <= 20 else { return nil }
        let digits = first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes
        guard let lead = digits.first, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        if lead == UInt8(ascii: "0") { return bytes.count == 1 ? 0 : nil }
        return Int(String(decoding: bytes, as: UTF8.self))
    }
}
