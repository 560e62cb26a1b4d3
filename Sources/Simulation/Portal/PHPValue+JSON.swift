internal import Bitrix24
internal import Foundation

extension PHPValue {
    /// What PHP's `json_encode` makes of it: `/` is escaped, and an empty map is `[]`.
    package var json: [UInt8] { json(escapingSlashes: true) }

    func json(escapingSlashes: Bool) -> [UInt8] {
        var text = JSONText()
        write(into: &text, escapingSlashes)
        return text.bytes
    }

    private func write(into text: inout JSONText, _ escapingSlashes: Bool) {
        switch self {
        case .null: text.raw("null")
        case .bool(let flag): text.raw(flag ? "true" : "false")
        case .int(let number): text.bytes += Array("\(number)".utf8)
        case .double(let number): text.bytes += Array(String(format: "%.6f", number).utf8)
        case .text(let value): Self.write(value, into: &text, escapingSlashes)
        case .list(let values): Self.write(values, into: &text, escapingSlashes)
        case .map(let members):
            guard !members.enumerated().allSatisfy({ "\($0.offset)" == $0.element.name }) else {
                return Self.write(members.map(\.value), into: &text, escapingSlashes)
            }
            for (index, member) in members.enumerated() {
                text.raw(index == 0 ? "{" : ",")
                Self.write(member.name, into: &text, escapingSlashes)
                text.raw(":")
                member.value.write(into: &text, escapingSlashes)
            }
            text.raw("}")
        }
    }

    private static func write(_ values: [PHPValue], into text: inout JSONText, _ escapingSlashes: Bool) {
        text.raw("[")
        for (index, value) in values.enumerated() {
            if index > 0 { text.raw(",") }
            value.write(into: &text, escapingSlashes)
        }
        text.raw("]")
    }

    private static func write(_ value: String, into text: inout JSONText, _ escapingSlashes: Bool) {
        guard escapingSlashes else { return text.string(value) }
        var quoted = JSONText()
        quoted.string(value)
        // Most texts have none, and a queue's answer has many texts.
        guard quoted.bytes.contains(UInt8(ascii: "/")) else {
            text.bytes += quoted.bytes
            return
        }
        for byte in quoted.bytes {
            if byte == UInt8(ascii: "/") { text.bytes.append(UInt8(ascii: "\\")) }
            text.bytes.append(byte)
        }
    }

    /// JSON that keeps the order of its members, on which a batch depends. `nil`: it is no JSON.
    init?(json bytes: some Collection<UInt8>) {
        var parser = JSONParser(Array(bytes))
        guard let value = parser.value(depth: 0), parser.isAtEnd else { return nil }
        self = value
    }
}

/// RFC 8259, as far as a portal needs it.
private struct JSONParser {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool {
        mutating get {
            skipSpace()
            return place == bytes.count
        }
    }

    mutating func value(depth: Int) -> PHPValue? {
        skipSpace()
        guard depth < 64, place < bytes.count else { return nil }
        switch bytes[place] {
        case UInt8(ascii: "{"): return map(depth)
        case UInt8(ascii: "["): return list(depth)
        case UInt8(ascii: "\""): return string().map(PHPValue.text)
        case UInt8(ascii: "t"): return take("true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take("false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return take("null") ? .null : nil
        default: return number()
        }
    }

    private mutating func map(_ depth: Int) -> PHPValue? {
        place += 1
        var members: [PHPValue.Member] = []
        if take("}") { return .map(members) }
        repeat {
            skipSpace()
            guard let name = string(), take(":"), let value = value(depth: depth + 1) else { return nil }
            members.append(.init(name, value))
        } while take(",")
        return take("}") ? .map(members) : nil
    }

    private mutating func list(_ depth: Int) -> PHPValue? {
        place += 1
        var values: [PHPValue] = []
        if take("]") { return .list(values) }
        repeat {
            guard let value = value(depth: depth + 1) else { return nil }
            values.append(value)
        } while take(",")
        return take("]") ? .list(values) : nil
    }

    private mutating func string() -> String? {
        guard place < bytes.count, bytes[place] == UInt8(ascii: "\"") else { return nil }
        let start = place
        place += 1
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard place < bytes.count else { return nil }
        place += 1
        // Escapes and surrogates are Foundation's work.
        return try? JSONDecoder().decode(String.self, from: Data(bytes[start..<place]))
    }

    private mutating func number() -> PHPValue? {
        let start = place
        while place < bytes.count, "+-.0123456789Ee".utf8.contains(bytes[place]) { place += 1 }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        return Int(text).map(PHPValue.int) ?? Double(text).map(PHPValue.double)
    }

    /// Takes this token, after space.
    private mutating func take(_ token: StaticString) -> Bool {
        skipSpace()
        let isThere = token.withUTF8Buffer { bytes[place...].starts(with: $0) }
        if isThere { place += token.utf8CodeUnitCount }
        return isThere
    }

    private mutating func skipSpace() {
        while place < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[place]) { place += 1 }
    }
}
