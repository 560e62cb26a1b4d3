internal import Bitrix24
internal import CoreMetrics
internal import Foundation

/// Makes of an event that waited what the receiver would make of it if it came now, but with the id and the time of its
/// receipt.
struct WaitingJudge {
    struct Result {
        /// The record, or its dead letter, or both.
        var records: [JournalWriter.Record] = []
        /// The event says that the application was taken off.
        var farewell: UnverifiedCall?
    }

    private let intake: IntakeContext
    private let portals: PortalDirectory
    private var normalizer: Normalizer
    private var form = BracketForm()
    private var record = EventRecord()
    private(set) var admitted = 0
    /// When the last of those that were admitted was received, in milliseconds since 1970.
    private(set) var admittedAt: Int64 = 0

    init(intake: IntakeContext, portals: PortalDirectory) {
        self.intake = intake
        self.portals = portals
        let settings = intake.settings
        normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: settings.replica
        )
    }

    /// `nil`: it cannot go on now, for a reason that passes.
    mutating func judge(_ waiting: WaitingEvent) -> Result? {
        let letter = waiting.letter.withUnsafeBytes { bytes in StoredRecord(bytes).map { DeadLetter($0) } }
        guard let letter, let id = letter.id, let receivedAt = letter.receivedAt, let pairs = letter.pairs,
            let digest = letter.tokenDigest.flatMap({ TokenDigest(hexadecimal: $0.utf8) }),
            (try? form.decode(deadLetterPairs: pairs)) != nil, case .event(let event) = InboundCall(form)
        else { return Result() }
        switch portals.admit(event, digest: digest) {
        case .admitted(let portal, let origin):
            let receipt = Receipt(
                id: id,
                receivedAt: receivedAt,
                origin: origin,
                traceparent: waiting.traceparent
            )
            return admit(event, of: portal, receipt)
        case .refused(let refusal):
            intake.metrics.refused(refusal.reason)
            return Result(records: deadLetter(of: event, refusal.reason, digest, receivedAt, id))
        case .awaitingToken: return nil
        case .unprovenPayment: return Result()
        }
    }

    private mutating func admit(_ event: InboundEvent, of portal: Portal, _ receipt: Receipt) -> Result? {
        let isWritten: Void? = try? normalizer.normalize(
            event,
            of: form,
            domain: portal.domain,
            receipt: receipt,
            into: &record
        )
        guard isWritten != nil else { return Result() }
        let isOversized = record.bytes > intake.settings.kafka.maxRecordBytes
        if intake.parkingGate.refuses(topic: record.topic, isSingle: isOversized) { return nil }
        var result = Result(records: [stored(isOversized ? .oversized : [])])
        if isOversized { result.records += deadLetter(of: event, .tooLarge, nil, receipt.receivedAt, receipt.id) }
        if event.code == "ONAPPUNINSTALL" {
            result.farewell = UnverifiedCall(
                id: receipt.id,
                kind: .farewell,
                receivedAt: receipt.receivedAt,
                memberID: event.memberID,
                body: Data()
            )
        }
        intake.signalWakeUp(event, origin: receipt.origin)
        admitted += 1
        admittedAt = receipt.receivedAt.milliseconds
        intake.metrics.admitted[receipt.origin.rawValue]?.increment()
        return result
    }

    /// Within its budget, and without its body where that is too large, as the receiver writes them.
    private mutating func deadLetter(
        of event: InboundEvent,
        _ reason: DeadLetterReason,
        _ digest: TokenDigest?,
        _ receivedAt: Timestamp,
        _ id: EnvelopeID
    ) -> [JournalWriter.Record] {
        for withBody in reason == .tooLarge ? [false] : [true, false] {
            let isWritten: Void? = try? normalizer.deadLetter(
                event,
                of: form,
                topic: intake.settings.kafka.deadLetterTopic,
                reason: reason,
                receivedAt: receivedAt,
                tokenDigest: digest,
                id: id,
                withBody: withBody,
                into: &record
            )
            guard isWritten != nil else { break }
            let stored = stored([])
            guard stored.payload.count <= intake.settings.kafka.maxRecordBytes else { continue }
            guard intake.deadLetterBudget.take(stored.payload.count, portal: event.memberID) else {
                intake.droppedLetters.add(.overBudget)
                return []
            }
            intake.metrics.deadLetters[reason.rawValue]?.increment()
            return [stored]
        }
        intake.droppedLetters.add(.tooLarge)
        return []
    }

    private func stored(_ flags: StoredRecord.Flags) -> JournalWriter.Record {
        var payload: [UInt8] = []
        let stamp = StoredRecord.encode(record, flags: flags, into: &payload)
        return JournalWriter.Record(payload: payload, stamp: stamp)
    }
}
