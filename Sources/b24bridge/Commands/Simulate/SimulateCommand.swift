import ArgumentParser
import Simulation

struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Stand in for Bitrix24, to try an installation out.",
        discussion: """
            Send a thousand events to a bridge, and see whether all of them arrive in Kafka:
              b24bridge simulate events --config b24bridge.yaml --verify

            Make up portals for a trial:
              b24bridge simulate portals --count 100 > portals.yaml

            Be Bitrix24, to install the bridge on portals without an account:
              b24bridge simulate portal
            """,
        subcommands: [SimulateEventsCommand.self, SimulatePortalCommand.self, SimulatePortalsCommand.self]
    )
}

struct SimulatePortalsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portals",
        abstract: "Print a portals.yaml with made-up portals.",
        discussion: """
            Each has a member_id and a token of its own, by chance. Give the file to the bridge and to the simulation:

              b24bridge simulate portals --count 100 > portals.yaml
              b24bridge serve --config b24bridge.yaml
              b24bridge simulate events --config b24bridge.yaml --verify

            Exit status: 0 printed, 1 failure, 2 bad usage.
            """
    )

    @Option(name: .long, help: ArgumentHelp("How many portals, 1 to 100000.", valueName: "number"))
    var count = 10

    func validate() throws {
        guard (1...100_000).contains(count) else { throw ValidationError("--count takes 1 to 100000 portals") }
    }

    func run() throws {
        guard try writeToStandardOutput(SimulatedPortal.file(count: count)) else { throw ExitCode.failure }
    }
}
