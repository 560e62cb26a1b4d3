import ArgumentParser
import Bridge
import Foundation

struct JournalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Look into a journal, check it, print it, send what waits in it.",
        discussion: """
            Each works on the journal of a running bridge, on that of one that is gone, and on a copy of either. \
            inspect, verify, export and replay with a range only read, so they may run beside the bridge; the newest \
            records may be half written then. replay without a range and reroute need the bridge to be stopped.

            What lies there, and how old it is:
              b24bridge journal inspect --config b24bridge.yaml

            Send what a dead replica left on its volume:
              b24bridge journal replay --config b24bridge.yaml --directory /mnt/journal
            """,
        subcommands: [
            JournalInspectCommand.self, JournalVerifyCommand.self, JournalExportCommand.self,
            JournalReplayCommand.self, JournalRerouteCommand.self,
        ]
    )
}

/// Where the journal lies.
struct JournalLocation: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOptions

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The journal's directory, instead of the configuration's journal.directory.",
            discussion: "The main journal's; that of the parked records is found below it.",
            valueName: "directory"
        )
    )
    var directory: String?

    func validate() throws {
        guard directory == nil, configuration.config == nil,
            ProcessInfo.processInfo.environment["B24_JOURNAL_DIRECTORY"] == nil
        else { return }
        throw ValidationError("say which journal: --config FILE or --directory DIRECTORY")
    }

    /// The journals, without opening them. Reports what is in the way on standard error.
    func inspect() throws -> JournalSite {
        try reportingFaults { try JournalSite(inspecting: directory ?? load().settings.journal.directory) }
    }

    /// The configuration's, or the default where only a directory was named.
    func segmentBytes() throws -> Int {
        configuration.config == nil && directory != nil
            ? BridgeSettings.JournalSettings().segmentBytes : try load().settings.journal.segmentBytes
    }

    /// The configuration with `directory` in the place of its own.
    func load() throws -> LoadedConfiguration {
        var loaded = try LoadedConfiguration.load(configuration)
        if let directory { loaded.settings.journal.directory = directory }
        return loaded
    }
}

/// Runs `body`; what it throws is printed for people, and the command fails.
func reportingFaults<T>(_ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch let code as ExitCode {
        throw code
    } catch {
        writeToStandardError("\(error)\n")
        throw ExitCode.failure
    }
}

/// A progress bar over bytes read, with the rate behind it.
struct ReadingBar {
    private var bar: ProgressBar
    private let total: Int
    private let started = ContinuousClock.now

    init(_ title: String, bytes: Int) {
        bar = ProgressBar(title, total: bytes)
        total = bytes
    }

    mutating func update(_ done: Int) {
        let (total, started) = (total, started)
        bar.update(done, Self.words(done, of: total, since: started))
    }

    mutating func finish() { bar.finish() }

    private static func words(_ done: Int, of total: Int, since started: ContinuousClock.Instant) -> String {
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let rate = seconds > 0 ? Int(Double(done) / seconds) : 0
        return "\(StatusPage.bytes(done)) of \(StatusPage.bytes(total)), \(StatusPage.bytes(rate))/s"
    }
}

extension JournalSite {
    /// Said before the results, so that nobody takes a moment for the whole.
    func warnIfInUse() {
        guard isInUse else { return }
        writeToStandardError(
            "A bridge has this journal open: this is how it looks at the moment, and its newest records may be half written.\n"
        )
    }
}

extension JSONEncoder {
    /// How commands print JSON.
    static var forOutput: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}

func printJSON(_ value: some Encodable) throws {
    writeToStandardOutput(String(decoding: try JSONEncoder.forOutput.encode(value), as: UTF8.self) + "\n")
}
