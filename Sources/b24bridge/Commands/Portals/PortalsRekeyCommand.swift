import ArgumentParser
import Bridge

struct PortalsRekeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rekey",
        abstract: "Seal everything under today's key.",
        discussion: """
            To change the key: put the new one into secrets.key with an id of its own (secrets.keyId) and the old one into \
            secrets.previousKeys, in all replicas; restart them; then

              b24bridge portals rekey --config b24bridge.yaml

            and once it says that nothing needs the old key any more, take that out. Bridges may run meanwhile: tokens \
            that they renew win over what is sealed anew here. Running it again does no harm.

            Exit status: 0 everything is sealed under today's key, 1 not everything, or failure, 2 bad usage or \
            configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    private enum Outcome {
        case current
        case sealed
        case failed(String, KeyringError)
    }

    func run() async throws {
        let settings = try LoadedConfiguration.load(options.configuration).settings
        let keyring = Keyring(settings.secrets)
        guard let keyID = keyring.currentKeyID else { throw usage("\(KeyringError.noKey)") }
        let outcomes = try await settings.withRegistry(patience: options.patience) { registry in
            try await PortalWork.forEach(registry.memberIDs.sorted(), "sealing") { memberID in
                do {
                    return try await registry.reseal(memberID, with: keyring) ? Outcome.sealed : .current
                } catch let error as KeyringError {
                    return .failed(memberID, error)
                }
            }
        }
        var counts = (sealed: 0, current: 0, failed: 0)
        for outcome in outcomes {
            switch outcome {
            case .sealed: counts.sealed += 1
            case .current: counts.current += 1
            case .failed(let memberID, let error):
                counts.failed += 1
                writeToStandardError("portal \(memberID): \(error)\n")
            }
        }
        writeToStandardError(
            "portals: \(counts.sealed) sealed under key \(keyID), \(counts.current) had nothing to do, \(counts.failed) failed\n"
        )
        guard counts.failed == 0 else { throw ExitCode.failure }
        writeToStandardError("Nothing in the registry needs a previous key any more.\n")
    }
}
