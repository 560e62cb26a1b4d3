/// Finds a member of a JSON object without reading the object into memory.
package enum JSONMember {
    /// What stands between the quotes of the member's text: of the outermost object, not of those within it. The first of
    /// several, as the text has it, escapes and all.
    ///
    /// `nil`: there is none, it is no text, or `json` is no object as far as it was read.
    package static func text(of name: StaticString, in json: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var scanner = Scanner(json: json)
        guard scanner.take(UInt8(ascii: "{")) else { return nil }
        while let found = scanner.string() {
            guard scanner.take(UInt8(ascii: ":")) else { return nil }
            let isWanted = name.withUTF8Buffer { found.elementsEqual($0) }
            if scanner.next == UInt8(ascii: "\"") {
                guard let value = scanner.string() else { return nil }
                if isWanted { return value }
            } else {
                if isWanted { return nil }
                scanner.skipValue()
            }
            guard scanner.take(UInt8(ascii: ",")) else { return nil }
        }
        return nil
    }

    private struct Scanner {
        let json: UnsafeRawBufferPointer
        var place = 0

        init(json: UnsafeRawBufferPointer) { self.json = json }

        /// The next byte that is no white space.
        var next: UInt8? {
            mutating get {
                while place < json.count, json[place] <= 0x20 { place += 1 }
                return place < json.count ? json[place] : nil
            }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            place += 1
            return true
        }

        mutating func string() -> UnsafeRawBufferPointer? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            let start = place
            while place < json.count {
                switch json[place] {
                case UInt8(ascii: "\""):
                    place += 1
                    return json.part(start..<place - 1)
                case UInt8(ascii: "\\"): place += 2
                default: place += 1
                }
            }
            return nil
        }

        /// An object, a list, a number or a word; ends at the comma or bracket behind it.
        mutating func skipValue() {
            var depth = 0
            while let byte = next {
                switch byte {
                case UInt8(ascii: "\""): if string() == nil { return }
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    place += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"):
                    if depth == 0 { return }
                    depth -= 1
                    place += 1
                case UInt8(ascii: ",") where depth == 0: return
                default: place += 1
                }
            }
        }
    }
}
