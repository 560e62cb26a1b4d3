import ArgumentParser

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "Look at calls that were refused, and admit them later.",
        discussion: """
            A call of an unknown portal, or with a wrong token, is refused with 403 and kept in the dead-letter topic \
            (kafka.deadLetterTopic) without its secrets. If the portal was only missing from the portals' file, add it \
            there with its tokens, and have its events published after all:

              b24bridge dead-letters list --config b24bridge.yaml
              b24bridge dead-letters requeue --config b24bridge.yaml --dry-run
              b24bridge dead-letters requeue --config b24bridge.yaml

            Both need Kafka and the right to read the topic, and no running bridge; one that runs does not notice.
            """,
        subcommands: [DeadLettersListCommand.self, DeadLettersRequeueCommand.self]
    )
}
