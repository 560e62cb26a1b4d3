/// What keeps the drain from beginning anything, beside its own producer. A test has its own.
package struct OfflineConditions: Sendable {
    /// `nil`: brokers can be reached, as far as the shipper knows.
    package var brokersUnreachable: @Sendable () -> String?
    /// Of the main journal: 0 is empty, 1 is full.
    package var journalFill: @Sendable () -> Double

    package init(
        brokersUnreachable: @escaping @Sendable () -> String? = { nil },
        journalFill: @escaping @Sendable () -> Double = { 0 }
    ) {
        self.brokersUnreachable = brokersUnreachable
        self.journalFill = journalFill
    }
}

/// Whether new turns may begin: events that are pushed come first, and what Kafka does not take is better left in the portals.
/// It has no clock and does no I/O.
struct OfflineGate: Sendable {
    enum Change: Sendable, Equatable {
        case closed(String)
        case opened
    }

    /// Of the journal, in parts of it.
    static let closesAt = 0.25
    static let opensAt = 0.20

    /// It opens when all has been well for so long, in milliseconds: while nothing is sent, nobody hears of trouble.
    static let calm: Int64 = 2000

    /// Why it is closed.
    private(set) var reason: String?
    /// While it is closed: since when all is well.
    private var wellSince: Int64?

    mutating func observe(trouble: String?, fill: Double, at now: Int64) -> Change? {
        let isFull = fill >= (reason == nil ? Self.closesAt : Self.opensAt)
        if let obstacle = trouble ?? (isFull ? "the journal is \(Int(fill * 100)) % full" : nil) {
            defer { (reason, wellSince) = (obstacle, nil) }
            return reason == nil ? .closed(obstacle) : nil
        }
        guard reason != nil else { return nil }
        let since = wellSince ?? now
        wellSince = since
        guard now - since >= Self.calm else { return nil }
        (reason, wellSince) = (nil, nil)
        return .opened
    }
}
