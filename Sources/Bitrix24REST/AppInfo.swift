/// What the authorization server says of an access token: whose it is, and for which application.
///
/// Source: b24restdocs, api-reference/common/system/app-info.md, at the authorization server.
package struct AppInfo: Sendable, Equatable {
    package var clientID: String
    package var memberID: String
    package var domain: String
    /// Ends with `/rest/`.
    package var clientEndpoint: String
    /// `L` local, `F` free, `D` demo, `T` trial, `P` paid, `S` subscription.
    package var status: String
    package var scope: [String]
    package var isInstalled: Bool
    package var version: String?
    package var userID: String?

    package init(
        clientID: String,
        memberID: String,
        domain: String,
        clientEndpoint: String,
        status: String,
        scope: [String],
        isInstalled: Bool,
        version: String? = nil,
        userID: String? = nil
    ) {
        self.clientID = clientID
        self.memberID = memberID
        self.domain = domain
        self.clientEndpoint = clientEndpoint
        self.status = status
        self.scope = scope
        self.isInstalled = isInstalled
        self.version = version
        self.userID = userID
    }
}
