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

    /// Not in `validate`, which comes before the parser looks for options that it does not know.
    private func expectName() throws {
        guard directory == nil, configuration.config == nil,
            ProcessInfo.processInfo.environment["B24_JOURNAL_DIRECTORY"] == nil
        else { return }
        throw usage("say which journal: --config FILE or --directory DIRECTORY")
    }

    /// The journals, without opening them. Reports what is in the way on standard error.
    func inspect() throws -> JournalSite {
        let site = try reportingFaults { try JournalSite(inspecting: directory ?? load().settings.journal.directory) }
        if let whole = site.directoryOfWhole {
            writeToStandardError(
                "These are the parked records alone, taken for a main journal; the whole is \(whole).\n"
            )
        }
        return site
    }

    /// The configuration's, or the default where only a directory was named.
    func segmentBytes() throws -> Int {
        configuration.config == nil && directory != nil
            ? BridgeSettings.JournalSettings().segmentBytes : try load().settings.journal.segmentBytes
    }

    /// The configuration with `directory` in the place of its own.
    func load() throws -> LoadedConfiguration {
        try expectName()
        var loaded = try LoadedConfiguration.load(configuration)
        if let directory { loaded.settings.journal.directory = directory }
        return loaded
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
