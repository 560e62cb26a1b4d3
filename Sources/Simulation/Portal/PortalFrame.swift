/// What a portal's frame posts to an application that has a user interface (b24restdocs,
/// settings/interactivity/context.md and settings/app-installation/installation-finish.md).
package struct PortalFrame: Sendable {
    /// Behind the address of the application, without `?`.
    package let query: String
    /// The form's fields in order.
    package let fields: PHPValue
    /// Names the frame; its `installFinish` brings it back.
    package let session: String

    package var body: [UInt8] { fields.form }
}

extension PortalWorld {
    /// A person opens the application. Where it was not installed, that begins its installation, which ends with
    /// `finishInstallation` and not before.
    mutating func openFrame(_ index: Int, language: String?, user: Int) -> PortalFrame {
        if !portals[index].hasApplication {
            if portals[index].installation == .removed { forgetTokens(of: index) }
            portals[index].installation = .inSetup
            portals[index].isPaymentExpired = false
        }
        let session = makeSecret()
        portals[index].frameSession = session
        let portal = portals[index]
        var fields: PHPValue = [
            "AUTH_ID": .text(makeAccessToken(of: index, user: user)), "AUTH_EXPIRES": .int(settings.accessTokenLife),
            "REFRESH_ID": .text(makeRefreshToken(of: index, user: user)),
            "SERVER_ENDPOINT": .text(portal.serverEndpoint),
        ]
        if settings.framesTellApplicationToken {
            fields.set("APPLICATION_TOKEN", .text(portal.applicationToken))
            fields.set("APPLICATION_SCOPE", .text(settings.scope.joined(separator: ",")))
        }
        fields.set("member_id", .text(portal.memberID))
        fields.set("status", .text(settings.status))
        fields.set("PLACEMENT", "DEFAULT")
        fields.set("PLACEMENT_OPTIONS", .text(#"{"any":"28\/"}"#))
        let query: PHPValue = [
            "DOMAIN": .text(portal.domain), "PROTOCOL": "1", "LANG": .text(language ?? portal.language),
            "APP_SID": .text(session),
        ]
        return PortalFrame(
            query: String(decoding: query.form, as: UTF8.self),
            fields: fields,
            session: session
        )
    }

    /// The setup page has called `installFinish`. Only now events are made.
    ///
    /// - Parameter session: of the last frame; `nil`: no matter which.
    /// - Returns: whether the frame was the last one.
    mutating func finishInstallation(_ index: Int, session: String? = nil) -> Bool {
        guard session == nil || session == portals[index].frameSession else { return false }
        if portals[index].installation == .inSetup { portals[index].installation = .finished }
        return true
    }
}
