/// What was reserved together. Bitrix24 reads rows that are marked as erroneous apart from the others, also of one process id.
struct OfflineProcess: Sendable, Hashable {
    let connector: String
    let id: String
    var isErroneous = false
}

/// Rows that lie reserved and with which something is to be done still.
struct OfflineHeld: Sendable, Equatable {
    let process: OfflineProcess
    /// They were got back: forgotten by somebody, or marked.
    var isRecovered = false
    /// Ids of rows that Kafka has, to be cleared.
    var confirmed: [String] = []
    /// `MESSAGE_ID` of rows whose dead letters Kafka has confirmed, to be marked.
    var letters: [String] = []
    /// Rows that Kafka has not confirmed: they are read again.
    var unconfirmed = 0
    /// The change time of the oldest unconfirmed row, in milliseconds since 1970.
    var oldestChangeAt: Int64?
    /// Topics that refused them.
    var topics: Set<[UInt8]> = []
    /// The portal refused for good what was asked of it about them, and is not asked again before then.
    var putOffUntil = Int64.min

    var rows: Int { confirmed.count + letters.count + unconfirmed }
    var isToBeTold: Bool { !confirmed.isEmpty || !letters.isEmpty }
}

/// How far the search for forgotten reservations has come, so that a portal with few calls left does not begin it anew.
struct OfflineSearch: Sendable, Equatable {
    /// Whose queues are not searched through, the one at hand first.
    private(set) var connectors: [String]
    /// Milliseconds since 1970: rows changed then or later only. `nil`: all.
    let since: Int64?
    /// A person ordered it: rows that are marked as erroneous are taken as well.
    let isOrdered: Bool
    /// The page at hand.
    var start = 0
    /// To be taken over, and all that was found.
    var found: [OfflineProcess] = []
    var seen: Set<OfflineProcess> = []
    /// Some of it was refused for good, and left out.
    var wasRefused = false

    init(connectors: [String], since: Int64?, isOrdered: Bool) {
        (self.connectors, self.since, self.isOrdered) = (connectors, since, isOrdered)
    }

    mutating func nextConnector() {
        var next = OfflineSearch(connectors: Array(connectors.dropFirst()), since: since, isOrdered: isOrdered)
        next.wasRefused = wasRefused
        self = next
    }

    /// Whether it finds all that another one would.
    func covers(since other: Int64?, isOrdered otherIsOrdered: Bool) -> Bool {
        guard isOrdered || !otherIsOrdered else { return false }
        guard let since else { return true }
        return other.map { since <= $0 } ?? false
    }
}

/// What the owner remembers of one portal's queues from turn to turn. Nobody needs it after the owner's end: the next finds
/// what is reserved by looking for it.
struct OfflineWork: Sendable, Equatable {
    /// What a portal refuses for good of that which is not draining itself.
    struct Setback: Sendable, Equatable {
        let code: String
        let words: String
    }

    var held: [OfflineHeld] = []
    /// Rows to ask for at once: fewer than the settings say where answers get too large.
    var limit: Int
    /// When to look next for what somebody has reserved and forgotten.
    var recoverAt = Int64.min
    var search: OfflineSearch?
    /// When held rows are tried again.
    var heldAt = Int64.min
    private(set) var heldFailures = 0
    /// Until a whole look for what was forgotten went well.
    var setback: Setback?
    /// Since the queue was last seen empty, and when the first of them came.
    var rowsSinceEmpty = 0
    var busySince: Int64?

    init(_ pace: OfflinePace) { limit = max(1, pace.batchRows) }

    var heldRows: Int { held.reduce(0) { $0 + $1.rows } }
    var heldTopics: Set<[UInt8]> { held.reduce(into: []) { $0.formUnion($1.topics) } }
    var oldestHeldAt: Int64? { held.compactMap(\.oldestChangeAt).min() }
    var isHolding: Bool { held.contains { $0.unconfirmed > 0 } }

    /// When there is something to do with what is held. `nil`: never.
    var nextAt: Int64? { held.map { max($0.putOffUntil, $0.isToBeTold ? .min : heldAt) }.min() }

    subscript(process: OfflineProcess) -> OfflineHeld? { held.first { $0.process == process } }

    mutating func putOff(_ process: OfflineProcess, until time: Int64) {
        for index in held.indices where held[index].process == process { held[index].putOffUntil = time }
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
    /// Of those delivered.
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
