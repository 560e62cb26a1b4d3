import ArgumentParser
import Bridge

struct PortalsExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print the registry's portals, for another cluster or for safe keeping.",
        discussion: """
            One JSON object a line, which portals import reads. Tokens are in it as SHA-256, and what is sealed stays \
            sealed: whoever has secrets.key can open it, so keep the two apart.

              b24bridge portals export --config b24bridge.yaml > portals.ndjson

            Exit status: 0 all was printed, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(options.configuration).settings
        let entries = try await settings.withRegistry(patience: options.patience) { registry in
            registry.entries.filter { !$0.isRemoved }.sorted { $0.memberID < $1.memberID }
        }
        for entry in entries {
            guard try writeToStandardOutput(RegistryRecord.line(of: entry) + [UInt8(ascii: "\n")]) else { return }
        }
        let keys = Set(entries.flatMap(\.portal.keyIDs)).sorted()
        writeToStandardError(
            "portals: \(entries.count) exported"
                + (keys.isEmpty
                    ? "" : ", sealed with \(keys.count == 1 ? "key" : "keys") \(keys.joined(separator: ", "))")
                + "\n"
        )
    }
}
