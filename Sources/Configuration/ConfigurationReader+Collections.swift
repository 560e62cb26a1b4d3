import Yams

extension ConfigurationReader {
    /// A list of single values. In the environment, or in a file or variable that the whole list refers to, separated by
    /// commas or line feeds; blanks around a value and empty values are left out.
    package func strings(_ key: String, default fallback: [String]) -> [String] {
        let wanted = "a list of values, [a, b]"
        let node = ask(key)
        let overridden = environmentName(of: key).map { collector.variable($0) != nil } ?? false
        if overridden || node?.mapping != nil {
            guard case .value(let value) = find(key, wanted: wanted) else { return fallback }
            return Self.split(value.text)
        }
        guard let node, !node.isNull else { return fallback }
        var values: [String] = []
        for (index, element) in elements(of: key, wanted: wanted).enumerated() {
            let path = "\(path(of: key))[\(index)]"
            switch resolve(
                element,
                path: path,
                isSecret: isSecret || Quoting.looksSecret(key),
                wanted: "a single value"
            ) {
            case .value(let value): values.append(value.text)
            case .faulty: break
            case .absent:
                let fault = ConfigurationFault(key: path, problem: "is empty; give a value or remove the element")
                collector.add(fault, at: element.place)
            }
        }
        return values
    }

    /// A mapping of names to single values, as they are written (`true`, `5`, `"x"` give `true`, `5`, `x`). A name whose
    /// value is `null` is left out.
    ///
    /// A variable whose name begins with that of the key sets the name that its rest spells: with the prefix `APP`,
    /// `APP_KAFKA_PROPERTIES_SASL_USERNAME` sets `sasl.username` of `kafka.properties`, or the name in the file that has
    /// the same spelling in the environment.
    package func stringMap(_ key: String) -> [String: String] {
        var map: [String: String] = [:]
        let overrides = overrides(of: key)
        let spelled = Set(overrides.map(\.rest))
        let mapPath = path(of: key)
        let isSecret = isSecret || Quoting.looksSecret(key)
        if let node = ask(key), !node.isNull {
            guard let mapping = node.mapping, node.unreadTag == nil else {
                wrongKind(node, mapPath, wanted: "a mapping of names to values")
                return [:]
            }
            for (nameNode, value) in mapping {
                guard let name = nameNode.scalar?.string else {
                    wrongKind(nameNode, mapPath, wanted: "plain text as a name")
                    continue
                }
                // An overridden value need not be there, nor be right.
                guard !spelled.contains(EnvironmentName.part(name)) else {
                    map[name] = ""
                    continue
                }
                let path = "\(mapPath).\(Quoting.name(name))"
                let secret = isSecret || Quoting.looksSecret(name)
                if value.mapping != nil || value.sequence != nil, !isReference(value) {
                    wrongKind(value, path, wanted: "a single value, with the whole name in one key (a.b.c: value)")
                } else if case .value(let value) = resolve(
                    value,
                    path: path,
                    isSecret: secret,
                    wanted: "a single value"
                ) {
                    map[name] = value.text
                }
            }
        }
        for (rest, text) in overrides {
            let names = map.keys.filter { EnvironmentName.part($0) == rest }
            for name in names.isEmpty ? [EnvironmentName.dotted(rest)] : names {
                map[name] = text
            }
        }
        return map
    }

    private func isReference(_ node: Node) -> Bool {
        guard let mapping = node.mapping, mapping.count == 1 else { return false }
        return ["file", "env"].contains(mapping.first?.key.scalar?.string)
    }

    private func overrides(of key: String) -> [(rest: String, text: String)] {
        guard let name = environmentName(of: key) else { return [] }
        let prefix = name + "_"
        return collector.environment.keys.filter { $0.hasPrefix(prefix) && $0.count > prefix.count }.sorted()
            .compactMap { name in
                collector.variable(name).map { (String(name.dropFirst(prefix.count)), $0) }
            }
    }

    private static func split(_ text: String) -> [String] {
        text.split { $0 == "," || $0.isNewline }.compactMap { part in
            let part = part.drop { $0.isWhitespace }
            let end = part.lastIndex { !$0.isWhitespace }
            return end.map { String(part[...$0]) }
        }
    }
}
