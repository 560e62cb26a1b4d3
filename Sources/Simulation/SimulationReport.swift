/// How a run went.
package struct SimulationReport: Sendable, Encodable {
    package enum End: String, Sendable, Encodable {
        /// As many events, or for as long, as asked.
        case complete
        /// By a signal.
        case stopped
        /// Nobody answered any more.
        case noAnswer
    }

    package struct AnswerTimes: Sendable, Encodable {
        package let p50: Double
        package let p99: Double
        package let max: Double
    }

    /// An event that shows what is wrong.
    package struct Example: Sendable, Encodable {
        package let number: Int
        /// The portal's member_id; absent for a record of an event that was never sent.
        package let portal: String?
        package let topic: String
        package let key: String
    }

    /// What was found in Kafka.
    package struct Delivery: Sendable {
        /// Events with at least one record.
        package let delivered: Int
        package let duplicates: Int
        package let deliveredUnacknowledged: Int
        package let skippedOffsets: Int64
        /// What stands in the reader's way at the end.
        package let readerComplaint: String?
        /// By name, in the order of a report; all must be 0.
        package let musts: [(name: String, count: Int)]
        package let examples: [String: [Example]]

        package var isGood: Bool { musts.allSatisfy { $0.count == 0 } }
    }

    package let run: String
    package let url: String
    package let portals: Int
    package let keys: Int
    package let connections: Int
    package let rate: Double?
    /// Of sending.
    package let seconds: Double
    package let end: End
    package let sent: Int
    package let acknowledged: Int
    package let refused: Int
    package let refusedByStatus: [Int: Int]
    package let unanswered: Int
    package let notConnected: Int
    /// At a rate: events that were due and not posted.
    package let notPosted: Int
    /// Milliseconds; `nil` when nothing was answered.
    package let answerMilliseconds: AnswerTimes?
    package let lastFailure: String?
    /// `nil`: it was not looked at.
    package let delivery: Delivery?

    package var isGood: Bool { acknowledged > 0 && end != .noAnswer && delivery?.isGood ?? true }

    private enum Key: String, CodingKey {
        case run, verdict, end, url, portals, keys, connections, rate, seconds, sent, acknowledged, refused,
            refusedByStatus, unanswered, notConnected, notPosted, lastFailure, answerMilliseconds, verified, delivered,
            duplicates, deliveredUnacknowledged, skippedOffsets, readerComplaint, examples
    }

    private struct MustKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(run, forKey: .run)
        try values.encode(!isGood ? "bad" : delivery == nil ? "unverified" : "good", forKey: .verdict)
        try values.encode(end, forKey: .end)
        try values.encode(url, forKey: .url)
        try values.encode(portals, forKey: .portals)
        try values.encode(keys, forKey: .keys)
        try values.encode(connections, forKey: .connections)
        try values.encode(rate, forKey: .rate)
        try values.encode(seconds, forKey: .seconds)
        try values.encode(sent, forKey: .sent)
        try values.encode(acknowledged, forKey: .acknowledged)
        try values.encode(refused, forKey: .refused)
        let byStatus = Dictionary(uniqueKeysWithValues: refusedByStatus.map { ("\($0)", $1) })
        try values.encode(byStatus, forKey: .refusedByStatus)
        try values.encode(unanswered, forKey: .unanswered)
        try values.encode(notConnected, forKey: .notConnected)
        try values.encode(notPosted, forKey: .notPosted)
        try values.encodeIfPresent(lastFailure, forKey: .lastFailure)
        try values.encode(answerMilliseconds, forKey: .answerMilliseconds)
        try values.encode(delivery != nil, forKey: .verified)
        guard let delivery else { return }
        try values.encode(delivery.delivered, forKey: .delivered)
        try values.encode(delivery.duplicates, forKey: .duplicates)
        try values.encode(delivery.deliveredUnacknowledged, forKey: .deliveredUnacknowledged)
        try values.encode(delivery.skippedOffsets, forKey: .skippedOffsets)
        try values.encodeIfPresent(delivery.readerComplaint, forKey: .readerComplaint)
        try values.encode(delivery.examples, forKey: .examples)
        var musts = encoder.container(keyedBy: MustKey.self)
        for must in delivery.musts { try musts.encode(must.count, forKey: MustKey(must.name)) }
    }
}

extension SimulationReport.Delivery {
    init(_ ledger: Ledger, _ verdict: Verdict, reader: DeliveryReader.Status) {
        delivered = ledger.delivered
        duplicates = ledger.duplicates
        deliveredUnacknowledged = verdict.deliveredUnacknowledged
        skippedOffsets = reader.skippedOffsets
        readerComplaint = reader.complaint
        musts = Verdict.Must.allCases.map { ($0.rawValue, verdict.counts[$0] ?? 0) }
        examples = Dictionary(
            uniqueKeysWithValues: verdict.examples.filter { !$0.value.isEmpty }.map { ($0.rawValue, $1) }
        )
    }
}
