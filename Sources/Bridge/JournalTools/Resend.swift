internal import Bitrix24
package import Journal
package import KafkaClient

/// Sends records of the main journal once more, delivered or not: the same bytes, so the same ids. Reads only, so it may
/// run beside the bridge, whose undelivered records it then leaves alone.
package struct Resend {
    package struct Result: Sendable, Encodable {
        package struct Topic: Sendable, Encodable {
            package var topic: String
            package var records: Int
            package var error: String?
        }

        /// Records that Kafka confirmed; in a dry run those that would be sent.
        package var sent: [Topic] = []
        package var refused: [Topic] = []
        /// In the range, but not delivered yet by the bridge that runs there.
        package var leftToBridge = 0
        package var undecodable = 0
        package var damagedBytes = 0
        /// The oldest record held is younger than the range's beginning.
        package var reachesBackTo: String?
        /// Why it ended before everything was sent.
        package var stopped: String?

        package var records: Int { sent.reduce(0) { $0 + $1.records } }
    }

    let directory: JournalDirectory
    let filter: RecordFilter
    let timeout: Duration

    /// - Parameter timeout: It gives up when Kafka confirmed nothing for so long.
    package init(_ site: JournalSite, filter: RecordFilter, timeout: Duration) {
        directory = site.parts[0].directory
        self.filter = filter
        self.timeout = timeout
    }

    private var segments: [JournalDirectory.Segment] { directory.segments(from: filter.lowestPosition) }

    /// Bytes that a run will read.
    package var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }

    /// What `run` would send.
    package func count(progress: (Int) -> Void) throws(JournalError) -> Result {
        var result = Result()
        var table = TallyTable()
        _ = try walk(&result, progress) { _, _, stored in
            table.update(stored.topic) { $0.records += 1 }
            return true
        }
        result.sent = table.rows.map {
            Result.Topic(topic: String(decoding: $0.key, as: UTF8.self), records: $0.tally.records)
        }
        if let others = table.others { result.sent.append(Result.Topic(topic: "(others)", records: others.records)) }
        result.sent.sort { $0.topic < $1.topic }
        return result
    }

    /// Returns when every record has its delivery report, or when nothing more is to be expected. Blocks.
    ///
    /// - Parameters:
    ///   - isStopped: Asked now and then; nothing more is sent once it says so.
    ///   - progress: Called with the bytes read and the number of records confirmed so far.
    /// - Throws: `JournalError` or `KafkaConfigurationError`.
    package func run(
        with producer: ProducerConfiguration,
        isStopped: @escaping () -> Bool,
        progress: (_ bytes: Int, _ confirmed: Int) -> Void
    ) throws -> Result {
        var result = Result()
        let sending = try Sending(producer, timeout: timeout, isStopped: isStopped)
        defer { sending.close() }
        let isWhole = try walk(&result) {
            progress($0, sending.confirmedRecords)
        } body: { block, index, stored in
            sending.send(block, index, stored)
        }
        if isWhole { sending.waitForReports { progress(bytes, sending.confirmedRecords) } }
        (result.sent, result.refused, result.stopped) = (sending.confirmed, sending.refused, sending.stopped)
        return result
    }

    private func walk(
        _ result: inout Result,
        _ progress: (Int) -> Void,
        body: (RecordBlock, Int, StoredRecord) -> Bool
    ) throws(JournalError) -> Bool {
        var done = 0
        var isFirst = segments.first?.number == directory.segments.first?.number
        return try directory.read(segments) { bytes in
            done += bytes
            progress(done)
        } _: { _, finding in
            if case .damage(let range) = finding { result.damagedBytes += range.count }
            guard case .records(let block) = finding else { return true }
            for index in 0..<block.count {
                let record = block[index]
                if isFirst {
                    isFirst = false
                    if record.position > .first, filter.beginsBefore(record) {
                        result.reachesBackTo = "position \(record.position.rawValue), \(Moment(record.appendedAt))"
                    }
                }
                guard filter.admits(record) else { continue }
                guard let stored = StoredRecord(record.payload) else {
                    result.undecodable += 1
                    continue
                }
                guard filter.admits(stored) else { continue }
                if directory.isInUse, directory.isUndelivered(record.position) {
                    result.leftToBridge += 1
                } else if !body(block, index, stored) {
                    return false
                }
            }
            return true
        }
    }
}

extension RecordFilter {
    fileprivate func beginsBefore(_ record: JournalRecord) -> Bool {
        switch from {
        case .none: true
        case .position(let position): position < record.position.rawValue
        case .time(let time): time < record.receivedAt
        }
    }
}
