/// Where a value stands in an event: `|` separates alternatives, `+` the parts of a joined value, `.` the steps.
///
/// `data.FIELDS.ENTITY_TYPE_ID+data.FIELDS.ID` is `1220:22`; `data.FIELDS.ID|data.ID` is the first that is there.
/// `_` as a part is the number at the end of the event's code, 174 in `ONCRMDYNAMICITEMADD_174`. `-` is the path of no
/// value.
package struct ValuePath: Sendable {
    private let alternatives: [[[[UInt8]]]]

    package static let none = ValuePath("-")

    package init(_ text: String) {
        guard text != "-" else {
            alternatives = []
            return
        }
        alternatives = text.split(separator: "|").map { alternative in
            alternative.split(separator: "+").map { part in part.split(separator: ".").map { Array($0.utf8) } }
        }
    }

    package var isNone: Bool { alternatives.isEmpty }

    /// Calls `part` for each part of the first alternative all of whose parts are non-empty scalars. A value of one part
    /// must not be `0`, which Bitrix24 sends for an id that does not apply, as in comments of the chat-based task card.
    ///
    /// - Returns: whether there was such an alternative.
    func resolve(in form: BracketForm, part: (ArraySlice<UInt8>) -> Void) -> Bool {
        next: for alternative in alternatives {
            for steps in alternative {
                guard let value = Self.value(at: steps, in: form) else { continue next }
                if alternative.count == 1, value.elementsEqual(CollectionOfOne(UInt8(ascii: "0"))) { continue next }
            }
            for steps in alternative {
                if let value = Self.value(at: steps, in: form) { part(value) }
            }
            return true
        }
        return false
    }

    /// The joined value, `nil` if there is none.
    package func value(in form: BracketForm) -> [UInt8]? {
        var joined: [UInt8] = []
        let found = resolve(in: form) { part in
            if !joined.isEmpty { joined.append(UInt8(ascii: ":")) }
            joined.append(contentsOf: part)
        }
        return found ? joined : nil
    }

    private static func value(at steps: [[UInt8]], in form: BracketForm) -> ArraySlice<UInt8>? {
        if steps == codeNumber { return numberOfCode(in: form) }
        var node = BracketForm.root
        for step in steps {
            guard form.isMap(node), let child = form.child(of: node, named: step) else { return nil }
            node = child
        }
        guard let value = form.scalar(node), !value.isEmpty else { return nil }
        return value
    }

    private static let codeNumber = [Array("_".utf8)]

    private static func numberOfCode(in form: BracketForm) -> ArraySlice<UInt8>? {
        guard let code = form.scalar(of: BracketForm.root, named: "event"),
            let underscore = code.lastIndex(of: UInt8(ascii: "_"))
        else { return nil }
        let digits = code[(underscore + 1)...]
        return digits.isEmpty || !digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? nil : digits
    }
}
