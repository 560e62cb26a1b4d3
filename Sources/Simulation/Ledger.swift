/// What is known of every event: a few bytes each, by its number, so that millions fit.
///
/// Order is judged at the end, because a record may be read before the answer to its event is.
struct Ledger: Sendable {
    /// Low three bits of `states`. The value 0: not posted.
    enum Outcome: UInt8 {
        case posted = 1
        case acknowledged, refused, unanswered
    }

    /// High bits of `states`: what is wrong with the event's records.
    struct Fault: OptionSet {
        let rawValue: UInt8
        static let severalIDs = Fault(rawValue: 0x10)
        static let wrongKey = Fault(rawValue: 0x20)
        static let wrongTopic = Fault(rawValue: 0x40)
        static let wrongMode = Fault(rawValue: 0x80)
    }

    /// A record of this run, as far as it matters here.
    struct Arrival {
        let number: Int
        /// Stands for the record's id.
        let idHash: UInt64
        let key: [UInt8]
        let topic: String
        let isOfExpectedMode: Bool
    }

    private var states: [UInt8] = []
    /// Index in the plan's subjects.
    private var subjects: [Int32] = []
    /// Place among all first appearances, from 1; 0: not arrived.
    private var places: [UInt32] = []
    /// Of the first record.
    private var ids: [UInt64] = []

    private(set) var posted = 0
    private(set) var acknowledged = 0
    private(set) var refused = 0
    private(set) var refusedByStatus: [Int: Int] = [:]
    private(set) var unanswered = 0
    private(set) var notConnected = 0
    private(set) var delivered = 0
    private(set) var acknowledgedDelivered = 0
    private(set) var duplicates = 0
    private(set) var neverSent = 0
    private(set) var neverSentExamples: [(number: Int, topic: String, key: String)] = []
    static let mostExamples = 10

    var isComplete: Bool { acknowledgedDelivered == acknowledged }
    /// One above the highest number that was posted.
    var end: Int { states.count }

    /// To be called before the first byte is sent.
    mutating func post(_ number: Int, subject: Int32) {
        while states.count <= number {
            states.append(0)
            subjects.append(0)
            places.append(0)
            ids.append(0)
        }
        states[number] = Outcome.posted.rawValue
        subjects[number] = subject
        posted += 1
    }

    mutating func answer(_ number: Int, status: Int) {
        if status == 200 {
            set(.acknowledged, of: number)
            acknowledged += 1
            if places[number] > 0 { acknowledgedDelivered += 1 }
        } else {
            set(.refused, of: number)
            refused += 1
            refusedByStatus[status, default: 0] += 1
        }
    }

    /// - Parameter isConnected: `false` when not even a connection came about.
    mutating func giveUp(_ number: Int, isConnected: Bool) {
        set(.unanswered, of: number)
        unanswered += 1
        if !isConnected { notConnected += 1 }
    }

    mutating func arrive(_ arrival: Arrival, plan: EventPlan) {
        let number = arrival.number
        guard number < states.count, states[number] != 0 else {
            neverSent += 1
            if neverSentExamples.count < Self.mostExamples {
                neverSentExamples.append((number, arrival.topic, String(decoding: arrival.key, as: UTF8.self)))
            }
            return
        }
        if places[number] == 0 {
            delivered += 1
            places[number] = UInt32(truncatingIfNeeded: delivered)
            ids[number] = arrival.idHash
            if outcome(of: number) == .acknowledged { acknowledgedDelivered += 1 }
        } else if ids[number] == arrival.idHash {
            duplicates += 1
        } else {
            mark(.severalIDs, number)
        }
        let expected = plan.key(of: subjects[number])
        if expected.bytes != arrival.key { mark(.wrongKey, number) }
        if plan.topics[Int(expected.topic)] != arrival.topic { mark(.wrongTopic, number) }
        if !arrival.isOfExpectedMode { mark(.wrongMode, number) }
    }

    func outcome(of number: Int) -> Outcome? { Outcome(rawValue: states[number] & 0x07) }
    func faults(of number: Int) -> Fault { Fault(rawValue: states[number] & 0xF0) }
    func subject(of number: Int) -> Int32 { subjects[number] }
    func place(of number: Int) -> UInt32? { places[number] == 0 ? nil : places[number] }

    /// How many records have the id of an earlier record of another event.
    func sharedIDs() -> Int {
        var known: [UInt64] = []
        known.reserveCapacity(delivered)
        for number in states.indices where places[number] > 0 { known.append(ids[number]) }
        known.sort()
        return zip(known, known.dropFirst()).count { $0 == $1 }
    }

    private mutating func set(_ outcome: Outcome, of number: Int) {
        states[number] = states[number] & 0xF0 | outcome.rawValue
    }

    private mutating func mark(_ fault: Fault, _ number: Int) { states[number] |= fault.rawValue }
}
