import ArgumentParser
import Bridge
import Configuration
import Foundation
import Logging
import ServiceLifecycle
import Simulation
import Telemetry
import UnixSignals

struct SimulatePortalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portal",
        abstract: "Be Bitrix24 on this host: portals and the authorization server, to install the bridge on.",
        discussion: """
            A server with any number of portals, all in memory, and the authorization server of all of them. With \
            application.standIn the bridge takes it for Bitrix24, and calls nothing else. The whole way of a portal \
            can be walked so, without an account: install, bind, event, Kafka.

            In a first terminal; it prints what the bridge needs, and then one line for each call and each event:
              b24bridge simulate portal

            In a second one the bridge, with the variables that were printed; --dev brings a Kafka along:
              b24bridge serve --dev

            In a third one, what people do in Bitrix24. Install the application on the first portal: ONAPPINSTALL goes \
            to the bridge, which asks the authorization server about it, and binds its events:
              curl -X POST 'http://127.0.0.1:18090/control/install?portal=1'

            Change a deal there: the event comes to the bridge, and to Kafka:
              curl -X POST \\
                'http://127.0.0.1:18090/control/event?portal=1&code=ONCRMDEALUPDATE&id=7'

            What is bound offline becomes rows of the portal's queue, which event.offline.get and its neighbours read, and of \
            which ONOFFLINEEVENT tells, and the Push & Pull server to whose long polls pull.application.config.get leads. Rows for a queue, and what came of each of them:
              curl -X POST 'http://127.0.0.1:18090/control/offline?portal=1&count=500'
              curl 'http://127.0.0.1:18090/control/offline?portal=1'

            As an application with a user interface, it is installed in a browser, by its page in the portal's frame; \
            the address of that frame is printed. Until that page calls installFinish, no event comes.

            What goes wrong in earnest, goes wrong on demand: portals get other domains, take applications away, are \
            slow, answer with errors or with pages. All of it:
              curl http://127.0.0.1:18090/control/

            The path /control/ answers this host only. The portals have the same member_id each time, their tokens are \
            new: install again after a restart. Ctrl-C stops it.

            Exit status: 0 stopped as asked, 1 failure, 2 bad usage.
            """
    )

    @Option(name: .long, help: ArgumentHelp("Where to listen; 0: any port.", valueName: "number"))
    var port = 18090

    @Option(name: .long, help: ArgumentHelp("Address to listen on.", valueName: "address"))
    var host = "127.0.0.1"

    @Option(
        name: .long,
        help: ArgumentHelp("Where the bridge reaches it. Default: host and port.", valueName: "http://…")
    )
    var address: String?

    @Option(name: .long, help: ArgumentHelp("How many portals, 1 to 100000.", valueName: "number"))
    var portals = 3

    @Option(
        name: .long,
        help: ArgumentHelp("The bridge's address for installations.", valueName: "http://…")
    )
    var installURL = "http://127.0.0.1:8080/b24/install"

    @Option(name: .long, help: ArgumentHelp("The application's client_id. Default: a made-up one.", valueName: "text"))
    var clientID: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The application's client_secret. Default: a made-up one.", valueName: "text")
    )
    var clientSecret: String?

    @Option(name: .long, help: ArgumentHelp("The application's scopes, comma-separated.", valueName: "scopes"))
    var scope: String?

    @Option(name: .long, help: ArgumentHelp("How long an access token lives, as 30s or 1h.", valueName: "time"))
    var tokenLife = "1h"

    @Flag(name: .long, help: "Refuse more than 50 calls at once and 2 a second on a portal, as Bitrix24 does.")
    var limits = false

    @Flag(name: .long, help: "Frames tell the application token, as those of newer portals do.")
    var frameTokens = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Rows that are in a portal's queue when its first event is bound offline, 0 to 1000000.",
            valueName: "number"
        )
    )
    var offlineRows = 0

    @Flag(name: .long, help: "Print one JSON object a line.")
    var json = false

    func validate() throws {
        _ = try settings()
    }

    func run() async throws {
        ignoreBrokenPipes()
        _ = raiseOpenFileLimit()
        let output = LogOutput(descriptor: STDOUT_FILENO, format: .text, capacityBytes: 8 << 20)
        defer { _ = output.close(within: .seconds(2)) }
        let lines = StandInLines(isJSON: json)
        var settings = try settings()
        settings.observe = { note in output.write(lines.line(note)) }
        let standIn = StandIn(settings)
        let welcome = StandInWelcome(settings, showsSecret: clientSecret == nil)
        // What it describes at lower levels is of no use here.
        let logger = Logger(label: "b24bridge") { _ in SwiftLogNoOpLogHandler() }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: standIn),
                    .init(
                        service: Announcement {
                            let address = try await standIn.address
                            let text = json ? try welcome.json(address, standIn) : welcome.text(address, standIn)
                            output.write(Array(text.utf8))
                        }
                    ),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint, .sighup],
                logger: logger
            )
        )
        do {
            try await group.run()
        } catch {
            writeToStandardError("\(error)\nAnother port is given with --port; 0 is any.\n")
            throw ExitCode.failure
        }
    }

    private func settings() throws -> StandInSettings {
        guard (1...100_000).contains(portals) else { throw ValidationError("--portals takes 1 to 100000 portals") }
        guard (0...65_535).contains(port) else { throw ValidationError("--port takes 0 to 65535") }
        guard (0...1_000_000).contains(offlineRows) else {
            throw ValidationError("--offline-rows takes 0 to 1000000 rows")
        }
        guard let life = try? Quantity.duration(tokenLife), life >= .seconds(1), life <= .seconds(31_536_000) else {
            throw ValidationError("--token-life takes a time of at least a second, as 30s or 1h")
        }
        var settings = StandInSettings(portals: portals)
        settings.port = port
        settings.host = host
        settings.seed = 1
        settings.installURL = try address(installURL, of: "--install-url")
        settings.reachedAt = try address.map { try address($0, of: "--address") }
        if let clientID { settings.clientID = clientID }
        if let clientSecret { settings.clientSecret = clientSecret }
        if let scope { settings.scope = scope.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
        settings.accessTokenLife = Int(life.components.seconds)
        if limits { settings.intensity = .init() }
        settings.offlineRows = offlineRows
        settings.framesTellApplicationToken = frameTokens
        return settings
    }

    private func address(_ text: String, of option: String) throws -> String {
        guard let parts = URLComponents(string: text), ["http", "https"].contains(parts.scheme?.lowercased()),
            let host = parts.host, !host.isEmpty
        else { throw ValidationError("\(option) takes an address such as http://127.0.0.1:8080/b24/install") }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}

/// Says what there is to say once the others run, and then waits for the end.
private struct Announcement: Service {
    let say: @Sendable () async throws -> Void

    func run() async throws {
        try await say()
        try? await gracefulShutdown()
    }
}
