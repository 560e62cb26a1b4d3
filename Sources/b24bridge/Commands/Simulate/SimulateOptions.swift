import ArgumentParser
import Configuration
import Simulation

/// How fast and how long events are sent.
struct PaceOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Events a second, whether or not answers come. Default: as fast as the connections allow.",
            valueName: "number"
        )
    )
    var rate: Double?

    @Option(name: .long, help: ArgumentHelp("Connections, each with one event at a time.", valueName: "number"))
    var connections = 16

    @Option(
        name: .long,
        help: ArgumentHelp("Events in all. Default: 1000, without end with --duration or --hold.", valueName: "number")
    )
    var count: Int?

    @Option(name: .long, help: ArgumentHelp("How long to send, as 30s or 10m.", valueName: "time"))
    var duration: String?

    @Option(name: .long, help: ArgumentHelp("How long to wait for an answer.", valueName: "time"))
    var requestTimeout = "10s"

    @Flag(
        name: .long,
        help: "Go on when nobody answers, until Ctrl-C, --count or --duration. Default: give up after 10 s."
    )
    var hold = false

    func validate() throws {
        if let rate, !(rate > 0 && rate <= 1_000_000) {
            throw ValidationError("--rate takes a number of events a second, above 0 and up to 1000000")
        }
        guard (1...10_000).contains(connections) else { throw ValidationError("--connections takes 1 to 10000") }
        if let count, !(1...1_000_000_000).contains(count) {
            throw ValidationError("--count takes 1 to 1000000000 events")
        }
        _ = try duration.map { try time($0, of: "--duration") }
        _ = try time(requestTimeout, of: "--request-timeout")
    }

    func apply(to settings: inout SimulationSettings) throws {
        settings.rate = rate
        settings.connections = connections
        settings.duration = try duration.map { try time($0, of: "--duration") }
        settings.count = count ?? (duration == nil && !hold ? 1000 : nil)
        settings.requestTimeout = try time(requestTimeout, of: "--request-timeout")
        settings.isHolding = hold
    }
}

/// Whether and where arrivals are looked for.
struct VerificationOptions: ParsableArguments {
    @Flag(name: .long, help: "Read the topics, and compare every record with what was sent.")
    var verify = false

    @Option(
        name: .long,
        help: ArgumentHelp("Where Kafka is. Default: kafka.bootstrapServers.", valueName: "host:port,…")
    )
    var bootstrapServers: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Without a new record for so long, what has not arrived counts as missing.",
            valueName: "time"
        )
    )
    var timeout = "60s"

    func validate() throws {
        _ = try arrivalTimeout()
        if bootstrapServers != nil, !verify {
            throw ValidationError("--bootstrap-servers is of use with --verify only; add it, or leave it out")
        }
    }

    func arrivalTimeout() throws -> Duration { try time(timeout, of: "--timeout") }
}

/// A time as the configuration has it; a bare number is seconds.
private func time(_ text: String, of option: String) throws -> Duration {
    let isBare = !text.isEmpty && text.allSatisfy(\.isNumber)
    guard let duration = try? Quantity.duration(isBare ? text + "s" : text), duration > .zero,
        duration <= .seconds(31_536_000)
    else { throw ValidationError("\(option) takes a time above zero such as 500ms, 30s, 10m or 2h") }
    return duration
}
