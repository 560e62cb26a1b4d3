internal import Foundation

/// Where and as whom a portal's messages are to be had, and for how long.
///
/// Source: b24restdocs, settings/interactivity/push-and-pull/pull-application-config-get.md
struct PushConfiguration: Sendable, Equatable {
    struct Channel: Sendable, Equatable {
        let id: String
        /// `shared` or `private`.
        let type: String
        /// Unix seconds by the portal's clock.
        let start: Int64?
        let end: Int64?

        init?(_ json: JSONValue?, type: String) {
            guard let id = json?["id"]?.text, !id.isEmpty else { return nil }
            self.id = id
            self.type = json?["type"]?.text ?? type
            start = PushConfiguration.seconds(json?["start"])
            end = PushConfiguration.seconds(json?["end"])
        }
    }

    /// Of the long polls.
    let endpoint: String
    /// Of the server.
    let version: Int64
    /// `nil` where `token` stands for it.
    var channel: Channel?
    /// In place of channels.
    let token: String?
    /// Of a server that several portals share.
    let clientID: String?
    /// How long it is good, by the portal's own clock. `nil`: it does not say.
    let life: Duration?

    /// - Parameters:
    ///   - result: of `pull.application.config.get`.
    ///   - now: Unix seconds by the portal's clock.
    /// - Returns: `nil` where the portal has no server, or one without long polls.
    init?(_ result: JSONValue, at now: Double) {
        guard let server = result["server"], server["server_enabled"]?.flag != false else { return nil }
        // It is really spelled so.
        let endpoints = ["long_pooling_secure", "long_polling_secure", "long_polling"].compactMap { server[$0]?.text }
        guard let endpoint = endpoints.first(where: { !$0.isEmpty }) else { return nil }
        self.endpoint = endpoint
        version = server["version"]?.integer ?? 1
        // Older portals have both within `server`.
        func text(_ name: String) -> String? {
            [result[name]?.text, server[name]?.text].compactMap { $0 }.first { !$0.isEmpty }
        }
        clientID = text("clientId")
        token = text("jwt")
        // Word of offline events comes by the shared one; the private one has what concerns a user.
        let channels = result["channels"]
        channel = Channel(channels?["shared"], type: "shared") ?? Channel(channels?["private"], type: "private")
        if channel == nil, token == nil { return nil }
        let ends = [channel?.end, result["exp"]?.integer].compactMap { $0 }.filter { $0 > 0 }
        life = ends.min().map { .seconds(Double($0) - now) }
    }

    private static func seconds(_ json: JSONValue?) -> Int64? {
        guard case .string(let text) = json, Int64(text) == nil else { return json?.integer }
        let date = try? Date.ISO8601FormatStyle().parse(text)
        return date.map { Int64($0.timeIntervalSince1970) }
    }
}
