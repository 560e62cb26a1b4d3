/// One change that a portal has noted for the application: the last one of an object and event.
///
/// Source: b24restdocs, api-reference/events/event-offline-get.md and event-offline-list.md
package struct OfflineRow: Sendable, Equatable {
    /// Empty in a row that has none, as are `event`, `changedAt` and `messageID`.
    package let id: String
    /// When it was last changed, RFC 3339 in the portal's zone, as sent.
    package let changedAt: String
    /// The event's code as sent.
    package let event: String
    /// `nil`: there is none; Bitrix24 then sends `false`.
    package let data: JSONValue?
    /// Who caused the change.
    package let userID: String?
    /// The same for the same event and data, so not unique over time.
    package let messageID: String
    /// Under which somebody has reserved it. `nil`: nobody has, or the method does not tell.
    package let processID: String?
    /// It was marked as one that could not be processed.
    package let isErroneous: Bool

    init(_ json: JSONValue) {
        func text(_ name: String) -> String { json[name]?.text ?? "" }
        id = text("ID")
        changedAt = text("TIMESTAMP_X")
        event = text("EVENT_NAME")
        switch json["EVENT_DATA"] {
        case nil, .null, .bool(false): data = nil
        case let data?: self.data = data
        }
        let userID = json["EVENT_ADDITIONAL"]?["user_id"]?.text ?? ""
        self.userID = userID.isEmpty ? nil : userID
        messageID = text("MESSAGE_ID")
        let processID = text("PROCESS_ID")
        self.processID = processID.isEmpty ? nil : processID
        isErroneous = json["ERROR"]?.flag ?? false
    }

    /// A list of rows as PHP writes it: an empty one may be `[]` or `{}`, and one whose keys have gaps is an object.
    ///
    /// - Returns: `nil` for what is none, so that "nothing" is never read out of something else.
    static func list(_ json: JSONValue?) -> [OfflineRow]? {
        switch json {
        case .array(let rows): rows.map(OfflineRow.init)
        case .object(let rows):
            rows.allSatisfy { Int($0.key) != nil }
                ? rows.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) }.map { OfflineRow($0.value) } : nil
        default: nil
        }
    }
}

/// Rows that are reserved together: nobody else gets them until they are cleared or marked.
package struct OfflineReservation: Sendable, Equatable {
    /// Empty: the portal has not kept the rows, so this is the last of them, and there is nothing to clear or to mark. It
    /// should not happen.
    package let processID: String
    /// In the portal's order. Empty: there are no more.
    package let rows: [OfflineRow]
}

/// A page of the queue, reserved and erroneous rows included.
package struct OfflineListing: Sendable, Equatable {
    package let rows: [OfflineRow]
    /// Of all pages.
    package let total: Int
    /// Where the next page starts.
    package let next: Int?

    /// A page that starts at `start`. A portal that does not tell `total` has no more than is seen.
    ///
    /// - Returns: `nil` for what is no list of rows.
    init?(_ json: JSONValue?, from start: Int = 0, total: Int?, next: Int?) {
        guard let rows = OfflineRow.list(json) else { return nil }
        self.rows = rows
        self.total = total ?? start + rows.count
        self.next = next
    }
}
