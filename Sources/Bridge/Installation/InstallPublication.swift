internal import Bitrix24
internal import Foundation
internal import Journal

/// Publishes the event of an installation that was verified, as the receiver would have published it at its receipt.
struct InstallPublication: Sendable {
    enum Result: Equatable {
        case committed
        /// The journal takes no record of this topic now.
        case refused
        /// It is no event that can be published; the receiver would not have taken it either.
        case unpublishable
    }

    let settings: BridgeSettings
    let writer: JournalWriter
    let parkingGate: ParkingGate

    /// - Parameter domain: the portal's, as the authorization server says.
    func publish(_ call: UnverifiedCall, domain: String) async -> Result {
        var form = BracketForm()
        let isForm: Void? = try? form.decode(Array(call.body))
        guard isForm != nil, case .event(let event) = InboundCall(form), let id = EnvelopeID(call.id) else {
            return .unpublishable
        }
        var normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: settings.replica
        )
        let receipt = Receipt(
            id: id,
            receivedAt: Timestamp(milliseconds: call.receivedAt),
            origin: .online,
            traceparent: call.traceparent
        )
        var record = EventRecord()
        do throws(RedactionError) {
            try normalizer.normalize(event, of: form, domain: domain, receipt: receipt, into: &record)
        } catch {
            return .unpublishable
        }
        let isOversized = record.bytes > settings.kafka.maxRecordBytes
        if parkingGate.refuses(topic: record.topic, isSingle: isOversized) { return .refused }
        var payload: [UInt8] = []
        let stamp = StoredRecord.encode(record, flags: isOversized ? .oversized : [], into: &payload)
        return await writer.append([JournalWriter.Record(payload: payload, stamp: stamp)]) == 1 ? .committed : .refused
    }
}
