/// What a stand-in for Bitrix24 is to be.
package struct StandInSettings: Sendable {
    /// How much a portal takes: so many calls at once, and then so many a second.
    package struct Intensity: Sendable {
        package var perSecond: Double
        package var threshold: Double

        package init(perSecond: Double = 2, threshold: Double = 50) {
            self.perSecond = perSecond
            self.threshold = threshold
        }
    }

    package var host = "127.0.0.1"
    /// 0 lets the system choose.
    package var port = 0
    /// Under which it is reached, as `http://stand-in:18090`, where that is not `host` and `port`. Without a slash at its end.
    package var reachedAt: String?
    package var portals: Int
    /// The application that is installed on the portals, with the scopes of its card.
    package var clientID = "local.5c8bb1b0891cf2.87252039"
    package var clientSecret = "SakeG5zNsHvl8MvKwlBGpDFEQ3mqcPN3jCBm0pPTZLOJxhdpnE"
    package var scope = ["crm", "task", "user_brief", "calendar", "imopenlines", "imconnector", "pull"]
    /// `L`, `F`, `D`, `T`, `P` or `S`.
    package var status = "L"
    /// Where the application is installed: gets ONAPPINSTALL, or is opened in the portal's frame.
    package var installURL = ""
    /// Seconds.
    package var accessTokenLife = 3600
    /// `nil`: as often as anybody likes, as on a portal of one's own.
    package var intensity: Intensity?
    /// Without it there is no `auth_connector`, and reading without deleting neither.
    package var hasProfessionalPlan = true
    /// Whether `event.offline.error` releases rows that are marked already, as it does others. It is not documented.
    package var releasesMarkedRows = true
    /// Put into a portal's queue when the first event is bound offline there.
    package var offlineRows = 0
    /// Whether ONOFFLINEEVENT is posted when its `minTimeout` is over, for what came within. Otherwise that is never signalled,
    /// as by the platform's module `rest`.
    package var signalsLate = true
    /// Whether the portals have a Push & Pull server.
    package var hasPushServer = true
    /// How long it holds a long poll that there is nothing for.
    package var pollTimeout: Duration = .seconds(25)
    /// Seconds.
    package var pushChannelLife = 43_200
    /// Whether a portal's frame tells the application token. Older portals do not.
    package var framesTellApplicationToken = false
    /// Makes the same portals again. `nil`: others each time.
    package var seed: UInt64?
    /// How long an event waits for its answer.
    package var deliveryTimeout: Duration = .seconds(10)
    /// Told of every call that was answered and every event that was posted, on any thread.
    package var observe: (@Sendable (StandInNote) -> Void)?

    package init(portals: Int = 1) { self.portals = portals }
}
