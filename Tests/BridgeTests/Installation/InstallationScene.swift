import Bitrix24
import Foundation
import Simulation
import Testing

@testable import Bridge

/// A bridge that is an application, and a stand-in for Bitrix24 that it knows.
enum InstallationScene {
    static func secrets(_ fill: UInt8 = 7, id: String = "1") -> BridgeSettings.Secrets {
        var secrets = BridgeSettings.Secrets()
        secrets.current = .init(id: id, key: Secret(Data(repeating: fill, count: 32).base64EncodedString()))
        return secrets
    }

    static let keyring = Keyring(secrets())

    static func with<Value>(
        _ standInSettings: StandInSettings = StandInSettings(),
        directory: TemporaryDirectory? = nil,
        prefix: String = "i\(UUID().uuidString.prefix(8).lowercased())",
        adjust: (inout BridgeSettings) throws -> Void = { _ in },
        _ body: (_ standIn: StandIn, _ bridge: RunningBridge) async throws -> Value
    ) async throws -> Value {
        try await StandIn.withRunning(standInSettings) { standIn in
            let address = try await standIn.address
            return try await with(standIn, address, directory: directory, prefix: prefix, adjust: adjust) { bridge in
                try await body(standIn, bridge)
            }
        }
    }

    /// With a stand-in that lives longer than the bridge.
    static func with<Value>(
        _ standIn: StandIn,
        _ address: String,
        directory: TemporaryDirectory? = nil,
        prefix: String,
        adjust: (inout BridgeSettings) throws -> Void = { _ in },
        _ body: (_ bridge: RunningBridge) async throws -> Value
    ) async throws -> Value {
        try await RunningBridge.with(
            directory: directory,
            prefix: prefix,
            portals: .empty,
            adjust: { settings in
                settings.application.clientID = standIn.settings.clientID
                settings.application.clientSecret = Secret(standIn.settings.clientSecret)
                settings.application.publicURL = "http://bridge.test"
                settings.application.standIn = address
                settings.secrets = secrets()
                settings.keepsRegistry = true
                settings.kafka.registryTopic = "\(prefix).portals"
                try adjust(&settings)
            },
            body
        )
    }
}

extension RunningBridge {
    var url: String { "http://127.0.0.1:\(port)" }
    var installURL: String { url + "/b24/install" }

    func registered(_ memberID: String) -> RegisteredPortal? { bridge.registry?.portal(memberID) }

    func state(of memberID: String) -> RegisteredPortal.Installation.State? {
        registered(memberID)?.installation?.state
    }

    func refusals(_ reason: InstallRefusal) -> Int {
        metric("installs_refused_total", [("reason", reason.rawValue)])
    }

    func verified(_ kind: UnverifiedCall.Kind) -> Int {
        metric("installs_verified_total", [("kind", kind.rawValue)])
    }

    var deadLetters: [Delivered] { delivered(to: "dead-letter") }

    /// Whether the receiver takes events of the portal by this standing.
    func waitForStanding(_ standing: Portal.Standing, of memberID: String) async throws {
        try await wait(for: "\(memberID) to be \(standing); \(logs.lines.suffix(5))") {
            bridge.portals.directory[memberID]?.standing == standing
        }
    }
}

extension StandIn {
    /// The first portal.
    var first: String { memberIDs[0] }

    /// Keeps the owner of the REST work busy, for tests that do its part themselves.
    func holdOwner() {
        for method in ["event.get", "event.test"] { inject(.slow(.seconds(600)), method: method, times: 1000) }
    }

    /// An event with OAuth tokens, as Bitrix24 posts it.
    func body(
        _ code: String,
        of portal: String,
        address: String,
        data: String = "",
        access: String? = nil,
        member: String? = nil,
        domain: String? = nil,
        applicationToken: String? = nil,
        ts: Int = 1_466_439_714
    ) throws -> String {
        let known = try #require(self.portal(portal))
        let tokens = try #require(makeTokens(of: portal))
        let token = try applicationToken ?? #require(self.applicationToken(of: portal))
        return "event=\(code)&data[VERSION]=1\(data)&ts=\(ts)&auth[access_token]=\(access ?? tokens.access)"
            + "&auth[refresh_token]=\(tokens.refresh)&auth[expires]=\(Int(Date().timeIntervalSince1970) + 3600)"
            + "&auth[domain]=\(domain ?? known.domain)&auth[server_endpoint]=https%3A%2F%2Foauth.bitrix.info%2Frest%2F"
            + "&auth[client_endpoint]=\(address)/portal/\(known.memberID)/rest/"
            + "&auth[member_id]=\(member ?? known.memberID)"
            + (token.isEmpty ? "" : "&auth[application_token]=\(token)")
    }
}
