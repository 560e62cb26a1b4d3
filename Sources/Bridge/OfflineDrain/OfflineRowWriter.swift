internal import Bitrix24
internal import Bitrix24REST

/// Makes records of one portal's rows, by the code that makes those of posted events. Pure; holds scratch memory.
struct OfflineRowWriter {
    private let memberID: String
    private let domain: String
    private let deadLetterTopic: String
    private let maxRecordBytes: Int
    private var form = BracketForm()
    private var normalizer: Normalizer

    init(_ settings: BridgeSettings, memberID: String, domain: String) {
        self.memberID = memberID
        self.domain = domain
        deadLetterTopic = settings.kafka.deadLetterTopic
        maxRecordBytes = settings.kafka.maxRecordBytes
        // A row has no place in a journal, so its record has no `sequence`.
        normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: nil
        )
    }

    /// Writes the row's record over what `record` held.
    ///
    /// - Returns: why it is a dead letter. `nil`: it is the event.
    mutating func write(
        _ row: OfflineRow,
        fetchedAt: Timestamp,
        into record: inout EventRecord
    ) -> DeadLetterReason? {
        let id = row.eventID(of: memberID)
        guard (try? form.decode(row.form(of: memberID, domain: domain))) != nil else {
            writeDeadLetter(of: row, .unusableRow, fetchedAt, id, withBody: false, into: &record)
            return .unusableRow
        }
        // A row that cannot be named could not be cleared.
        guard let number = Int64(row.id), number > 0, case .event(let event) = InboundCall(form) else {
            writeDeadLetter(of: row, .unusableRow, fetchedAt, id, withBody: true, into: &record)
            return .unusableRow
        }
        let receipt = Receipt(id: id, receivedAt: fetchedAt, origin: .offline)
        do throws(RedactionError) {
            try normalizer.normalize(event, of: form, domain: domain, receipt: receipt, into: &record)
        } catch {
            writeDeadLetter(of: row, .unusableRow, fetchedAt, id, withBody: false, into: &record)
            return .unusableRow
        }
        guard record.bytes > maxRecordBytes else { return nil }
        writeDeadLetter(of: row, .tooLarge, fetchedAt, id, withBody: false, into: &record)
        return .tooLarge
    }

    /// The dead letter of a row whose record Kafka refuses for a reason of its own.
    mutating func writeDeadLetter(
        of row: OfflineRow,
        _ reason: DeadLetterReason,
        _ fetchedAt: Timestamp,
        into record: inout EventRecord
    ) {
        let isDecoded = (try? form.decode(row.form(of: memberID, domain: domain))) != nil
        let withBody = isDecoded && reason != .tooLarge
        writeDeadLetter(of: row, reason, fetchedAt, row.eventID(of: memberID), withBody: withBody, into: &record)
    }

    private mutating func writeDeadLetter(
        of row: OfflineRow,
        _ reason: DeadLetterReason,
        _ fetchedAt: Timestamp,
        _ id: EnvelopeID,
        withBody: Bool,
        into record: inout EventRecord
    ) {
        // Of an empty form there is nothing that could not be redacted.
        if !withBody { _ = try? form.decode([]) }
        let isWritten: Void? = try? normalizer.deadLetter(
            memberID: Array(memberID.utf8)[...],
            code: Array(row.event.utf8)[...],
            of: form,
            topic: deadLetterTopic,
            reason: reason,
            receivedAt: fetchedAt,
            tokenDigest: nil,
            id: id,
            withBody: withBody,
            into: &record
        )
        if withBody, isWritten == nil || record.bytes > maxRecordBytes {
            writeDeadLetter(of: row, reason, fetchedAt, id, withBody: false, into: &record)
        }
    }
}
