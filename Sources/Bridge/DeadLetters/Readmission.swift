package import Bitrix24

/// Decides of dead letters whether the portals of today admit them, and writes the records that the receiver would have
/// written. Holds scratch memory, so confined to one thread.
package struct Readmission {
    package enum Verdict: Sendable, Equatable {
        case admitted(EventOrigin)
        case left(Obstacle)
    }

    /// Why a letter stays where it is.
    package enum Obstacle: String, Sendable, CaseIterable, CustomStringConvertible {
        case tooLarge = "too-large"
        case otherReason = "other-reason"
        case noToken = "no-token"
        case noBody = "no-body"
        case notALetter = "not-a-letter"
        case portalUnknown = "portal-unknown"
        case tokenUnknown = "token-unknown"
        case needsApplication = "needs-application"
        case recordTooLarge = "record-too-large"

        package var description: String {
            switch self {
            case .tooLarge: "was admitted, and its record is parked in the journal; this only announces it"
            case .otherReason: "was refused for a reason that no token mends"
            case .noToken: "came without a token"
            case .noBody: "was too large to be kept with its body"
            case .notALetter: "is no dead letter of a bridge"
            case .portalUnknown: "its portal is not among the portals"
            case .tokenUnknown: "no token of its portal is the one it came with"
            case .needsApplication: "came with the token of a webhook, which may not send this event"
            case .recordTooLarge: "its record would be over kafka.maxRecordBytes"
            }
        }
    }

    /// Under which the ids of letters are derived that were given none. Never to be changed: the ids would.
    static let namespace = EnvelopeID(high: 0x0730_07DD_842A_4432, low: 0x9B0C_476F_E762_F018)

    private let portals: PortalDirectory
    private let settings: BridgeSettings
    private var normalizer: Normalizer
    private var form = BracketForm()

    package init(settings: BridgeSettings, portals: PortalDirectory) {
        self.settings = settings
        self.portals = portals
        normalizer = Normalizer(
            topic: settings.kafka.topic,
            key: settings.kafka.key,
            mode: settings.kafka.mode,
            replica: nil
        )
    }

    /// Writes the record of an admitted letter over what `record` held.
    ///
    /// The record is the receiver's but for `sequence`, which only a journal gives. Id and time of receipt are the letter's,
    /// so they are the same each time; a letter without an id gets one that is derived from its place.
    package mutating func judge(_ letter: DeadLetter, into record: inout EventRecord) -> Verdict {
        switch DeadLetterReason(rawValue: letter.reason) {
        case .unknownPortal, .badToken, .gonePortal: break
        case .tooLarge: return .left(.tooLarge)
        case .unusableRow: return .left(.otherReason)
        case nil: return .left(.otherReason)
        }
        guard let receivedAt = letter.receivedAt, let pairs = letter.pairs else { return .left(.notALetter) }
        guard let hexadecimal = letter.tokenDigest else { return .left(.noToken) }
        guard let digest = TokenDigest(hexadecimal: hexadecimal.utf8) else { return .left(.notALetter) }
        guard !pairs.isEmpty else { return .left(.noBody) }
        guard (try? form.decode(deadLetterPairs: pairs)) != nil, case .event(let event) = InboundCall(form) else {
            return .left(.notALetter)
        }
        switch portals.admit(event, digest: digest) {
        case .refused(let refusal): return .left(obstacle(refusal, event, digest))
        case .unprovenPayment: return .left(.noToken)
        case .awaitingToken: return .left(.tokenUnknown)
        case .admitted(let portal, let origin):
            let receipt = Receipt(
                id: letter.id ?? derivedID(of: letter, receivedAt),
                receivedAt: receivedAt,
                origin: origin
            )
            let isWritten: Void? = try? normalizer.normalize(
                event,
                of: form,
                domain: portal.domain,
                receipt: receipt,
                into: &record
            )
            guard isWritten != nil else { return .left(.notALetter) }
            guard record.bytes <= settings.kafka.maxRecordBytes else { return .left(.recordTooLarge) }
            return .admitted(origin)
        }
    }

    private func obstacle(_ refusal: Admission.Refusal, _ event: InboundEvent, _ digest: TokenDigest) -> Obstacle {
        if refusal.reason == .unknownPortal { return .portalUnknown }
        return event.needsApplication && portals[event.memberID]?.hasWebhook(digest) == true
            ? .needsApplication : .tokenUnknown
    }

    private func derivedID(of letter: DeadLetter, _ receivedAt: Timestamp) -> EnvelopeID {
        EnvelopeID(
            derivedFrom:
                "\(settings.kafka.deadLetterTopic)/\(letter.partition)/\(letter.offset)/\(receivedAt.milliseconds)",
            in: Self.namespace
        )
    }
}
