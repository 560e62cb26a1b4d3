import Yams

extension ConfigurationReader {
    /// The largest file that is read as a configuration.
    private static let maxFileBytes = 16 << 20

    /// Reads a YAML file.
    /// - Parameters:
    ///   - file: at most 16 MiB; `nil` reads as an empty mapping, so that defaults and the environment apply.
    ///   - environment: the process's environment, for overrides and for `{env: NAME}`.
    ///   - environmentPrefix: what the names of overrides begin with, without the `_`; `nil` for no overrides.
    /// - Throws: what makes reading impossible: the file cannot be read, is too large, is not UTF-8, is not YAML (with
    ///   line and column), gives a key twice, or is no mapping.
    package static func load(
        file: String?,
        environment: [String: String],
        environmentPrefix: String?
    ) throws(ConfigurationFaults) -> ConfigurationReader {
        guard let file else {
            return reader(of: nil, "environment", hasFile: false, environment, environmentPrefix)
        }
        let name = Quoting.path(file)
        let bytes: [UInt8]
        do {
            bytes = try BoundedFile.read(file, limit: maxFileBytes)
        } catch {
            throw faults(name, "\(error.text); name a YAML file that this process may read")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw faults(name, "is not UTF-8; save it as UTF-8")
        }
        return try parse(yaml: text, name: name, environment: environment, environmentPrefix: environmentPrefix)
    }

    /// As ``load(file:environment:environmentPrefix:)``, from text.
    /// - Parameter name: what faults call the text.
    package static func parse(
        yaml: String,
        name: String,
        environment: [String: String] = [:],
        environmentPrefix: String? = nil
    ) throws(ConfigurationFaults) -> ConfigurationReader {
        guard yaml.utf8.count <= maxFileBytes else {
            throw faults(name, "is larger than \(Quantity.format(bytes: maxFileBytes)); split it")
        }
        let node: Node?
        do {
            // A byte order mark is no part of the text, and Yams does not skip it.
            let marked = yaml.unicodeScalars.first == "\u{FEFF}"
            node = try YAMLDocument.compose(marked ? String(yaml.unicodeScalars.dropFirst()) : yaml)
        } catch {
            throw ConfigurationFaults(source: name, faults: [error])
        }
        guard let node, !node.isNull else {
            return reader(of: nil, name, hasFile: true, environment, environmentPrefix)
        }
        guard node.mapping != nil, node.unreadTag == nil else {
            throw faults(name, "holds \(node.kind); give a mapping of keys (key: value)")
        }
        return reader(of: node, name, hasFile: true, environment, environmentPrefix)
    }

    private static func reader(
        of node: Node?,
        _ source: String,
        hasFile: Bool,
        _ environment: [String: String],
        _ prefix: String?
    ) -> ConfigurationReader {
        let collector = FaultCollector(
            source: source,
            hasFile: hasFile,
            environment: environment,
            environmentPrefix: prefix
        )
        return ConfigurationReader(
            node,
            path: "",
            environmentPath: prefix,
            isSecret: false,
            place: .start,
            collector: collector
        )
    }

    private static func faults(_ source: String, _ problem: String) -> ConfigurationFaults {
        ConfigurationFaults(source: source, faults: [ConfigurationFault(key: "", problem: problem)])
    }
}
