/// A decoded form, borrowed: reading it counts no references. Valid within `withView` only.
struct FormView {
    typealias Node = BracketForm.Node

    private let text: UnsafeRawBufferPointer
    private let entries: UnsafeBufferPointer<BracketForm.Entry>

    fileprivate init(text: UnsafeRawBufferPointer, entries: UnsafeBufferPointer<BracketForm.Entry>) {
        self.text = text
        self.entries = entries
    }

    func entry(_ node: Node) -> BracketForm.Entry { entries[Int(node.index)] }

    func bytes(_ range: BracketForm.TextRange) -> UnsafeRawBufferPointer { text.part(range.range) }

    /// The child of a map by the exact bytes of its name.
    func child(of parent: Node, named name: UnsafeRawBufferPointer) -> Node? {
        guard parent.index >= 0 else { return nil }
        precondition(Int(parent.index) < entries.count, "a node outlived the body that it was decoded from")
        var next = entries[Int(parent.index)].firstChild
        while next >= 0 {
            if bytes(entries[Int(next)].name).equals(name) { return Node(index: next) }
            next = entries[Int(next)].nextSibling
        }
        return nil
    }

    @inline(__always)
    func child(of parent: Node, named name: StaticString) -> Node? {
        child(of: parent, named: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// The bytes of a scalar, `nil` for a map.
    func scalar(_ node: Node) -> UnsafeRawBufferPointer? {
        entries[Int(node.index)].isMap ? nil : bytes(entries[Int(node.index)].value)
    }

    /// The bytes of a non-empty scalar child.
    @inline(__always)
    func scalar(of parent: Node, named name: StaticString) -> UnsafeRawBufferPointer? {
        guard let node = child(of: parent, named: name), let bytes = scalar(node), !bytes.isEmpty else { return nil }
        return bytes
    }
}

extension BracketForm {
    @inline(__always)
    func withView<Result>(_ body: (FormView) -> Result) -> Result {
        text.withUnsafeBytes { text in
            entries.withUnsafeBufferPointer { entries in
                body(FormView(text: text, entries: UnsafeBufferPointer(rebasing: entries[..<entryCount])))
            }
        }
    }
}
