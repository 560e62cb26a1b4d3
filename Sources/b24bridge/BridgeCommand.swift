import ArgumentParser

@main
struct BridgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "b24bridge",
        abstract: "The bridge from Bitrix24 events to Apache Kafka.",
        subcommands: [NormalizeCommand.self]
    )
}
