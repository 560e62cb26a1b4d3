import Yams

/// Reads one mapping of a YAML configuration, each value overridden by the environment, and collects every fault.
///
/// ```swift
/// let reader = try ConfigurationReader.load(file: path, environment: environment, environmentPrefix: "APP")
/// let http = reader.section("http")
/// let port = http.integer("port", default: 8080, in: 1...65535)   // APP_HTTP_PORT wins over http.port
/// try reader.finish()                                             // all faults together, unknown keys included
/// ```
///
/// A value that is absent or faulty gives the default, so reading goes on and the next fault is found too. Nothing read
/// may be used before ``finish()`` has returned. `null` counts as absent.
///
/// Any single value may be `{file: PATH}` or `{env: NAME}` instead: the content of a file, without one trailing line
/// feed, or of a variable. Such content, and values of keys that look secret, are never quoted in a fault. A relative
/// path is relative to the working directory.
///
/// The environment's name for a key is the prefix and the path, camel case split, in upper case, joined with `_`.
/// Elements of a list have no such name. An empty variable is an empty value, not an absent one.
///
/// Why not `Codable`: a decoder stops at the first fault, does not say which keys it did not ask for, and turns `007` or
/// `yes` into something else before anybody can object. Here the nodes are read as they are written.
///
/// For one thread. All readers that come from one `load` share their faults.
package final class ConfigurationReader {
    let collector: FaultCollector
    /// As a person writes it; empty for the whole document.
    let path: String
    /// `nil` when nothing here can be overridden.
    let environmentPath: String?
    let isSecret: Bool
    let place: Place
    let nodes: [String: Node]
    let record: MappingRecord
    private var children: [String: ConfigurationReader] = [:]
    private var lists: [String: [ConfigurationReader]] = [:]

    /// - Parameter node: a mapping; `nil` when there is none, which reads as an empty one.
    init(
        _ node: Node?,
        path: String,
        environmentPath: String?,
        isSecret: Bool,
        place: Place,
        collector: FaultCollector
    ) {
        self.collector = collector
        self.path = path
        self.environmentPath = environmentPath
        self.isSecret = isSecret
        self.place = place
        var nodes: [String: Node] = [:]
        var present: [(key: String, place: Place)] = []
        for (key, value) in node?.mapping.map(Array.init) ?? [] {
            guard let name = key.scalar?.string else {
                let problem = "a key in line \(key.place.line) is \(key.kind); give plain text"
                collector.add(ConfigurationFault(key: path, problem: problem), at: key.place)
                continue
            }
            guard name != "<<" else {
                let fault = ConfigurationFault(
                    key: Self.join(path, name),
                    problem: "merging is not supported; write the keys out"
                )
                collector.add(fault, at: key.place)
                continue
            }
            nodes[name] = value
            present.append((name, key.place))
        }
        self.nodes = nodes
        record = MappingRecord(path: path, present: present)
        collector.add(record)
    }

    /// The mapping under a key. One that is absent reads as empty, so that defaults and the environment apply.
    package func section(_ key: String) -> ConfigurationReader {
        if let child = children[key] { return child }
        let node = ask(key)
        if let node, !node.isNull, node.mapping == nil || node.unreadTag != nil {
            wrongKind(node, path(of: key), wanted: "a mapping of keys")
        }
        let child = ConfigurationReader(
            node?.unreadTag == nil ? node : nil,
            path: path(of: key),
            environmentPath: environmentName(of: key),
            isSecret: isSecret || Quoting.looksSecret(key),
            place: node?.place ?? place,
            collector: collector
        )
        children[key] = child
        return child
    }

    /// The mappings in the list under a key, in order; none when it is absent. Not overridden by the environment.
    package func sections(_ key: String) -> [ConfigurationReader] {
        if let list = lists[key] { return list }
        var list: [ConfigurationReader] = []
        for (index, element) in elements(of: key, wanted: "a list of mappings").enumerated() {
            let path = "\(path(of: key))[\(index)]"
            if element.mapping == nil || element.unreadTag != nil {
                wrongKind(element, path, wanted: "a mapping of keys")
            }
            list.append(
                ConfigurationReader(
                    element.unreadTag == nil ? element : nil,
                    path: path,
                    environmentPath: nil,
                    isSecret: isSecret || Quoting.looksSecret(key),
                    place: element.place,
                    collector: collector
                )
            )
        }
        lists[key] = list
        return list
    }

    /// Whether the key has a value in the file or under its own name in the environment. A section that is given by the
    /// environment alone has none: ask it for the key that matters.
    package func has(_ key: String) -> Bool {
        let node = ask(key)
        if let name = environmentName(of: key), collector.variable(name) != nil { return true }
        return node.map { !$0.isNull } ?? false
    }

    /// Adds a fault of the caller's own rules. The problem should end with what to do; it must not quote a secret.
    package func fault(_ key: String, _ problem: String) {
        let at = key.isEmpty ? path : path(of: key)
        collector.add(ConfigurationFault(key: at, problem: problem), at: nodes[key]?.place ?? place)
    }

    /// Variables that begin with the prefix and that nobody asked for, sorted. Worth a warning and not a fault:
    /// Kubernetes sets variables named after Services, such as `APP_HTTP_SERVICE_PORT`. Ask after everything is read.
    package var unusedEnvironment: [String] { collector.unusedVariables }

    /// Ends reading.
    /// - Throws: every fault found, in the order of the file, with the keys that nobody asked for in the mappings that
    ///   were read. Whichever reader it is called on, it speaks for all of them.
    package func finish() throws(ConfigurationFaults) {
        let faults = collector.allFaults
        guard faults.isEmpty else { throw ConfigurationFaults(source: collector.source, faults: faults) }
    }
}

// MARK: - For the readers of values

extension ConfigurationReader {
    static func join(_ path: String, _ key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }

    func path(of key: String) -> String {
        Self.join(path, key)
    }

    func environmentName(of key: String) -> String? {
        environmentPath.map { "\($0)_\(EnvironmentName.part(key))" }
    }

    /// The node under a key, which from now on is a known one.
    func ask(_ key: String) -> Node? {
        record.known.insert(key)
        return nodes[key]
    }

    /// The elements of the list under a key. Anything else there is a fault.
    func elements(of key: String, wanted: String) -> [Node] {
        guard let node = ask(key), !node.isNull else { return [] }
        guard let list = node.sequence, node.unreadTag == nil else {
            wrongKind(node, path(of: key), wanted: wanted)
            return []
        }
        return Array(list)
    }

    func wrongKind(_ node: Node, _ path: String, wanted: String) {
        let found = node.unreadTag.map { "a value with the tag \(Quoting.name($0))" } ?? node.kind
        collector.add(ConfigurationFault(key: path, problem: "found \(found); give \(wanted)"), at: node.place)
    }
}
