/// A value as the portals' PHP has it: what a request's parameters and an answer's JSON are made of.
package enum PHPValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int)
    case double(Double)
    case text(String)
    case list([PHPValue])
    /// Members in order. As in PHP, an empty map is an empty list, and so is a map with the keys 0, 1, 2… a list.
    case map([Member])

    package struct Member: Sendable, Equatable {
        package var name: String
        package var value: PHPValue

        package init(_ name: String, _ value: PHPValue) {
            self.name = name
            self.value = value
        }
    }

    static let emptyMap = PHPValue.map([])

    /// Of a map; a list's are named 0, 1, 2…
    package var members: [Member] {
        switch self {
        case .map(let members): members
        case .list(let values): values.enumerated().map { Member("\($0.offset)", $0.element) }
        default: []
        }
    }

    /// The exact name first, then one of another case: parameter names are case-insensitive for `event.*`
    /// (b24restdocs, api-reference/events/event-bind.md).
    package subscript(name: String) -> PHPValue? {
        let members = members
        if let exact = members.last(where: { $0.name == name }) { return exact.value }
        let lower = name.lowercased()
        return members.last { $0.name.lowercased() == lower }?.value
    }

    /// A scalar as PHP makes a string of it; `nil` for null, lists and maps.
    package var text: String? {
        switch self {
        case .text(let text): text
        case .int(let number): "\(number)"
        case .double(let number): "\(number)"
        case .bool(let flag): flag ? "1" : ""
        case .null, .list, .map: nil
        }
    }

    package var isEmpty: Bool {
        switch self {
        case .null: true
        case .list(let values): values.isEmpty
        case .map(let members): members.isEmpty
        case .text(let text): text.isEmpty
        case .bool, .int, .double: false
        }
    }

    /// Sets a member of a map; another value becomes a map.
    mutating func set(_ name: String, _ value: PHPValue) {
        var members = members
        if let index = members.firstIndex(where: { $0.name == name }) {
            members[index].value = value
        } else {
            members.append(Member(name, value))
        }
        self = .map(members)
    }

    /// Sets what stands at a path of names.
    mutating func set(at path: some Collection<String>, _ value: PHPValue) {
        guard let name = path.first else {
            self = value
            return
        }
        var inner = members.first { $0.name == name }?.value ?? .emptyMap
        inner.set(at: path.dropFirst(), value)
        set(name, inner)
    }
}

extension PHPValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral text: String) { self = .text(text) }
    package init(integerLiteral number: Int) { self = .int(number) }
    package init(booleanLiteral flag: Bool) { self = .bool(flag) }
    package init(arrayLiteral values: PHPValue...) { self = .list(values) }
    package init(dictionaryLiteral members: (String, PHPValue)...) { self = .map(members.map { Member($0.0, $0.1) }) }
}
