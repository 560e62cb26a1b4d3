import ArgumentParser
import Bridge
import Foundation

struct PortalsRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Take a portal out of the registry.",
        discussion: """
            Its tokens are erased, and its events are refused from then on. Nothing is done in the portal itself: an \
            application that is still installed there goes on sending, and comes back into the registry when it is \
            installed again. A portal in the file is removed there, by hand.

              b24bridge portals remove --config b24bridge.yaml a223c6b3710f85df22e9377d6c4f7553

            Exit status: 0 removed, 1 it is not known, was not to be removed, or failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    @Argument(help: ArgumentHelp("The portal.", valueName: "member_id"))
    var memberID: String

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    func run() async throws {
        let settings = try LoadedConfiguration.load(options.configuration).settings
        try await settings.withRegistry(patience: options.patience) { registry in
            guard let portal = registry.portal(memberID) else {
                writeToStandardError("The registry knows no portal \(memberID); see b24bridge portals list.\n")
                throw ExitCode.failure
            }
            if !yes {
                guard isatty(STDIN_FILENO) == 1 else { throw usage("give --yes where nobody can be asked") }
                writeToStandardError("Remove portal \(portal.shownName), which is \(portal.state.words)? Type yes: ")
                guard readLine() == "yes" else {
                    writeToStandardError("It stays.\n")
                    throw ExitCode.failure
                }
            }
            try await registry.remove(memberID)
        }
        writeToStandardError("portal \(memberID) is removed\n")
        if try settings.filePortals().contains(where: { $0.memberID == memberID }) {
            writeToStandardError(
                "It also stands in \(settings.portalsFile), and its events are taken as long as it does.\n"
            )
        }
    }
}
