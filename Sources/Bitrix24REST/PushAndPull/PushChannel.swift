/// The channel of Bitrix24's Push & Pull server by which a portal tells that its queue has something, for a bridge that the
/// internet cannot reach. By long polls; an application with the scope `pull` may have it.
///
/// Source: b24restdocs, settings/interactivity/push-and-pull/pull-application-config-get.md
package struct PushChannel: Sendable {
    private let client: RESTClient
    private let memberID: String

    package init(client: RESTClient, memberID: String) {
        self.client = client
        self.memberID = memberID
    }

    /// Follows the channel until the task is cancelled.
    ///
    /// - Parameter signal: Gets the source key of the queue that has something; empty is the one without.
    /// - Throws: what it cannot recover from by itself, such as a portal without a Push & Pull server.
    package func follow(_ signal: @Sendable (_ connector: String) -> Void) async throws(RESTError) {
        throw CallName(portal: memberID, method: "pull.application.config.get").error(.unreachable, "not written yet")
    }
}
