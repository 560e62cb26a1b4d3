internal import Bitrix24
internal import Foundation

/// b24restdocs, api-reference/events/event-bind.md and its neighbours.
extension PortalWorld {
    mutating func bindEvent(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application(let user) = caller else { return Self.wrongAuthType }
        switch wantedBinding(call.parameters, by: user) {
        case .failure(let refusal): return refusal.result
        case .success(var binding):
            if !binding.isOffline {
                if let refusal = Self.refusal(ofHandler: binding.handler ?? "") { return refusal }
            }
            // Somebody who is no administrator gets a binding of his own.
            if !Self.isAdministrator(user), binding.user == 0 { binding.user = user }
            guard portals[index].bind(binding) else {
                return .failure(400, "ERROR_CORE", "Unable to set event handler: Handler already binded")
            }
            if binding.isOffline, settings.offlineRows > 0, queues[index].rows.isEmpty {
                _ = addOfflineRows(settings.offlineRows, code: binding.event, first: nil, of: index)
            }
            return .result(true)
        }
    }

    mutating func unbindEvent(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application(let user) = caller else { return Self.wrongAuthType }
        let event = (call.parameters["event"]?.text ?? "").uppercased()
        guard !event.isEmpty else { return .failure(400, "ERROR_ARGUMENT", "Argument 'EVENT' is null or empty") }
        let isOffline = call.parameters["event_type"]?.text?.lowercased() == "offline"
        let handler = call.parameters["handler"]?.text ?? ""
        guard isOffline || !handler.isEmpty else {
            return .failure(400, "ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty")
        }
        let ofUser = call.parameters["auth_type"].map { Int($0.text ?? "") ?? 0 }
        let connector = call.parameters["auth_connector"]?.text
        let before = portals[index].bindings.count
        portals[index].bindings.removeAll { binding in
            binding.event == event && binding.isOffline == isOffline && (isOffline || binding.handler == handler)
                && (ofUser == nil || binding.user == ofUser) && (connector == nil || binding.connector == connector)
                && (Self.isAdministrator(user) || binding.user == user)
        }
        return .result(["count": .int(before - portals[index].bindings.count)])
    }

    func boundEvents(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application(let user) = caller else { return Self.wrongAuthType }
        let rows = portals[index].bindings.filter { Self.isAdministrator(user) || $0.user == user }
        return .result(
            .list(
                rows.map { binding in
                    guard let handler = binding.handler else {
                        return [
                            "event": .text(binding.event), "connector_id": .text(binding.connector), "offline": 1,
                        ]
                    }
                    return [
                        "event": .text(binding.event), "handler": .text(handler),
                        "auth_type": .text("\(binding.user)"), "offline": 0,
                    ]
                }
            )
        )
    }

    func bindableEvents(_ call: RESTCall, _ caller: RESTCall.Caller) -> RESTResult {
        guard case .application = caller else { return Self.wrongAuthType }
        var scopes = Set(settings.scope + ["basic"])
        if let wanted = call.parameters["scope"]?.text, !wanted.isEmpty {
            scopes = [wanted.lowercased()]
        } else if ["1", "true", "y"].contains(call.parameters["full"]?.text?.lowercased()) {
            scopes = Set(EventCatalog.standard.eventTypes.map(\.scope))
        }
        return .result(
            .list(EventCatalog.standard.eventTypes.filter { scopes.contains($0.scope) }.map { .text($0.code) })
        )
    }

    /// Makes ONAPPTEST, which goes where it is bound.
    mutating func testEvent(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application(let user) = caller else { return Self.wrongAuthType }
        let data: PHPValue = ["QUERY": call.parameters, "LANGUAGE_ID": .text(portals[index].language)]
        emit("ONAPPTEST", data: data, of: index, by: user)
        return .result(1)
    }

    // MARK: What a binding must be

    static let wrongAuthType = RESTResult.failure(
        403,
        "WRONG_AUTH_TYPE",
        "Current authorization type is denied for this method"
    )

    /// The portal's first user; the others are staff.
    static func isAdministrator(_ user: Int) -> Bool { user == 1 }

    private struct Refusal: Error {
        let result: RESTResult

        init(_ status: Int, _ code: String, _ words: String) { result = .failure(status, code, words) }
    }

    private func wantedBinding(
        _ parameters: PHPValue,
        by user: Int
    ) -> Result<PortalState.Binding, Refusal> {
        func text(_ name: String) -> String { parameters[name]?.text ?? "" }
        let event = text("event").uppercased()
        guard !event.isEmpty else {
            return .failure(Refusal(400, "ERROR_ARGUMENT", "Argument 'EVENT' is null or empty"))
        }
        let type = text("event_type").lowercased()
        guard ["", "online", "offline"].contains(type) else {
            return .failure(Refusal(400, "ERROR_ARGUMENT", "Value must be one of {online|offline}"))
        }
        let isOffline = type == "offline"
        guard isOffline || !text("handler").isEmpty else {
            return .failure(Refusal(400, "ERROR_ARGUMENT", "Argument 'HANDLER' is null or empty"))
        }
        guard let scope = EventCatalog.standard.eventType(for: event)?.scope,
            scope == "basic" || settings.scope.contains(scope)
        else { return .failure(Refusal(400, "ERROR_EVENT_NOT_FOUND", "Event not found")) }
        if isOffline, event == "ONOFFLINEEVENT" {
            return .failure(Refusal(400, "ERROR_ARGUMENT", "Value must be online for ONOFFLINEEVENT"))
        }
        let ofUser = Int(text("auth_type")) ?? 0
        if !Self.isAdministrator(user), isOffline || (ofUser != 0 && ofUser != user) {
            return .failure(Refusal(403, "ACCESS_DENIED", "Access denied!"))
        }
        if !text("auth_connector").isEmpty, !settings.hasProfessionalPlan {
            return .failure(Refusal(403, "WRONG_LICENSE", "Your license does not allow this."))
        }
        return .success(
            PortalState.Binding(
                id: 0,
                event: event,
                handler: isOffline ? nil : text("handler"),
                user: ofUser,
                connector: text("auth_connector"),
                minTimeout: event == "ONOFFLINEEVENT"
                    ? parameters["options"]?["minTimeout"]?.text.flatMap { Int($0) } : nil
            )
        )
    }

    /// Its host has a dot and is not this one (b24restdocs, api-reference/events/event-bind.md).
    private static func refusal(ofHandler handler: String) -> RESTResult? {
        guard let parts = URLComponents(string: handler), ["http", "https"].contains(parts.scheme?.lowercased()) else {
            return .failure(400, "ERROR_UNSUPPORTED_PROTOCOL", "Unsupported event handler protocol")
        }
        guard let host = parts.host, host.contains("."), host.lowercased() != "localhost" else {
            return .failure(400, "ERROR_WRONG_HANDLER_URL", "Wrong handler URL")
        }
        return nil
    }
}
