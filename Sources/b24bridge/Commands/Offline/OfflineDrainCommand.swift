import ArgumentParser
import Bridge

struct OfflineDrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Have the queues emptied now, and wait until they are.",
        discussion: """
            A running bridge does it by itself; this is for whoever wants to see it done. A portal that was refused its \
            queue is tried again at once. It goes on until the queues are empty, and may be interrupted with Ctrl-C: the \
            bridge then goes on without you. Rows are cleared at the portal only after Kafka has confirmed them.

              b24bridge offline drain --config b24bridge.yaml
              b24bridge offline drain --config b24bridge.yaml --portal MEMBER_ID

            Exit status: 0 the queues are empty (with --once: were drained without a failure), 1 some are not, each with \
            the reason, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var choice: OfflineChoice
    @OptionGroup var asking: AskingOptions

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Give the order once, for \(RegisteredPortal.Order.Kind.drain.ownersPatience.components.seconds) seconds of work "
                + "at most, and leave the rest to the bridge."
        )
    )
    var once = false

    @Flag(name: .long, help: "Print a JSON object a line.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        let run = try await asking.withRegistry(settings) { registry in
            let portals = try choice.portals(of: registry, settings)
            return await DrainRun.run(portals, registry, isOnce: once, patience: asking.patience)
        }
        try run.tell(json: json)
    }
}
