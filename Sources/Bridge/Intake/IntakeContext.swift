internal import Bitrix24
internal import Ingress
internal import Journal
internal import Logging

/// What all event loops of the receiver share.
struct IntakeContext: Sendable {
    let settings: BridgeSettings
    let senders: SenderNetworks
    let trustedProxies: AddressRanges
    let portals: PortalStore
    let journal: Journal
    let deadLetterBudget: DeadLetterBudget
    let droppedLetters: DroppedLetters
    let parkingGate: ParkingGate
    let metrics: BridgeMetrics
    let logger: Logger

    init(
        settings: BridgeSettings,
        senders: SenderNetworks,
        portals: PortalStore,
        journal: Journal,
        deadLetterBudget: DeadLetterBudget,
        parkingGate: ParkingGate,
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
        self.metrics = metrics
        self.logger = logger
    }
}
