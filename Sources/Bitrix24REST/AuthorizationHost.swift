/// One of the two authorization servers. A body's `server_endpoint` chooses between them and nothing else.
///
/// Source: b24restdocs, settings/oauth/index.md
package enum AuthorizationHost: String, Sendable, CaseIterable {
    case world = "oauth.bitrix.info"
    case russia = "oauth.bitrix24.tech"

    /// `endpoint` as in `https://oauth.bitrix.info/rest/`; the first server for anything else.
    package init(endpoint: String?) {
        self = Self.allCases.first { endpoint?.hasPrefix("https://\($0.rawValue)/") ?? false } ?? .world
    }
}
