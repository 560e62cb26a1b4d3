import ArgumentParser
import Bridge

struct OfflineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "offline",
        abstract: "Look into portals' queues of offline events, empty them, and get back what was missed.",
        discussion: """
            Events that are declared in subscriptions.offline are kept by the portal until the bridge has fetched them: of \
            each object and event the last change. They are the only ones that can be got back after nobody could be \
            reached. A running bridge fetches them by itself; these commands show how it gets on, have it done now, and \
            take up what was left behind.

              b24bridge offline status --config b24bridge.yaml
              b24bridge offline drain --config b24bridge.yaml
              b24bridge offline recover --config b24bridge.yaml --since 3h

            They call no portal themselves: they leave an order in the registry (kafka.registryTopic), and the bridge that \
            does the work of this registry carries it out, with its own configuration. So a bridge must be running.
            """,
        subcommands: [OfflineStatusCommand.self, OfflineDrainCommand.self, OfflineRecoverCommand.self]
    )
}

/// Which portals' queues are meant.
struct OfflineChoice: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "This portal only. Repeatable. Default, and all: every portal with offline events.",
            valueName: "member_id"
        )
    )
    var portal: [String] = []

    /// In order of their ids; says on standard error how many are left out.
    ///
    /// - Throws: `ExitCode` after it has named those that are not in the registry.
    func portals(of registry: PortalRegistry, _ settings: BridgeSettings) throws -> [RegisteredPortal] {
        guard portal.isEmpty || portal == ["all"] else {
            return try portal.map { try PortalChoice.portal($0, of: registry) }
        }
        let all = registry.installedPortals
        let chosen = all.filter { !settings.offlineConnectors(of: $0).isEmpty }
        if chosen.count < all.count {
            writeToStandardError(
                "Without offline events: \(counted(all.count - chosen.count, "portal")). Nothing that is missed there can be "
                    + "fetched; see subscriptions.offline.\n"
            )
        }
        return chosen
    }
}
