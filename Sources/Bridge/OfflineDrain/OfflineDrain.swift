package import Bitrix24REST
package import Logging

/// Empties the queues of offline events of all portals into Kafka, done by whichever replica owns the REST work.
package final class OfflineDrain: Sendable {
    /// What one portal's queue looks like to the owner, without asking the portal.
    package struct Standing: Sendable, Equatable {
        /// Rows that Kafka has confirmed since this replica owns the work.
        package var drained = 0
        /// Rows that lie reserved and are not cleared yet.
        package var held = 0
        /// Rows that cannot be published, since this replica owns the work.
        package var deadLettered = 0
        /// Milliseconds since 1970, when the queue was last seen empty.
        package var emptyAt: Int64?
        /// The change time of the oldest row seen and not cleared, in milliseconds since 1970.
        package var oldestChangeAt: Int64?
        /// Code of what keeps it from being drained.
        package var errorCode: String?
        /// When it is looked at next at the latest, in milliseconds since 1970.
        package var nextAt: Int64?
    }

    /// What came of a drain that somebody ordered.
    package struct Result: Sendable, Equatable {
        package var rows = 0
        package var deadLettered = 0
        /// Rows among them that had been reserved by somebody who did not come to clear them.
        package var recovered = 0
        /// The queue was seen empty at the end; if not, draining goes on.
        package var isEmpty = false
        package var error: PortalReport.Fault?
    }

    let settings: BridgeSettings
    let registry: PortalRegistry
    let client: RESTClient
    let signals: OfflineSignals
    let logger: Logger

    package init(
        settings: BridgeSettings,
        registry: PortalRegistry,
        client: RESTClient,
        signals: OfflineSignals,
        logger: Logger
    ) {
        self.settings = settings
        self.registry = registry
        self.client = client
        self.signals = signals
        self.logger = logger
    }

    /// Drains until it is cancelled.
    package func run() async {}

    /// Drains one portal before all others, and waits until its queue was seen empty, it failed, or `patience` is over;
    /// then draining goes on by itself.
    ///
    /// - Parameter since: Milliseconds since 1970: recover. Rows that others have reserved and those marked as erroneous are
    ///   taken as well, if they were changed since. `nil`: rows that wait.
    package func drain(_ memberID: String, since: Int64?, patience: Duration) async -> Result { Result() }

    /// `nil`: the portal has no queue that is drained, or nobody runs this.
    package func standing(of memberID: String) -> Standing? { nil }

    /// All portals with offline events are drained at once, before anything else that waits.
    package func drainAll(because reason: String) {}
}
