import Yams

/// One value as text, with what a fault about it may say.
struct ConfigurationValue {
    enum Origin {
        case file
        /// The variable that overrides the key.
        case variable(String)
        /// `{file: PATH}` or `{env: NAME}`.
        case reference
    }

    let text: String
    let origin: Origin
    /// Whether the key looks secret.
    let isSecret: Bool
    let path: String
    let place: Place

    /// The value as a fault names it.
    var named: String {
        switch origin {
        case .file: isSecret ? "the value" : Quoting.value(text)
        case .variable(let name): (isSecret ? "the value" : Quoting.value(text)) + " (from \(name))"
        case .reference: "the value it refers to"
        }
    }

    /// Says more when a variable was set by somebody who did not mean this key.
    var hint: String {
        guard case .variable = origin, text.hasPrefix("tcp://") || text.hasPrefix("udp://") else { return "" }
        return ", and set enableServiceLinks: false if Kubernetes set the variable for a Service"
    }
}

enum Found {
    case absent
    case value(ConfigurationValue)
    /// There, but not usable; the fault is recorded.
    case faulty
}

extension ConfigurationReader {
    private static let maxReferencedBytes = 1 << 20

    /// The single value of a key: from the environment, else from the file.
    func find(_ key: String, wanted: String) -> Found {
        let node = ask(key)
        let isSecret = isSecret || Quoting.looksSecret(key)
        if let name = environmentName(of: key), let text = collector.variable(name) {
            return .value(
                ConfigurationValue(
                    text: text,
                    origin: .variable(name),
                    isSecret: isSecret,
                    path: path(of: key),
                    place: node?.place ?? place
                )
            )
        }
        guard let node else { return .absent }
        return resolve(node, path: path(of: key), isSecret: isSecret, wanted: wanted)
    }

    /// What a node in place of a single value stands for.
    func resolve(_ node: Node, path: String, isSecret: Bool, wanted: String) -> Found {
        guard node.unreadTag == nil else {
            wrongKind(node, path, wanted: wanted)
            return .faulty
        }
        if node.isNull { return .absent }
        switch node {
        case .scalar(let scalar):
            return .value(
                ConfigurationValue(
                    text: scalar.string,
                    origin: .file,
                    isSecret: isSecret,
                    path: path,
                    place: node.place
                )
            )
        case .mapping(let mapping):
            if let reference = Reference(mapping) { return follow(reference, path: path, place: node.place) }
            wrongKind(node, path, wanted: "\(wanted), {file: PATH} or {env: NAME}")
        case .sequence, .alias:
            wrongKind(node, path, wanted: wanted)
        }
        return .faulty
    }

    private enum Reference {
        case file(String)
        case environment(String)

        init?(_ mapping: Node.Mapping) {
            guard mapping.count == 1, let pair = mapping.first, let target = pair.value.scalar, !pair.value.isNull
            else {
                return nil
            }
            switch pair.key.scalar?.string {
            case "file": self = .file(target.string)
            case "env": self = .environment(target.string)
            default: return nil
            }
        }
    }

    private func follow(_ reference: Reference, path: String, place: Place) -> Found {
        func faulty(_ problem: String) -> Found {
            collector.add(ConfigurationFault(key: path, problem: problem), at: place)
            return .faulty
        }
        let text: String
        switch reference {
        case .file(let file):
            let name = Quoting.path(file)
            do {
                var bytes = try BoundedFile.read(file, limit: Self.maxReferencedBytes)
                if bytes.last == UInt8(ascii: "\n") {
                    bytes.removeLast()
                    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
                }
                guard let content = String(validating: bytes, as: UTF8.self) else {
                    return faulty("file \(name) is not UTF-8; save it as text")
                }
                text = content
            } catch {
                return faulty("file \(name) \(error.text); mount or create it, or correct the path")
            }
        case .environment(let name):
            guard let content = collector.variable(name) else {
                return faulty("environment variable \(Quoting.name(name)) is not set; set it, or correct the name")
            }
            text = content
        }
        return .value(
            ConfigurationValue(text: text, origin: .reference, isSecret: true, path: path, place: place)
        )
    }
}
