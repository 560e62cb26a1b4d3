import ArgumentParser
import Bitrix24
import Bridge
import Foundation

struct PortalsAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a portal of outgoing webhooks, or one whose application was authorised by a code.",
        discussion: """
            A portal that sends events by outgoing webhooks, with their tokens, one a line, from a file or, as -, from \
            standard input (never as an argument: those can be seen by others):

              b24bridge portals add --config b24bridge.yaml --member-id MEMBER_ID \
                --domain acme.bitrix24.com --webhook-token tokens.txt

            Tokens that are known already stay. Only their SHA-256 is stored.

            A portal on which the application was authorised by OAuth's code flow: the authorization server's answer to \
            the code, as JSON. It is asked whose tokens they are (app.info), and the portal is stored as installed; the \
            bridge then binds its events. Needs application.clientId and secrets.key.

              b24bridge portals add --config b24bridge.yaml --token-answer - < answer.json

            Exit status: 0 stored, 1 failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    @Option(
        name: .long,
        help: ArgumentHelp("The portal. Comes with every event as auth[member_id].", valueName: "member_id")
    )
    var memberID: String?

    @Option(name: .long, help: ArgumentHelp("Its host name, for people and for {domain}.", valueName: "host"))
    var domain: String?

    @Option(
        name: .long,
        help: ArgumentHelp("File with tokens of outgoing webhooks, - for standard input.", valueName: "file")
    )
    var webhookToken: String?

    @Option(name: .long, help: ArgumentHelp("File with a token answer, - for standard input.", valueName: "file"))
    var tokenAnswer: String?

    func validate() throws {
        if tokenAnswer != nil {
            guard memberID == nil, domain == nil, webhookToken == nil else {
                throw ValidationError("--token-answer says itself which portal it is; leave out the other options")
            }
            return
        }
        guard let memberID, webhookToken != nil else {
            throw ValidationError("give --member-id and --webhook-token, or --token-answer")
        }
        guard RegistryRecord.isMemberID(memberID) else {
            throw ValidationError("--member-id takes the portal's member_id, normally 32 hexadecimal digits")
        }
    }

    func run() async throws {
        let settings = try LoadedConfiguration.load(options.configuration).settings
        if let tokenAnswer {
            try await addAuthorised(settings, try reportingFaults { try SecretInput.read(tokenAnswer) })
        } else if let memberID, let webhookToken {
            try await addWebhooks(settings, memberID, try reportingFaults { try SecretInput.lines(webhookToken) })
        }
    }

    private func addWebhooks(_ settings: BridgeSettings, _ memberID: String, _ tokens: [String]) async throws {
        guard !tokens.isEmpty else { throw usage("the file of --webhook-token has no token") }
        let digests = tokens.map { TokenDigest(token: $0.utf8) }
        let known = try await settings.withRegistry(patience: options.patience) { registry in
            var planned = registry.portal(memberID) ?? RegisteredPortal(memberID: memberID)
            guard planned.addWebhooks(digests, domain: domain) else {
                throw usage("a portal may have \(TokenSet.capacity) tokens; this one would have more")
            }
            let domain = domain
            return try await registry.change(memberID) { _ = $0.addWebhooks(digests, domain: domain) }
        }
        let count = known.webhooks?.digests.count ?? 0
        writeToStandardError("portal \(memberID): \(counted(count, "token")) of outgoing webhooks known now\n")
    }

    private func addAuthorised(_ settings: BridgeSettings, _ bytes: [UInt8]) async throws {
        guard settings.application.isConfigured else {
            throw usage("a portal of an application needs application.clientId, clientSecret and publicURL")
        }
        guard Keyring(settings.secrets).canSeal else { throw usage("\(KeyringError.noKey)") }
        let answer = try reportingFaults { try TokenAnswer(json: bytes) }
        do {
            let domain = try await settings.withRegistry(patience: options.patience) { registry in
                try await answer.add(to: registry, settings)
            }
            writeToStandardError("portal \(answer.memberID) (\(domain)) is stored; a running bridge binds its events\n")
        } catch let code as ExitCode {
            throw code
        } catch {
            writeToStandardError("The portal was not added: \(error)\n")
            throw ExitCode.failure
        }
    }
}

/// Secrets that a person gives: from a file or standard input, so that neither the shell's history nor `ps` has them.
enum SecretInput {
    /// More is no token.
    static let limit = 64 << 10

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    static func read(_ place: String) throws -> [UInt8] {
        let file = place == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: place)
        guard let file, let data = try? file.read(upToCount: limit + 1) else {
            throw Unreadable(description: "\(place) cannot be read")
        }
        guard data.count <= limit else { throw Unreadable(description: "\(place) is larger than \(limit) bytes") }
        return Array(data)
    }

    /// The lines that are not empty, without blanks around them.
    static func lines(_ place: String) throws -> [String] {
        String(decoding: try read(place), as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
