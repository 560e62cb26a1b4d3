import ArgumentParser

struct SubscriptionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subscriptions",
        abstract: "Compare what portals are to send with what is bound there, and make it so.",
        discussion: """
            Which events portals are to send stands in the configuration, under subscriptions. A running bridge binds them \
            after an installation and compares them daily, so nobody needs these commands; they show what it would do, \
            have it done now, and prove that a portal's events arrive.

              b24bridge subscriptions plan --config b24bridge.yaml
              b24bridge subscriptions apply --config b24bridge.yaml
              b24bridge subscriptions test --config b24bridge.yaml --portal MEMBER_ID

            They call no portal themselves: they leave an order in the registry (kafka.registryTopic), and the bridge that \
            does the work of this registry carries it out, with its own configuration. So a bridge must be running, and \
            its subscriptions are what counts. What other applications or people bound is never taken away.
            """,
        subcommands: [
            SubscriptionsPlanCommand.self, SubscriptionsApplyCommand.self, SubscriptionsEventsCommand.self,
            SubscriptionsTestCommand.self,
        ]
    )
}
