import ArgumentParser
import Bitrix24
import Bridge

struct OfflineRecoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Get back what portals kept while nobody fetched it, and say what is lost.",
        discussion: """
            For after a time in which nothing could be received, or something went wrong with fetching. Takes up rows \
            that somebody reserved and never cleared, and those that were marked as erroneous, if they were changed since \
            the given time; then drains what waits. What comes a second time has the same id. Then it names what cannot \
            be got back: events that are declared online only.

              b24bridge offline recover --config b24bridge.yaml --since 3h
              b24bridge offline recover --config b24bridge.yaml --portal MEMBER_ID \\
                --since 2026-11-20T03:15:00Z

            Bitrix24 keeps a row for about 30 days after its last change. May be interrupted with Ctrl-C and repeated: the \
            bridge goes on without you.

            Exit status: 0 all was got back that can be, 1 some was not, each portal with the reason, 2 bad usage or \
            configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var choice: OfflineChoice
    @OptionGroup var asking: AskingOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Rows that were changed since: an age (3h, 2d) or a time (2026-11-20T03:15:00Z).",
            valueName: "when"
        ),
        transform: Self.time
    )
    var since: Timestamp

    @Flag(name: .long, help: "Print a JSON object a line.")
    var json = false

    /// Once, as an age counts from when it is read.
    private static func time(_ text: String) throws -> Timestamp {
        guard let time = PastTime.read(text) else {
            throw ValidationError("it is no age such as 3h or 2d, and no time such as 2026-11-20T03:15:00Z")
        }
        guard time.milliseconds > 0, time < WallClock.now() else {
            throw ValidationError("it is not past")
        }
        return time
    }

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        if WallClock.now().milliseconds - since.milliseconds > 30 * 86_400_000 {
            writeToStandardError("Bitrix24 keeps rows for about 30 days; what was last changed before that is gone.\n")
        }
        let run = try await asking.withRegistry(settings) { registry in
            let portals = try choice.portals(of: registry, settings)
            return await DrainRun.run(portals, registry, since: since, patience: asking.patience)
        }
        try run.tell(json: json)
    }
}
