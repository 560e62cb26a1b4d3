/// As which application, where and how the bridge calls portals. No output shows the secret.
package struct RESTSettings: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var clientID: String
    /// Sent to an authorization server only.
    package var clientSecret: String
    /// As `http://127.0.0.1:8200`, without a trailing slash: every call goes there and nowhere else. Empty in earnest.
    package var standIn: String
    /// Calls a second that a portal's bucket lets through for long. Source: b24restdocs, limits.md.
    package var perSecond: Double
    /// Calls that a portal takes at once after a rest.
    package var burst: Int
    /// For one call to a portal, from its name's resolution to the answer's last byte. Bitrix24 itself stops at 60 s.
    package var portalTimeout: Duration = .seconds(65)
    /// For one call to an authorization server; for an exchange of tokens `portalTimeout`, if that is longer.
    package var authorizationTimeout: Duration = .seconds(20)
    /// For one long poll of a Push & Pull server, which ends it itself after 40 to 60 s of silence.
    package var pollTimeout: Duration = .seconds(120)
    package var connectTimeout: Duration = .seconds(10)
    /// Of one answer.
    package var maxAnswerBytes = 8 << 20
    package var retry = RetryPolicy()
    /// Time and sleep; tests have their own.
    package var clock = RESTClock.system
    /// All addresses of a host. Tests have their own.
    package var resolve: @Sendable (String) async throws -> [HostAddress] = HostAddress.resolve

    package init(
        clientID: String,
        clientSecret: String,
        standIn: String = "",
        perSecond: Double = 2,
        burst: Int = 50
    ) {
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.standIn = standIn
        self.perSecond = max(perSecond, 0.01)
        self.burst = max(burst, 1)
    }

    package var description: String { "RESTSettings(\(clientID))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["clientID": clientID]) }
}
