import ArgumentParser
import Foundation

@main
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "b24bridge",
        abstract: "The bridge from Bitrix24 events to Apache Kafka.",
        discussion: """
            Answers every event of Bitrix24 at once from its journal on disk, and puts each one as a CloudEvents JSON \
            envelope into Kafka, keyed by portal and entity.

            See it work, without Kafka or a configuration:
              b24bridge serve --dev

            Check a configuration, then run it:
              b24bridge check --config b24bridge.yaml
              b24bridge serve --config b24bridge.yaml

            See what a body becomes:
              b24bridge normalize < bodies.txt

            Prove that what is answered 200 arrives in Kafka:
              b24bridge simulate events --config b24bridge.yaml --verify

            See what portals are to send, and prove that it arrives:
              b24bridge subscriptions --help

            Fetch what portals kept while nobody could be reached:
              b24bridge offline --help

            Look into a journal, send what waits in it:
              b24bridge journal --help

            Results go to standard output, words and log lines to standard error.
            Exit status: 0 success, 1 failure, 2 bad usage or configuration.
            """,
        version: BridgeVersion.current,
        subcommands: [
            ServeCommand.self, CheckCommand.self, NormalizeCommand.self, JournalCommand.self, DeadLettersCommand.self,
            PortalsCommand.self, SubscriptionsCommand.self, OfflineCommand.self, SimulateCommand.self,
        ]
    )

    static func main() async {
        await CommandRun.run(Self.self)
    }
}

enum BridgeVersion {
    static let current = "0.1.0"
}

/// Runs a command with the exit statuses that the product promises: the parser's own for bad usage is 64.
enum CommandRun {
    static func run(_ root: any AsyncParsableCommand.Type) async {
        do {
            var command = try root.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            exit(code.rawValue)
        } catch {
            let code = root.exitCode(for: error)
            guard code == .validationFailure else { root.exit(withError: error) }
            writeToStandardError(root.fullMessage(for: error) + "\n")
            exit(2)
        }
    }
}
