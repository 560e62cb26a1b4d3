import ArgumentParser
import Bitrix24
import Bridge

struct SubscriptionsEventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "List the events that can be bound at a portal.",
        discussion: """
            What can be bound depends on the application's scopes and on the portal's version. Under subscriptions.online an \
            event is named by its code, or together with the others of its entity by the entity.

              b24bridge subscriptions events --config b24bridge.yaml --portal MEMBER_ID

            Exit status: 0 listed, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var asking: AskingOptions

    @Option(name: .long, help: ArgumentHelp("The portal.", valueName: "member_id"))
    var portal: String

    @Flag(name: .long, help: "Print a JSON array of {code, entity, action, scope, declared}.")
    var json = false

    func run() async throws {
        ignoreBrokenPipes()
        let settings = try LoadedConfiguration.load(configuration).settings
        let answer = try await asking.withRegistry(settings) { registry in
            let portal = try PortalChoice.portal(portal, of: registry)
            return await PortalAnswer.ask(.events, "asking", [portal], registry, patience: asking.patience).answers
        }
        PortalAnswer.sayFaults(answer)
        guard let codes = answer.first?.report?.events else { throw ExitCode.failure }
        let declared = DesiredBindings(settings, for: portal).events
        let events = codes.map { BindableEvent($0, isDeclared: declared.contains($0)) }
        if json { return try printJSON(events) }
        var table = TextTable([
            ("event", .left), ("entity", .left), ("action", .left), ("scope", .left), ("declared", .left),
        ])
        for event in events {
            table.add([
                event.code, event.entity ?? "", event.action ?? "", event.scope ?? "", event.declared ? "yes" : "",
            ])
        }
        try writeToStandardOutput(table.text)
        var words = "events: \(events.count) can be bound, \(events.count(where: \.declared)) of them are declared"
        let absent = declared.subtracting(codes).sorted()
        if !absent.isEmpty { words += "; declared and not to be had there: \(absent.joined(separator: ", "))" }
        writeToStandardError(words + "\n")
    }
}

private struct BindableEvent: Encodable {
    let code: String
    /// Absent for what the catalog does not know.
    let entity: String?
    let action: String?
    let scope: String?
    let declared: Bool

    init(_ code: String, isDeclared: Bool) {
        let type = EventCatalog.standard.eventType(for: code)
        self.code = code
        (entity, action, scope) = (type?.entity, type?.action, type?.scope)
        declared = isDeclared
    }
}
