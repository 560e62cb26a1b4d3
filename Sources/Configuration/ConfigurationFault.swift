/// One thing that is wrong with a configuration.
package struct ConfigurationFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path of the key as a person writes it: `http.port`, `portals[0].memberId`. Empty when the fault is in the
    /// file as a whole.
    package let key: String
    /// What is wrong and what to do, in one line: `99999 is outside 1 to 65535; give a number in that range`.
    package let problem: String

    package init(key: String, problem: String) {
        self.key = key
        self.problem = problem
    }

    package var description: String {
        key.isEmpty ? problem : "\(key): \(problem)"
    }
}

/// All faults of one source, in the order of the file.
package struct ConfigurationFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file as it was named, or `environment` when there is no file.
    package let source: String
    package let faults: [ConfigurationFault]

    package init(source: String, faults: [ConfigurationFault]) {
        self.source = source
        self.faults = faults
    }

    /// One line for each fault: `bridge.yaml: http.port: 99999 is outside 1 to 65535; …`.
    package var description: String {
        faults.map { "\(source): \($0)" }.joined(separator: "\n")
    }
}
