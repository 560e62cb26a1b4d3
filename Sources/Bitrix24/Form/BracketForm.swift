/// A form body decoded as PHP's `parse_str` decodes it: names with brackets become nested maps.
///
/// The tree lives in two flat arrays that a decoder reuses from body to body, so decoding allocates nothing once the
/// arrays have grown. All scalars are bytes as sent; nothing is converted to a number or repaired here.
/// Source: https://www.php.net/manual/en/function.parse-str.php and the function's behaviour in PHP 8.2.
package struct BracketForm: Sendable {
    /// A place in the tree. Valid until the next `decode`.
    package struct Node: Equatable, Sendable {
        let index: Int32
        static let none = Node(index: -1)
    }

    /// One `name=value` of the body, decoded but not yet split at its brackets.
    package struct Pair: Sendable {
        package var name: TextRange
        package var value: TextRange
        /// The name holds one of the `SecretName`s between its brackets.
        package var isSecret = false
    }

    /// Bytes within `text`.
    package struct TextRange: Sendable {
        var start: UInt32
        var count: UInt32
        package var range: Range<Int> { Range(uncheckedBounds: (Int(start), Int(start) &+ Int(count))) }
        static var empty: TextRange { TextRange(0..<0) }

        /// - Precondition: the range lies within a body's text, which is less than 4 GiB.
        init(_ range: Range<Int>) {
            start = UInt32(truncatingIfNeeded: range.lowerBound)
            count = UInt32(truncatingIfNeeded: range.count)
        }
    }

    struct Entry {
        var name: TextRange
        var value = TextRange.empty
        /// Saves comparing the names of most entries.
        var nameHash: UInt64
        var isMap = false
        var isSecret = false
        /// The keys so far are 0, 1, 2… in this order, which PHP's `json_encode` writes as a list.
        var isSequential = true
        var childCount: Int32 = 0
        /// A bit for the hash of each child's name: most new names are seen to be new without looking at the others.
        var childBits: UInt64 = 0
        var firstChild: Int32 = -1
        var lastChild: Int32 = -1
        var nextSibling: Int32 = -1
        /// The key that `[]` takes next: one above the greatest so far, `Int.min` before there was any, which stands for 0.
        /// `nil` when PHP has no integer left to give.
        var nextIndex: Int? = .min

        static var root: Entry { Entry(name: .empty, nameHash: 0, isMap: true) }
    }

    package let limits: FormLimits
    /// Decoded bytes of all names and values, up to `textEnd`; what stands behind is left over from earlier bodies.
    package internal(set) var text: [UInt8] = []
    var textEnd = 0
    package internal(set) var pairs: [Pair] = []
    /// The tree's nodes, the root first, up to `entryCount`; what stands behind is left over from earlier bodies.
    var entries: [Entry] = [.root]
    var entryCount = 1
    private(set) var hashSeed = UInt64.random(in: .min ... .max)

    package init(limits: FormLimits = FormLimits()) { self.limits = limits }

    package static let root = Node(index: 0)

    /// Drops the arrays' memory if one unusual body made them large, so that it is not kept for ever. The form is then
    /// empty.
    package mutating func shrink(above byteCount: Int) {
        let largest = Swift.max(
            text.count,
            pairs.capacity * MemoryLayout<Pair>.stride,
            entries.count * MemoryLayout<Entry>.stride
        )
        if largest > byteCount { self = BracketForm(limits: limits) }
    }
}

/// What a body may hold. PHP's own defaults are `max_input_vars` 1000 and `max_input_nesting_level` 64; where PHP cuts,
/// the decoder refuses, so that no half event passes for a whole one.
package struct FormLimits: Sendable {
    /// Most `name=value` pairs.
    package var pairs = 1000
    /// Most brackets in one name.
    package var depth = 64

    package init(pairs: Int = 1000, depth: Int = 64) {
        self.pairs = pairs
        self.depth = depth
    }
}

/// Why a body is undecodable.
package enum FormError: Error, Equatable, CustomStringConvertible {
    case tooManyPairs(limit: Int)
    case tooDeep(limit: Int)
    /// 2 GiB and more cannot be addressed by the tree.
    case tooLarge

    package var description: String {
        switch self {
        case .tooManyPairs(let limit): "the form has more than \(limit) fields; send fewer"
        case .tooDeep(let limit): "a field's name has more than \(limit) brackets; nest less"
        case .tooLarge: "the form is larger than 2 GiB; send less"
        }
    }
}

// MARK: - Reading

extension BracketForm {
    /// The child of a map by the exact bytes of its name.
    package func child(of parent: Node, named name: some Collection<UInt8>) -> Node? {
        Array(name).withUnsafeBytes { name in withView { $0.child(of: parent, named: name) } }
    }

    package func child(of parent: Node, named name: StaticString) -> Node? {
        withView { $0.child(of: parent, named: name) }
    }

    package func isMap(_ node: Node) -> Bool { entries[Int(node.index)].isMap }

    /// The map's keys are 0…n-1 in order, as in a PHP list.
    package func isList(_ node: Node) -> Bool {
        entries[Int(node.index)].isMap && entries[Int(node.index)].isSequential
    }

    /// The value under this name is a secret whatever it holds.
    package func isSecret(_ node: Node) -> Bool { entries[Int(node.index)].isSecret }

    /// The bytes of a scalar, `nil` for a map.
    package func scalar(_ node: Node) -> ArraySlice<UInt8>? {
        let entry = entries[Int(node.index)]
        return entry.isMap ? nil : text[entry.value.range]
    }

    /// The bytes of a non-empty scalar child.
    package func scalar(of parent: Node, named name: StaticString) -> ArraySlice<UInt8>? {
        guard let node = child(of: parent, named: name), let bytes = scalar(node), !bytes.isEmpty else { return nil }
        return bytes
    }

    package func name(_ node: Node) -> ArraySlice<UInt8> { text[entries[Int(node.index)].name.range] }

    /// The children in the order in which their names first came.
    package func children(of node: Node) -> Children {
        Children(form: self, cursor: entries[Int(node.index)].firstChild)
    }

    package struct Children: Sequence, IteratorProtocol {
        package typealias Element = Node
        let form: BracketForm
        var cursor: Int32

        package mutating func next() -> Node? {
            guard cursor >= 0 else { return nil }
            defer { cursor = form.entries[Int(cursor)].nextSibling }
            return Node(index: cursor)
        }
    }
}
