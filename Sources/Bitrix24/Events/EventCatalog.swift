/// One kind of event: a row of `event-catalog.tsv`. A class, because each event refers to one and none changes it.
package final class EventType: Sendable {
    /// Upper case, as on the wire.
    package let code: String
    /// Lower case with dots, for example `crm.deal`. Legal in a Kafka topic name.
    package let entity: String
    package let action: String
    /// The REST scope in which the event can be bound.
    package let scope: String
    /// Where the object's id stands. No alternatives: the event concerns the portal, not an object.
    package let idPath: ValuePath
    /// What orders the event where that is not the object itself: a comment's task, a message's chat.
    package let orderPath: ValuePath
    /// Page in the repository https://github.com/bitrix24/b24restdocs. `nil`: not documented.
    package let documentationPage: String?
    /// The CloudEvents `type`.
    package let cloudEventType: String

    /// The same in UTF-8, as they are written.
    let entityBytes: [UInt8]
    let actionBytes: [UInt8]
    let scopeBytes: [UInt8]
    let cloudEventTypeBytes: [UInt8]

    init(
        code: String,
        entity: String,
        action: String,
        scope: String,
        idPath: ValuePath,
        orderPath: ValuePath,
        documentationPage: String?
    ) {
        self.code = code
        self.entity = entity
        self.action = action
        self.scope = scope
        self.idPath = idPath
        self.orderPath = orderPath
        self.documentationPage = documentationPage
        cloudEventType = "com.bitrix24.\(entity).\(action)"
        entityBytes = Array(entity.utf8)
        actionBytes = Array(action.utf8)
        scopeBytes = Array(scope.utf8)
        cloudEventTypeBytes = Array(cloudEventType.utf8)
    }
}

/// All events that Bitrix24 is known to send, read once from the data file `event-catalog.tsv`.
///
/// A new event needs a new row there and nothing else. Source of the rows: the event pages of
/// https://github.com/bitrix24/b24restdocs (api-reference/events/index.md and its neighbours).
package struct EventCatalog: Sendable {
    package let eventTypes: [EventType]
    private let typeByCode: [String: EventType]

    /// What an event becomes that the catalog does not know: it flows all the same.
    package static let unknown = EventType(
        code: "",
        entity: "other",
        action: "unknown",
        scope: "unknown",
        idPath: ValuePath("data.FIELDS.ID|data.ID|data.id"),
        orderPath: .none,
        documentationPage: nil
    )

    package static let standard = EventCatalog(
        table: String(decoding: PackageResources.event_catalog_tsv, as: UTF8.self)
    )

    /// - Precondition: the table's rows have seven columns; the table is part of the program.
    init(table: String) {
        var types: [EventType] = []
        for line in table.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            precondition(
                columns.count == 7,
                "event-catalog.tsv: a row has \(columns.count) columns instead of 7: \(line)"
            )
            types.append(
                EventType(
                    code: columns[0],
                    entity: columns[1],
                    action: columns[2],
                    scope: columns[5],
                    idPath: ValuePath(columns[3]),
                    orderPath: ValuePath(columns[4]),
                    documentationPage: columns[6] == "-" ? nil : columns[6]
                )
            )
        }
        eventTypes = types
        typeByCode = Dictionary(uniqueKeysWithValues: types.map { ($0.code, $0) })
    }

    /// Exact code, then the code without `_<digits>` (a smart process has its number there), both in upper case.
    package func eventType(for upperCaseCode: String) -> EventType? {
        if let type = typeByCode[upperCaseCode] { return type }
        guard let underscore = upperCaseCode.utf8.lastIndex(of: UInt8(ascii: "_")) else { return nil }
        let suffix = upperCaseCode.utf8[upperCaseCode.utf8.index(after: underscore)...]
        guard !suffix.isEmpty, suffix.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return typeByCode[String(upperCaseCode[..<underscore])]
    }
}
