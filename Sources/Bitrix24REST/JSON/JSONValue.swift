/// What Bitrix24 sends and takes.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// The member of an object; `nil` for a missing one and for any other value.
    package subscript(_ member: String) -> JSONValue? {
        if case .object(let members) = self { members[member] } else { nil }
    }

    /// A text as it is, a number in decimal: Bitrix24 sends an id now as one, now as the other.
    package var text: String? {
        switch self {
        case .string(let text): text
        case .int(let number): String(number)
        case .double(let number): String(number)
        default: nil
        }
    }

    /// A whole number, also from its decimal text.
    package var integer: Int64? {
        switch self {
        case .int(let number): number
        case .double(let number): Int64(exactly: number.rounded())
        case .string(let text): Int64(text)
        default: nil
        }
    }

    package var number: Double? {
        switch self {
        case .int(let number): Double(number)
        case .double(let number): number
        case .string(let text): Double(text)
        default: nil
        }
    }

    /// `true`, 1, `"1"`, `"Y"`, `"true"` and their opposites, all of which PHP sends for one thing.
    package var flag: Bool? {
        switch self {
        case .bool(let flag): flag
        case .int(1): true
        case .int(0): false
        case .string(let text):
            switch text.lowercased() {
            case "1", "y", "true": true
            case "0", "n", "false", "": false
            default: nil
            }
        default: nil
        }
    }

    package var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// PHP writes an empty map as `[]`.
    package var members: [String: JSONValue]? {
        switch self {
        case .object(let members): members
        case .array(let elements) where elements.isEmpty: [:]
        default: nil
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(nilLiteral: ()) { self = .null }

    package init(dictionaryLiteral members: (String, JSONValue)...) {
        self = .object(Dictionary(members) { _, last in last })
    }
}
