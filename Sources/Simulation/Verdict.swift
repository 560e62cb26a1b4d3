/// What a ledger proves.
struct Verdict: Sendable {
    /// What must not happen. The raw values are keys of the JSON report.
    enum Must: String, CaseIterable, Sendable {
        case acknowledgedMissing, neverSent, severalIDs, sharedIDs, wrongKey, wrongTopic, wrongMode, orderViolations
    }

    typealias Example = SimulationReport.Example

    private(set) var counts: [Must: Int] = [:]
    /// The first few of each.
    private(set) var examples: [Must: [Example]] = [:]
    /// Delivered although they were refused or not answered. That is allowed: nobody promised anything.
    private(set) var deliveredUnacknowledged = 0

    var isGood: Bool { counts.values.allSatisfy { $0 == 0 } }

    init(_ ledger: Ledger, plan: EventPlan) {
        for must in Must.allCases { counts[must] = 0 }
        /// For each key the latest place of an acknowledged event.
        var latest = [UInt32](repeating: 0, count: plan.keys.count)
        for number in 0..<ledger.end {
            guard let outcome = ledger.outcome(of: number) else { continue }
            func note(_ must: Must) {
                counts[must, default: 0] += 1
                guard examples[must, default: []].count < Ledger.mostExamples else { return }
                examples[must, default: []].append(Example(number, ledger, plan))
            }
            let faults = ledger.faults(of: number)
            if faults.contains(.severalIDs) { note(.severalIDs) }
            if faults.contains(.wrongKey) { note(.wrongKey) }
            if faults.contains(.wrongTopic) { note(.wrongTopic) }
            if faults.contains(.wrongMode) { note(.wrongMode) }
            guard let place = ledger.place(of: number) else {
                if outcome == .acknowledged { note(.acknowledgedMissing) }
                continue
            }
            guard outcome == .acknowledged else {
                // It may have been received any time after it was posted, so its place says nothing.
                deliveredUnacknowledged += 1
                continue
            }
            // Numbers of one key were posted in this order, each after the answer to the one before.
            let key = Int(plan.subjects[Int(ledger.subject(of: number))].key)
            if place < latest[key] { note(.orderViolations) }
            latest[key] = max(latest[key], place)
        }
        counts[.neverSent] = ledger.neverSent
        examples[.neverSent] = ledger.neverSentExamples.map {
            Example(number: $0.number, portal: nil, topic: $0.topic, key: $0.key)
        }
        counts[.sharedIDs] = ledger.sharedIDs()
    }
}

extension SimulationReport.Example {
    fileprivate init(_ number: Int, _ ledger: Ledger, _ plan: EventPlan) {
        let subject = ledger.subject(of: number)
        let key = plan.key(of: subject)
        self.number = number
        portal = plan.portals[Int(plan.subjects[Int(subject)].portal)].memberID
        topic = plan.topics[Int(key.topic)]
        self.key = String(decoding: key.bytes, as: UTF8.self)
    }
}
