import Bitrix24

/// Everything that can be sent in one run, with the topic and the key that the bridge is to give it.
struct EventPlan: Sendable {
    /// A stream of events that may differ in number and time only.
    struct Subject: Sendable {
        /// Index in `portals`.
        let portal: Int32
        /// Index in `bodies`.
        let body: Int32
        let entity: Int32
        /// Index in `keys`.
        let key: Int32
    }

    /// One key of one topic: what keeps its order.
    struct Key: Sendable, Hashable {
        let topic: Int32
        let bytes: [UInt8]
    }

    /// The subjects of one connection. No other has any of their keys.
    struct Lane: Sendable {
        fileprivate(set) var subjects: [Int32] = []
        /// For each subject the weights up to it, its own included.
        fileprivate(set) var weights: [UInt64] = []

        /// Index in the plan's subjects.
        func subject(_ random: inout FastRandom) -> Int {
            let place = UInt64.random(in: 0..<(weights.last ?? 1), using: &random)
            var (low, high) = (0, weights.count - 1)
            while low < high {
                let middle = (low + high) / 2
                if weights[middle] > place { high = middle } else { low = middle + 1 }
            }
            return Int(subjects[low])
        }
    }

    let portals: [SimulatedPortal]
    private(set) var topics: [String] = []
    private(set) var keys: [Key] = []
    private(set) var subjects: [Subject] = []
    private(set) var bodies: [EventBody] = []
    /// At most as many as were asked for; fewer where there are fewer keys.
    private(set) var lanes: [Lane] = []

    func key(of subject: Int32) -> Key { keys[Int(subjects[Int(subject)].key)] }

    init(_ settings: SimulationSettings, run: String) throws(SimulationError) {
        portals = settings.portals
        var weights: [UInt32] = []
        var renderer = ExpectedRecord(settings)
        var topicIndex: [[UInt8]: Int32] = [:]
        var keyIndex: [Key: Int32] = [:]
        for (portalNumber, portal) in settings.portals.enumerated() {
            let kinds = settings.mix.kinds.filter { !portal.isWebhook || !$0.needsApplication }
            for (kindNumber, kind) in kinds.enumerated() {
                bodies.append(
                    EventBody(
                        code: kind.code,
                        shape: kind.shape,
                        portal: portal,
                        run: run,
                        handlerID: 100 + kindNumber
                    )
                )
                for entity in 1...settings.entities {
                    let (topic, bytes) = try renderer.render(bodies[bodies.count - 1], entity, of: portal)
                    let topicNumber = topicIndex[topic] ?? Int32(topics.count)
                    if topicNumber == topics.count {
                        topicIndex[topic] = topicNumber
                        topics.append(String(decoding: topic, as: UTF8.self))
                    }
                    let key = Key(topic: topicNumber, bytes: bytes)
                    let keyNumber = keyIndex[key] ?? Int32(keys.count)
                    if keyNumber == keys.count {
                        keyIndex[key] = keyNumber
                        keys.append(key)
                    }
                    subjects.append(
                        Subject(
                            portal: Int32(portalNumber),
                            body: Int32(bodies.count - 1),
                            entity: Int32(entity),
                            key: keyNumber
                        )
                    )
                    weights.append(kind.weight)
                }
            }
        }
        guard !subjects.isEmpty else {
            throw SimulationError(
                "the portals have webhook tokens only, and webhooks send none of these events; choose others"
            )
        }
        lanes = Array(repeating: Lane(), count: min(settings.connections, keys.count))
        for (index, subject) in subjects.enumerated() {
            let lane = Int(subject.key) % lanes.count
            lanes[lane].subjects.append(Int32(index))
            lanes[lane].weights.append((lanes[lane].weights.last ?? 0) + UInt64(weights[index]))
        }
    }
}

/// Asks the very code of the bridge what it makes of an event.
private struct ExpectedRecord {
    private var form = BracketForm()
    private var normalizer: Normalizer
    private var record = EventRecord()
    private var random = FastRandom()
    private var body: [UInt8] = []

    init(_ settings: SimulationSettings) {
        normalizer = Normalizer(topic: settings.topic, key: settings.key, mode: settings.mode, replica: nil)
    }

    mutating func render(
        _ template: EventBody,
        _ entity: Int,
        of portal: SimulatedPortal
    ) throws(SimulationError) -> (topic: [UInt8], key: [UInt8]) {
        body.removeAll(keepingCapacity: true)
        template.write(EventBody.Values(entity: entity, number: 0, time: 1), random: &random, into: &body)
        do {
            try body.withUnsafeBytes { try form.decode($0) }
            guard case .event(let event) = InboundCall(form) else {
                throw SimulationError("portal \(portal.memberID): its events would not be taken for events")
            }
            let time = Timestamp(milliseconds: 0)
            var ids = EnvelopeIDGenerator()
            let receipt = Receipt(id: ids.next(at: time), receivedAt: time, origin: .online)
            try normalizer.normalize(event, of: form, domain: portal.domain, receipt: receipt, into: &record)
        } catch {
            throw SimulationError("portal \(portal.memberID): \(error)")
        }
        return (record.topic, record.key)
    }
}
