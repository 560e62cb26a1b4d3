import Bitrix24

/// What `data` holds in events of one code, after the shapes that Bitrix24 documents
/// (https://github.com/bitrix24/b24restdocs, the page of each event).
struct EventShape: Sendable {
    enum Value: Sendable, Equatable {
        case text(String)
        /// The number by which events of one object are told from those of another; it orders them.
        case entity
        /// A number that no other event has.
        case unique
    }

    /// Paths below `data`, and what stands there.
    let fields: [(path: [String], value: Value)]

    /// - Returns: `nil` when `data` is no map of names, so that no marker fits in.
    init?(of code: String) {
        switch code {
        case "ONTASKADD", "ONTASKUPDATE":
            self.init([
                "FIELDS_BEFORE": code == "ONTASKADD" ? .text("undefined") : nil,
                "FIELDS_BEFORE.ID": code == "ONTASKADD" ? nil : .entity,
                "FIELDS_AFTER.ID": .entity, "IS_ACCESSIBLE_BEFORE": .text("N"),
                "IS_ACCESSIBLE_AFTER": .text("undefined"),
            ])
        case "ONTASKCOMMENTADD":
            self.init([
                "FIELDS_BEFORE": .text("undefined"), "FIELDS_AFTER.ID": .text("0"), "FIELDS_AFTER.MESSAGE_ID": .unique,
                "FIELDS_AFTER.TASK_ID": .entity, "IS_ACCESSIBLE_BEFORE": .text("N"),
                "IS_ACCESSIBLE_AFTER": .text("undefined"),
            ])
        case "ONCRMDEALMOVETOCATEGORY":
            self.init([
                "FIELDS.ID": .entity, "FIELDS.CATEGORY_ID": .text("1"), "FIELDS.STAGE_ID": .text("C1:NEW"),
            ])
        case "ONCRMDYNAMICITEMADD", "ONCRMDYNAMICITEMUPDATE", "ONCRMDYNAMICITEMDELETE":
            self.init(["FIELDS.ID": .entity, "FIELDS.ENTITY_TYPE_ID": .text("1220")])
        case "ONOPENLINEMESSAGEADD":
            self.init([
                "DATA.0.connector.connector_id": .text("livechat"), "DATA.0.connector.line_id": .text("128"),
                "DATA.0.connector.chat_id": .text("10587"), "DATA.0.connector.user_id": .text("1985"),
                "DATA.0.chat.id": .text("10585"), "DATA.0.message.id": .entity, "DATA.0.message.date": .text(""),
                "DATA.0.message.text": .text("Здравствуйте! Скидка 50% + 10% = ? a&b=c 😀"),
                "DATA.0.message.attach": .text(""), "DATA.0.message.system": .text("N"),
                "DATA.0.message.user_id": .text("1985"), "DATA.0.extra.EXTRA_URL": .text(""),
            ])
        case "ONIMCONNECTORMESSAGEADD", "ONIMCONNECTORMESSAGEUPDATE":
            self.init([
                "CONNECTOR": .text("myconnector"), "LINE": .text("107"), "MESSAGES.0.im.chat_id": .entity,
                "MESSAGES.0.im.message_id": .unique, "MESSAGES.0.message.id.0": .text("ext-msg-005"),
                "MESSAGES.0.message.text": .text("[b]Klaus Weber:[/b][br] What questions do you have?"),
                "MESSAGES.0.chat.id": .text("channel-123"),
            ])
        default:
            self.init(fromCatalog: EventCatalog.standard.eventType(for: code) ?? EventCatalog.unknown)
        }
    }

    private init(_ fields: KeyValuePairs<String, Value?>) {
        self.fields = fields.compactMap { path, value in
            value.map { (path.split(separator: ".").map(String.init), $0) }
        }
    }

    /// The places where the catalog looks for an id, and nothing else, as in most events of Bitrix24.
    private init?(fromCatalog type: EventType) {
        func places(_ path: ValuePath) -> [[String]]? {
            var places: [[String]] = []
            for part in path.partsOfFirstAlternative where !part.isEmpty {
                guard part.first == "data", part.count > 1 else { return nil }
                places.append(Array(part.dropFirst()))
            }
            return places
        }
        guard let id = places(type.idPath), let order = places(type.orderPath) else { return nil }
        let orders = order.map { ($0, Value.entity) }
        // What orders the event may be a part of its id.
        let ids = id.filter { !order.contains($0) }.map { ($0, order.isEmpty ? Value.entity : .unique) }
        fields = ids + orders
    }
}
