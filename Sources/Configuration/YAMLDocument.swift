import Yams

/// Makes a tree of nodes from text, with bounds and with faults that quote nothing of the text but keys.
enum YAMLDocument {
    /// How many bytes of text the anchors and aliases of a document may stand for.
    private static let maxExpandedBytes = Double(1 << 28)

    /// - Returns: `nil` when the document is empty.
    static func compose(_ text: String) throws(ConfigurationFault) -> Node? {
        try boundAliases(text)
        do {
            // The basic resolver gives no value a type. The default one would run seven regular expressions over every
            // key, and would take the keys `1` and `"1"` for different ones.
            return try Yams.compose(yaml: text, .basic)
        } catch let error as YamlError {
            throw fault(of: error, in: text)
        } catch {
            throw ConfigurationFault(key: "", problem: "is not YAML; mend it")
        }
    }

    /// Refuses a document in which a few anchors and aliases, nested, stand for too much ("billion laughs").
    ///
    /// This has to happen before the text is composed. Aliases share their nodes, so they cost nothing by themselves, but
    /// Yams hashes each key of a mapping to find duplicates, and a key may be an alias too.
    ///
    /// An alias can only stand for what was anchored before it. So, with `m` aliases of each anchor, the document grows at
    /// most by the product of all `1 + m`, which is largest when all aliases are spread evenly over the anchors. Anchors
    /// and aliases are counted without parsing, also where they are quoted or in a comment: too many rather than too few.
    private static func boundAliases(_ text: String) throws(ConfigurationFault) {
        var anchors = 0.0
        var aliases = 0.0
        var bytes = 0.0
        var mayStart = true
        for byte in text.utf8 {
            bytes += 1
            if mayStart && byte == UInt8(ascii: "&") { anchors += 1 }
            if mayStart && byte == UInt8(ascii: "*") { aliases += 1 }
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39: mayStart = false
            default: mayStart = true
            }
        }
        guard anchors > 0, aliases > 0 else { return }
        var expanded = bytes
        var anchor = 0.0
        while anchor < anchors && expanded <= maxExpandedBytes {
            expanded *= 1 + aliases / anchors
            anchor += 1
        }
        guard expanded <= maxExpandedBytes else {
            let problem =
                "its \(Int(aliases)) aliases (*name) of \(Int(anchors)) anchors (&name) may stand for more than "
                + "\(Quantity.format(bytes: Int(maxExpandedBytes))); write the values out"
            throw ConfigurationFault(key: "", problem: problem)
        }
    }

    /// Yams' own descriptions print the lines around the fault, and these may hold secrets.
    private static func fault(of error: YamlError, in text: String) -> ConfigurationFault {
        func at(_ line: Int, _ column: Int, _ problem: String) -> ConfigurationFault {
            ConfigurationFault(key: "", problem: "line \(line), column \(column): \(problem)")
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            guard !problem.hasPrefix("Maximum nesting level") else {
                return at(mark.line, mark.column, "nested deeper than 1000 levels; write it flatter")
            }
            let context = context.map { " (\($0.text), which began in line \($0.mark.line))" } ?? ""
            return at(mark.line, mark.column, "\(problem)\(context); mend the YAML there")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { Quoting.name($0) }.joined(separator: ", ")
            let problem = "given more than once in one mapping: \(keys); keep one of each"
            return at(context.mark.line, context.mark.column, problem)
        case .reader(let problem, _, _, _):
            guard let place = firstUnreadable(in: text) else {
                return ConfigurationFault(key: "", problem: "\(problem); mend the YAML")
            }
            return at(place.line, place.column, "\(problem); remove the character")
        default:
            return ConfigurationFault(key: "", problem: "is not YAML; mend it")
        }
    }

    /// The first character that YAML does not allow (YAML 1.2, production c-printable).
    private static func firstUnreadable(in text: String) -> Place? {
        var line = 1
        var column = 1
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A:
                line += 1
                column = 0
            case 0x09, 0x0D, 0x20...0x7E, 0x85, 0xA0...0xD7FF, 0xE000...0xFFFD, 0x10000...: break
            default: return Place(line: line, column: column)
            }
            column += 1
        }
        return nil
    }
}

extension Node {
    var place: Place {
        mark.map { Place(line: $0.line, column: $0.column) } ?? .start
    }

    /// Whether the value is `null`, `~` or not there at all, without quotes.
    var isNull: Bool {
        guard case .scalar(let scalar) = self else { return false }
        if scalar.tag.name(is: .null) { return true }
        guard scalar.style == .plain, scalar.tag.name(is: .implicit) else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// A tag that asks for something that is not done here, such as `!vault` or `!!binary`.
    var unreadTag: String? {
        let (tag, read): (Tag, [Tag.Name]) =
            switch self {
            case .scalar(let scalar): (scalar.tag, [.str, .int, .float, .bool, .null, .timestamp])
            case .mapping(let mapping): (mapping.tag, [.map])
            case .sequence(let sequence): (sequence.tag, [.seq])
            case .alias(let alias): (alias.tag, [])
            }
        return ([.implicit, .nonSpecific] + read).contains { tag.name(is: $0) } ? nil : tag.description
    }

    /// What it is, for a person.
    var kind: String {
        switch self {
        case .scalar: isNull ? "nothing" : "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}

extension Tag {
    fileprivate func name(is name: Tag.Name) -> Bool {
        description == name.rawValue
    }
}
