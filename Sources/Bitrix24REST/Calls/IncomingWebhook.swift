internal import Foundation

/// The address of an incoming webhook, `https://{domain}/rest/{user}/{secret}/`: whoever has it may call. Never described.
///
/// Source: b24restdocs, local-integrations/local-webhooks.md
package struct IncomingWebhook: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Ends with a slash.
    let address: String
    /// The portal's host, which is no secret.
    package let host: String

    /// With or without a method at its end. `nil` for what is no such address.
    package init?(_ text: String) {
        guard let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty,
            parts.scheme == "https" || parts.scheme == "http", parts.query == nil, parts.fragment == nil,
            parts.user == nil, parts.password == nil,
            let match = text.firstMatch(of: /^https?:\/\/[^\/]+(?:\/[A-Za-z0-9_\/-]+)?\/rest\/[0-9]+\/[A-Za-z0-9]+/)
        else { return nil }
        let rest = text[match.range.upperBound...]
        guard rest.isEmpty || rest.hasPrefix("/") else { return nil }
        address = text[match.range] + "/"
        self.host = host
    }

    /// That no words may repeat.
    var secret: String { String(address.split(separator: "/").last ?? "") }

    package var description: String { "https://\(host)/rest/[redacted]" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["host": host]) }
}
