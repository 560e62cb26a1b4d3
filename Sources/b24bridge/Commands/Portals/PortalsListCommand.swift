import ArgumentParser
import Bridge
import Foundation

struct PortalsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List all portals, of the registry and of the file.",
        discussion: """
            Of each portal: where it stands (registry, file, both), its state, domain, the application's status there \
            (L local, F free, D demo, T trial, P paid, S subscription), how many tokens of applications and of outgoing \
            webhooks are known, for how long it has been authorised, how many of its bindings are not as declared, and \
            the last error of the REST work or of what keeps its offline events from being fetched.

            States: connected; installing (its bindings are not made yet); awaiting its application token (events wait \
            until it is known); needs authorisation (events are taken, but the portal cannot be called: an administrator \
            must open the application there or install it again); offline denied (connected, but its offline events cannot \
            be fetched: the error says why); gone (the application was taken off); static (it \
            stands in the file only).

              b24bridge portals list --config b24bridge.yaml
              b24bridge portals list --config b24bridge.yaml --state needs-authorization

            Exit status: 0 all was read, also if there was nothing, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    @Option(
        name: .long,
        help: ArgumentHelp("Portals in this state only, as --json names it. Repeatable.", valueName: "state")
    )
    var state: [String] = []

    @Flag(name: .long, help: "Print a JSON object a line.")
    var json = false

    static let states = RegisteredPortal.State.allCases.map(\.rawValue) + ["static"]

    func validate() throws {
        for word in state where !Self.states.contains(word) {
            throw ValidationError("--state takes one of \(Self.states.joined(separator: ", ")), not \(word)")
        }
    }

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(options.configuration).settings
        var registered: [RegisteredPortal] = []
        if settings.keepsRegistry {
            registered = try await settings.withRegistry(patience: options.patience) { registry in
                registry.memberIDs.compactMap { registry.portal($0) }
            }
        }
        let all = PortalRow.all(registered, try settings.filePortals())
        let rows = all.filter { state.isEmpty || state.contains($0.state) }
        if json {
            for row in rows {
                guard try printJSONLine(row) else { return }
            }
        } else if !rows.isEmpty {
            var table = TextTable(PortalRow.columns)
            for row in rows { table.add(row.cells) }
            try writeToStandardOutput(table.text)
        }
        let counts = Dictionary(grouping: rows, by: \.state).map { "\($1.count) \($0)" }.sorted()
        writeToStandardError(
            "portals: \(rows.count)" + (counts.isEmpty ? "" : " (\(counts.joined(separator: ", ")))")
                + (settings.keepsRegistry ? "" : "; there is no registry, see portals.registry") + "\n"
        )
    }
}

extension BridgeSettings {
    /// The portals of the file, which was read without a fault already.
    func filePortals() throws -> [PortalFile.Entry] {
        guard !portalsFile.isEmpty else { return [] }
        return try reportingFaults {
            try PortalFile.entries(portalsFile, environment: ProcessInfo.processInfo.environment)
        }
    }
}
