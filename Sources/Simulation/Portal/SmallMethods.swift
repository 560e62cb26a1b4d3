internal import Bitrix24

/// Methods that tell of the portal, the caller and the application.
extension PortalWorld {
    func portalApplicationInfo(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application = caller else {
            return .failure(403, "ACCESS_DENIED", "Application context required")
        }
        let portal = portals[index]
        let family = settings.hasProfessionalPlan ? "pro" : "basic"
        return .result([
            "ID": .int(portal.number), "CODE": .text(settings.clientID), "VERSION": .int(portal.version),
            "STATUS": .text(settings.status), "INSTALLED": .bool(portal.installation == .finished),
            "PAYMENT_EXPIRED": .text(portal.isPaymentExpired ? "Y" : "N"), "DAYS": .null,
            "LANGUAGE_ID": .text(portal.language), "LICENSE": .text("\(portal.language)_\(family)100"),
            "LICENSE_TYPE": .text("\(family)100"), "LICENSE_FAMILY": .text(family),
        ])
    }

    func profile(_ caller: RESTCall.Caller) -> RESTResult {
        .result([
            "ID": .text("\(caller.user)"), "ADMIN": .bool(Self.isAdministrator(caller.user)), "NAME": "Maria",
            "LAST_NAME": "Muster", "PERSONAL_GENDER": "", "TIME_ZONE": "",
        ])
    }

    func feature(_ call: RESTCall) -> RESTResult {
        guard let code = call.parameters["code"]?.text, !code.isEmpty else {
            return .failure(400, "CODE_EMPTY", "Code is empty")
        }
        let isThere = ["rest_offline_extended", "rest_auth_connector"].contains(code) && settings.hasProfessionalPlan
        return .result(["value": isThere ? "Y" : "N"])
    }

    func scopes(_ call: RESTCall) -> RESTResult {
        guard call.parameters["full"]?.text == "1" else { return .result(.list(settings.scope.map { .text($0) })) }
        let all = Set(EventCatalog.standard.eventTypes.map(\.scope)).subtracting(["basic"]).union(settings.scope)
        return .result(.list(all.sorted().map { .text($0) }))
    }

    static let methods: Set<String> = [
        "event.bind", "event.unbind", "event.get", "events", "event.test", "event.offline.get", "event.offline.list",
        "event.offline.clear", "event.offline.error", "pull.application.config.get", "app.info", "profile",
        "server.time",
        "feature.get", "scope", "method.get", "batch",
    ]

    func methodInfo(_ call: RESTCall) -> RESTResult {
        let isThere = Self.methods.contains(call.parameters["name"]?.text?.lowercased() ?? "")
        return .result(["isExisting": .bool(isThere), "isAvailable": .bool(isThere)])
    }
}
