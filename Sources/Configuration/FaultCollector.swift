/// What all readers of one source share.
final class FaultCollector {
    private static let maxListed = 1000

    let source: String
    let hasFile: Bool
    let environment: [String: String]
    let environmentPrefix: String?
    private var faults: [(place: Place, fault: ConfigurationFault)] = []
    /// A key may be read twice; it is wrong once.
    private var seen: Set<ConfigurationFault> = []
    private var asked: Set<String> = []
    /// The mappings that were read, for the search for unknown keys.
    private var mappings: [MappingRecord] = []

    init(source: String, hasFile: Bool, environment: [String: String], environmentPrefix: String?) {
        self.source = source
        self.hasFile = hasFile
        self.environment = environment
        self.environmentPrefix = environmentPrefix
    }

    func add(_ fault: ConfigurationFault, at place: Place) {
        if seen.insert(fault).inserted { faults.append((place, fault)) }
    }

    func add(_ record: MappingRecord) {
        mappings.append(record)
    }

    /// The value of a variable, which from now on counts as asked for.
    func variable(_ name: String) -> String? {
        asked.insert(name)
        return environment[name]
    }

    var unusedVariables: [String] {
        guard let environmentPrefix else { return [] }
        return environment.keys.filter { $0.hasPrefix(environmentPrefix + "_") && !asked.contains($0) }.sorted()
    }

    /// Everything that was found so far, in the order of the file. The thousandth is followed by how many there are more.
    var allFaults: [ConfigurationFault] {
        let named = mappings.filter { !$0.path.contains("[") }
        let all = (faults + mappings.flatMap { UnknownKeys.faults(of: $0, among: named) })
            .enumerated()
            .sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }
            .map(\.element.fault)
        guard all.count > Self.maxListed else { return all }
        let more = "\(all.count - Self.maxListed) more faults are not listed; mend these first"
        return all.prefix(Self.maxListed) + [ConfigurationFault(key: "", problem: more)]
    }
}

/// Where something stands in the file, both from 1. What stands nowhere, such as a missing key, takes the place of the
/// mapping that it is missing from.
struct Place: Comparable {
    static let start = Place(line: 0, column: 0)

    let line: Int
    let column: Int

    static func < (one: Place, other: Place) -> Bool {
        (one.line, one.column) < (other.line, other.column)
    }
}

/// The keys of one mapping: those that are there and those that were asked for.
final class MappingRecord {
    let path: String
    let present: [(key: String, place: Place)]
    var known: Set<String> = []

    init(path: String, present: [(key: String, place: Place)]) {
        self.path = path
        self.present = present
    }

    func path(of key: String) -> String {
        path.isEmpty ? key : "\(path).\(key)"
    }
}
