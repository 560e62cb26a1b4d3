/// Where a value stands in an event: `|` separates alternatives, `+` the parts of a joined value, `.` the steps.
///
/// `data.FIELDS.ENTITY_TYPE_ID+data.FIELDS.ID` is `1220:22`; `data.FIELDS.ID|data.ID` is the first that is there.
/// `_` as a part is the number at the end of the event's code, 174 in `ONCRMDYNAMICITEMADD_174`. `-` is the path of no
/// value.
package struct ValuePath: Sendable {
    /// Ranges of `parts`, which are ranges of `steps`, which are ranges of `names`: flat, because every event looks here.
    private var alternatives: [Range<Int>] = []
    private var parts: [Range<Int>] = []
    private var steps: [Range<Int>] = []
    private var names: [UInt8] = []

    package static let none = ValuePath("-")

    package init(_ text: String) {
        guard text != "-" else { return }
        for alternative in text.split(separator: "|") {
            let firstPart = parts.count
            for part in alternative.split(separator: "+") {
                let firstStep = steps.count
                // The number of the code is the part without steps.
                for step in part.split(separator: ".") where part != "_" {
                    steps.append(names.count..<names.count + step.utf8.count)
                    names += step.utf8
                }
                parts.append(firstStep..<steps.count)
            }
            alternatives.append(firstPart..<parts.count)
        }
    }

    package var isNone: Bool { alternatives.isEmpty }

    /// The steps of each part of the first alternative, for those who write events rather than read them. The number of
    /// the code is a part without steps.
    package var partsOfFirstAlternative: [[String]] {
        guard let first = alternatives.first else { return [] }
        return parts[first].map { steps in self.steps[steps].map { String(decoding: names[$0], as: UTF8.self) } }
    }

    /// The joined value, `nil` if there is none.
    package func value(in form: BracketForm) -> [UInt8]? {
        var joined: [UInt8] = []
        return form.withView { appendValue(in: $0, to: &joined) } ? joined : nil
    }

    /// Appends the first alternative all of whose parts are non-empty scalars, joined by colons. A value of one part must
    /// not be `0`, which Bitrix24 sends for an id that does not apply, as in comments of the chat-based task card.
    ///
    /// - Returns: whether there was such an alternative.
    func appendValue(in form: FormView, to output: inout [UInt8]) -> Bool {
        let start = output.count
        next: for alternative in alternatives {
            for part in alternative {
                guard let value = value(at: parts[part], in: form),
                    alternative.count > 1 || !value.equals("0")
                else {
                    output.removeSubrange(start...)
                    continue next
                }
                if part > alternative.lowerBound { output.append(UInt8(ascii: ":")) }
                output.append(contentsOf: value)
            }
            return true
        }
        return false
    }

    private func value(at steps: Range<Int>, in form: FormView) -> UnsafeRawBufferPointer? {
        if steps.isEmpty { return Self.numberOfCode(in: form) }
        var node = BracketForm.root
        for step in steps {
            let child = names.withUnsafeBytes { form.child(of: node, named: $0.part(self.steps[step])) }
            guard let child else { return nil }
            node = child
        }
        guard let value = form.scalar(node), !value.isEmpty else { return nil }
        return value
    }

    private static func numberOfCode(in form: FormView) -> UnsafeRawBufferPointer? {
        guard let code = form.scalar(of: BracketForm.root, named: "event"),
            let underscore = code.lastIndex(of: UInt8(ascii: "_"))
        else { return nil }
        let digits = code.part(underscore + 1..<code.count)
        return !digits.isEmpty && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? digits : nil
    }
}
