/// Which rows, and in what order: `filter` and `order` of the methods of the queue. What is allowed is as in Bitrix24
/// On-Premise, module `rest` 26: sanitizeFilter and sanitizeOrder of lib/api/event.php, and of IRestService.
struct OfflineFilter: Sendable {
    enum Field: String, Sendable {
        case id = "ID"
        case changedAt = "TIMESTAMP_X"
        case event = "EVENT_NAME"
        case message = "MESSAGE_ID"
        case process = "PROCESS_ID"
        case error = "ERROR"
    }

    /// What a method allows.
    struct Rules: Sendable {
        let fields: Set<Field>
        /// By which rows are ordered where nothing else is asked for.
        let order: Field
        /// Whether a value may be a list, one of which it is to be.
        let takesLists: Bool

        static let get = Rules(fields: [.id, .changedAt, .event, .message], order: .changedAt, takesLists: false)
        static let list = Rules(
            fields: [.id, .changedAt, .event, .message, .process, .error],
            order: .id,
            takesLists: true
        )
    }

    enum Value: Sendable, Comparable {
        case number(Int)
        /// Compared without regard to case, as the portals' databases do.
        case text(String)

        /// Numbers come before texts; nothing compares the two.
        static func < (one: Value, other: Value) -> Bool {
            switch (one, other) {
            case (.number(let one), .number(let other)): one < other
            case (.text(let one), .text(let other)): one < other
            case (.number, .text): true
            case (.text, .number): false
            }
        }
    }

    struct Condition: Sendable {
        let field: Field
        let operation: String
        /// More than one only where a list was given.
        let values: [Value]

        func holds(for value: Value) -> Bool {
            switch operation {
            case ">": values.allSatisfy { value > $0 }
            case "<": values.allSatisfy { value < $0 }
            case ">=": values.allSatisfy { value >= $0 }
            case "<=": values.allSatisfy { value <= $0 }
            case "%":
                values.contains { part in
                    if case .text(let part) = part, case .text(let whole) = value { return whole.contains(part) }
                    return value == part
                }
            default: values.contains(value)
            }
        }
    }

    struct Refusal: Error {
        let words: String
    }

    private static let operations: Set<String> = ["", "=", ">", "<", ">=", "<=", "@", "%"]

    private(set) var conditions: [Condition] = []
    private(set) var order: [(field: Field, isAscending: Bool)] = []

    init(_ call: RESTCall, of rules: Rules, time: PortalTime) throws(Refusal) {
        let filter = call.parameters["filter"]
        switch filter {
        case nil, .null: break
        case .map, .list:
            for member in filter?.members ?? [] {
                let operation = String(member.name.prefix { !$0.isLetter })
                guard Self.operations.contains(operation) else {
                    throw Refusal(words: "Filter operation not allowed: \(operation)")
                }
                let name = member.name.dropFirst(operation.count)
                guard let field = Field(rawValue: name.uppercased()), rules.fields.contains(field) else {
                    throw Refusal(words: "Filter field not allowed: \(name)")
                }
                let isList = member.value.text == nil && member.value != .null
                guard rules.takesLists || !isList else {
                    throw Refusal(words: "The value of an argument '\(member.name)' has an invalid type")
                }
                var values: [Value] = []
                for value in isList ? member.value.members.map(\.value) : [member.value] {
                    values.append(try Self.value(value.text ?? "", of: field, time))
                }
                conditions.append(Condition(field: field, operation: operation, values: values))
            }
        default: throw Refusal(words: "The filter is not an array.")
        }
        let wanted = call.parameters["order"]
        for member in wanted?.members ?? [] {
            guard let field = Field(rawValue: member.name.uppercased()), rules.fields.contains(field) else {
                throw Refusal(words: "Order field not allowed: \(member.name)")
            }
            guard let direction = member.value.text?.uppercased(), ["ASC", "DESC"].contains(direction) else {
                throw Refusal(words: "Order direction should be one of {ASC|DESC}")
            }
            order.append((field, direction == "ASC"))
        }
        if wanted?.text != nil { throw Refusal(words: "The order is not an array.") }
        if order.isEmpty { order = [(rules.order, true)] }
    }

    /// Whether only reserved rows can pass.
    var wantsReserved: Bool {
        conditions.contains { condition in
            condition.field == .process
                && (condition.operation == ">"
                    || ["=", "", "@"].contains(condition.operation) && !condition.values.contains(.text("")))
        }
    }

    func isOrdered(by field: Field) -> Bool { order.first?.field == field && order.first?.isAscending == true }

    private static func value(_ text: String, of field: Field, _ time: PortalTime) throws(Refusal) -> Value {
        switch field {
        case .id, .error: return .number(PHPNumber.int(text))
        case .changedAt:
            guard let seconds = time.seconds(text) else {
                throw Refusal(words: "Filter value is no time: TIMESTAMP_X")
            }
            return .number(seconds)
        case .event, .message, .process: return .text(text.lowercased())
        }
    }
}
