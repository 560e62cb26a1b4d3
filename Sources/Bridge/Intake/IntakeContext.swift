internal import Bitrix24
internal import Ingress
internal import Journal
internal import Logging

/// What all event loops of the receiver share.
struct IntakeContext: Sendable {
    let settings: BridgeSettings
    let senders: SenderNetworks
    private let refusedSenders = LogThrottle(interval: .seconds(600))
    let trustedProxies: AddressRanges
    let portals: PortalStore
    let journal: Journal
    let deadLetterBudget: DeadLetterBudget
    let droppedLetters: DroppedLetters
    let parkingGate: ParkingGate
    private let signals: OfflineSignals
    let activity: ActivityLedger
    private let wakeUp = EventSelection.wakeUpType
    let metrics: BridgeMetrics
    let logger: Logger

    init(
        settings: BridgeSettings,
        senders: SenderNetworks,
        portals: PortalStore,
        journal: Journal,
        deadLetterBudget: DeadLetterBudget,
        parkingGate: ParkingGate,
        signals: OfflineSignals,
        activity: ActivityLedger,
        metrics: BridgeMetrics,
        logger: Logger
    ) throws(AddressRangeError) {
        self.settings = settings
        self.senders = senders
        trustedProxies = try AddressRanges(settings.http.trustedProxies)
        self.portals = portals
        self.journal = journal
        self.deadLetterBudget = deadLetterBudget
        droppedLetters = DroppedLetters(counter: metrics.deadLettersDropped, budget: deadLetterBudget, logger: logger)
        self.parkingGate = parkingGate
        self.signals = signals
        self.activity = activity
        self.metrics = metrics
        self.logger = logger
    }

    /// An event was admitted. If it is the portal's word that its queue has something, whoever drains hears of it.
    func signalWakeUp(_ event: InboundEvent, origin: EventOrigin) {
        guard let type = event.eventType, type === wakeUp, origin == .online else { return }
        signals.signal(event.memberID)
    }

    /// Counts it, and says so now and then: without a trusted proxy that is one, every event is refused so.
    ///
    /// - Parameter sender: `nil` if its address cannot be told.
    func refuse(sender: IPAddress?) {
        metrics.refused(.address)
        guard refusedSenders.isDue() else { return }
        logger.warning(
            "a sender outside http.allowedNetworks was refused; if it was Bitrix24, its event is lost",
            metadata: [
                "address": "\(sender.map(\.description) ?? "unknown")",
                "mend":
                    "add its network if it may send; behind an ingress or a proxy, name that in http.trustedProxies",
            ]
        )
    }
}
