/// One subscription of the application at a portal. Two are equal when Bitrix24 takes them for the same.
///
/// Source: b24restdocs, api-reference/events/event-bind.md
package struct EventBinding: Sendable, Hashable {
    /// In upper case.
    package let event: String
    /// Where the event is posted to; `nil` for an offline one.
    package let handler: String?
    /// Whose tokens come with the event; 0: of the user who caused it.
    package let authType: Int64
    /// Offline: the name of the queue, empty for the one without a name.
    package let connector: String

    package var isOffline: Bool { handler == nil }

    package init(event: String, handler: String, authType: Int64 = 0) {
        self.event = event.uppercased()
        self.handler = handler
        self.authType = authType
        connector = ""
    }

    package init(offline event: String, connector: String = "", authType: Int64 = 0) {
        self.event = event.uppercased()
        handler = nil
        self.authType = authType
        self.connector = connector
    }

    /// As `event.get` has it; `nil` for what is none.
    init?(_ json: JSONValue) {
        guard let event = json["event"]?.text, !event.isEmpty else { return nil }
        let authType = json["auth_type"]?.integer ?? 0
        if json["offline"]?.flag == true {
            self.init(offline: event, connector: json["connector_id"]?.text ?? "", authType: authType)
        } else if let handler = json["handler"]?.text {
            self.init(event: event, handler: handler, authType: authType)
        } else {
            return nil
        }
    }

    /// For `event.bind` and `event.unbind`.
    var parameters: [String: JSONValue] {
        var parameters: [String: JSONValue] = ["event": .string(event)]
        if let handler {
            parameters["handler"] = .string(handler)
        } else {
            parameters["event_type"] = "offline"
            if !connector.isEmpty { parameters["auth_connector"] = .string(connector) }
        }
        if authType != 0 { parameters["auth_type"] = .int(authType) }
        return parameters
    }
}
