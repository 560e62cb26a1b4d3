import ArgumentParser
import Bridge

struct PortalsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portals",
        abstract: "Look at the portals, and add, remove or move them.",
        discussion: """
            Portals stand in the file of static portals (portals.file), and in the registry: a compacted Kafka topic \
            (kafka.registryTopic) that all replicas read. Applications that are installed come into the registry by \
            themselves. These commands read the topic and write to it; they need Kafka, and no running bridge, and one \
            that runs knows of a change within a second. No token is ever shown.

              b24bridge portals list --config b24bridge.yaml
              b24bridge portals show --config b24bridge.yaml MEMBER_ID

            After a change of secrets.key, with the old one in secrets.previousKeys:
              b24bridge portals rekey --config b24bridge.yaml

            Move all portals to another cluster:
              b24bridge portals export --config old.yaml > portals.ndjson
              b24bridge portals import --config new.yaml portals.ndjson
            """,
        subcommands: [
            PortalsListCommand.self, PortalsShowCommand.self, PortalsAddCommand.self, PortalsRemoveCommand.self,
            PortalsExportCommand.self, PortalsImportCommand.self, PortalsRekeyCommand.self,
        ]
    )
}

/// What all of them take.
struct RegistryOptions: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOptions

    @Option(name: .long, help: ArgumentHelp("Seconds to wait for Kafka, 1 to 600.", valueName: "seconds"))
    var timeout: Int = 30

    func validate() throws {
        guard (1...600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 600 seconds") }
    }

    var patience: Duration { .seconds(timeout) }
}

extension RegisteredPortal {
    /// Why something is not as it should be, if it is known.
    var fault: String? {
        installation?.state == .gone
            ? installation?.goneReason : authorization?.needed ?? bindings?.error ?? offline?.words
    }
}
