internal import KafkaClient

/// What one replica tells the one that drains, and how it stands in the registry's topic.
///
/// Its record is a tombstone with a key that is no member_id, as it has a blank: compaction keeps one of a portal for
/// `delete.retention.ms` and then none. A bridge that knows no such records takes it for a portal that was taken out before
/// all time, which changes nothing and is written nowhere.
enum OfflineWord: Sendable, Equatable {
    /// The portal's queue has something.
    case portal(String)
    /// Any queue may have something that nobody told of.
    case everyPortal(because: String)

    static let header = "wake"
    private static let reasonHeader = "because"
    private static let keyPrefix = "offline "
    private static let portalKind = "portal"
    private static let everyPortalKind = "every-portal"

    /// Of its record.
    var key: String {
        switch self {
        case .portal(let memberID): Self.keyPrefix + memberID
        case .everyPortal: Self.keyPrefix
        }
    }

    var headers: [(name: String, value: String)] {
        // Older than any change.
        let removed = (RegistryRecord.removedHeader, RegistryStamp(time: .min, replica: "").text)
        switch self {
        case .portal: return [(Self.header, Self.portalKind), removed]
        case .everyPortal(let reason):
            return [(Self.header, Self.everyPortalKind), (Self.reasonHeader, reason), removed]
        }
    }

    /// Whether the record is word of some kind, and so nothing that the registry keeps.
    static func isRecord(_ record: ConsumedRecord) -> Bool { record.headers.contains { $0.name == header } }

    /// `nil`: of a kind that a newer bridge knows.
    init?(_ record: ConsumedRecord) {
        guard let kind = record.header(Self.header).map({ String(decoding: $0, as: UTF8.self) }),
            let key = record.key.map({ String(decoding: $0, as: UTF8.self) }), key.hasPrefix(Self.keyPrefix)
        else { return nil }
        let memberID = String(key.dropFirst(Self.keyPrefix.count))
        switch kind {
        case Self.portalKind where RegistryRecord.isMemberID(memberID): self = .portal(memberID)
        case Self.everyPortalKind:
            let reason = record.header(Self.reasonHeader).map { String(decoding: $0, as: UTF8.self) }
            self = .everyPortal(because: reason ?? "")
        default: return nil
        }
    }
}
