/// Rows that lie reserved and with which something is to be done still.
struct OfflineHeld: Sendable, Equatable {
    let connector: String
    let processID: String
    /// Ids of rows that Kafka has confirmed, to be cleared.
    var confirmed: [String] = []
    /// `MESSAGE_ID` of rows whose dead letters Kafka has confirmed, to be marked.
    var letters: [String] = []
    /// Rows that Kafka has not confirmed: they are read again.
    var unconfirmed = 0
    /// Of those.
    var oldestChangeAt: Int64?
    /// Topics that refused them.
    var topics: Set<[UInt8]> = []

    var rows: Int { confirmed.count + letters.count + unconfirmed }
}

/// How far the search for forgotten reservations has come, so that a portal with few calls left does not begin it anew.
struct OfflineSearch: Sendable, Equatable {
    /// Whose queues are not searched through, the one at hand first.
    private(set) var connectors: [String]
    /// The page at hand.
    var start = 0
    /// To be taken over, and all that was found.
    var found: [String] = []
    var seen: Set<String> = []

    init(connectors: [String]) { self.connectors = connectors }

    mutating func nextConnector() { self = OfflineSearch(connectors: Array(connectors.dropFirst())) }
}

/// What the owner remembers of one portal's queues from turn to turn. Nobody needs it after the owner's end: the next finds
/// what is reserved by looking for it.
struct OfflineWork: Sendable, Equatable {
    var held: [OfflineHeld] = []
    /// Rows to ask for at once: fewer than the settings say where answers get too large.
    var limit: Int
    /// When to look next for what somebody has reserved and forgotten.
    var recoverAt = Int64.min
    var search: OfflineSearch?
    /// When held rows are tried again.
    var heldAt = Int64.min
    private(set) var heldFailures = 0
    /// Since the queue was last seen empty, and when the first of them came.
    var rowsSinceEmpty = 0
    var busySince: Int64?

    init(_ pace: OfflinePace) { limit = max(1, pace.batchRows) }

    var heldRows: Int { held.reduce(0) { $0 + $1.rows } }
    var heldTopics: Set<[UInt8]> { held.reduce(into: []) { $0.formUnion($1.topics) } }
    var oldestHeldAt: Int64? { held.compactMap(\.oldestChangeAt).min() }
    var isHolding: Bool { held.contains { $0.unconfirmed > 0 } }

    /// When there is something to do with what is held. `nil`: never.
    var nextAt: Int64? {
        if held.contains(where: { !$0.confirmed.isEmpty || !$0.letters.isEmpty }) { return .min }
        return isHolding ? heldAt : nil
    }

    /// A topic refused rows.
    mutating func refused(at now: Int64, _ pace: OfflinePace) {
        guard heldFailures == 0 else { return }
        retriedHeld(at: now, pace)
    }

    /// Held rows were tried again.
    mutating func retriedHeld(at now: Int64, _ pace: OfflinePace) {
        heldFailures = held.contains { !$0.topics.isEmpty } ? heldFailures + 1 : 0
        heldAt = heldFailures == 0 ? .min : now + pace.retry(after: heldFailures, longest: pace.longestHold)
    }
}

/// What one turn came to.
struct OfflineTally: Sendable, Equatable {
    var delivered = 0
    var deadLettered = 0
    var recovered = 0
}

/// Why a turn ended.
enum OfflineEnding: Sendable {
    /// The queues were seen empty, but for what is held.
    case empty
    /// There is more, and others come first.
    case more
    /// Kafka did not take what was read.
    case unsent
    /// So much is held that no more is reserved.
    case full
    /// - Parameter retryAfter: It is of no use to try again before, as the portal says.
    case failed(code: String, words: String, isDenied: Bool, retryAfter: Duration? = nil)
    /// The owner ends.
    case cancelled
}
