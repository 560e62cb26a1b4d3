import ArgumentParser
import Bitrix24
import Bridge
import Foundation

struct PortalsShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show all that is known of one portal.",
        discussion: """
            Tokens are shown by the beginning of their SHA-256 only, and what is sealed by the id of its key.

              b24bridge portals show --config b24bridge.yaml a223c6b3710f85df22e9377d6c4f7553

            Exit status: 0 it is known, 1 it is not, or failure, 2 bad usage or configuration.
            """
    )

    @OptionGroup var options: RegistryOptions

    @Argument(help: ArgumentHelp("The portal.", valueName: "member_id"))
    var memberID: String

    @Flag(name: .long, help: "Print a JSON object.")
    var json = false

    func run() async throws {
        let settings = try LoadedConfiguration.load(options.configuration).settings
        let entry = try settings.filePortals().first { $0.memberID == memberID }
        var portal: RegisteredPortal?
        if settings.keepsRegistry {
            portal = try await settings.withRegistry(patience: options.patience) { $0.portal(memberID) }
        }
        guard portal != nil || entry != nil else {
            writeToStandardError("No portal \(memberID) is known; see b24bridge portals list.\n")
            throw ExitCode.failure
        }
        let details = PortalDetails(PortalRow(memberID, portal, entry, now: Date()), portal)
        if json {
            try printJSON(details)
        } else {
            try writeToStandardOutput(details.text)
        }
    }
}

/// What `portals show` shows. No token, and nothing that is sealed.
private struct PortalDetails: Encodable {
    let portal: PortalRow
    let clientEndpoint: String?
    let authorizationServer: String?
    let scope: [String]?
    let version: String?
    let installedAt: String?
    let goneAt: String?
    let applicationTokenSHA256: [String]
    let webhookTokenSHA256: [String]
    let sealedWith: [String]
    let accessExpiresAt: String?
    let refreshedAt: String?
    let bound: Int?
    let reconciledAt: String?
    let offlineDeniedSince: String?
    /// Bitrix24's, in lower case. The words are the portal's error.
    let offlineDeniedCode: String?
    let openOrder: String?

    init(_ row: PortalRow, _ portal: RegisteredPortal?) {
        func time(_ milliseconds: Int64?) -> String? { milliseconds.map { Timestamp(milliseconds: $0).rfc3339 } }
        let installation = portal?.installation
        self.portal = row
        clientEndpoint = installation?.clientEndpoint
        authorizationServer = installation?.authorizationServer
        scope = installation?.scope
        version = installation?.version
        installedAt = time(installation?.installedAt)
        goneAt = time(installation?.goneAt)
        applicationTokenSHA256 = (portal?.applicationTokens?.digests ?? []).map { String($0.prefix(12)) }
        webhookTokenSHA256 = (portal?.webhooks?.digests ?? []).map { String($0.prefix(12)) }
        sealedWith = (portal?.keyIDs ?? []).sorted()
        accessExpiresAt = time(portal?.authorization.map { $0.accessExpiresAt * 1000 })
        refreshedAt = time(portal?.authorization?.refreshedAt)
        bound = portal?.bindings?.bound
        reconciledAt = time(portal?.bindings?.reconciledAt)
        offlineDeniedSince = time(portal?.offline?.deniedSince)
        offlineDeniedCode = portal?.offline?.code
        openOrder = portal?.order.flatMap { $0.id == portal?.report?.orderID ? nil : $0.kind.rawValue }
    }

    var text: String {
        var lines = zip(PortalRow.columns.map(\.0), portal.cells).map { ($0, $1) }
        func add(_ title: String, _ value: String?) { if let value { lines.append((title, value)) } }
        add("REST address", clientEndpoint)
        add("authorization server", authorizationServer)
        add("scope", scope?.joined(separator: ", "))
        add("version", version)
        add("installed", installedAt)
        add("gone since", goneAt)
        add("application tokens", applicationTokenSHA256.joined(separator: " "))
        add("webhook tokens", webhookTokenSHA256.joined(separator: " "))
        add("sealed with key", sealedWith.joined(separator: " "))
        add("access token until", accessExpiresAt)
        add("refresh token of", refreshedAt)
        add("bound", bound.map(String.init))
        add("compared", reconciledAt)
        add("offline denied since", offlineDeniedSince)
        add("offline denied by", offlineDeniedCode)
        add("open order", openOrder)
        var table = TextTable([("", .left), ("", .left)])
        for (title, value) in lines where !value.isEmpty { table.add([title, value]) }
        return String(table.text.drop { $0 == "\n" })
    }
}
