/// What happens on a portal, and which events are made of it.
extension PortalWorld {
    /// What an event tells.
    enum Change: Sendable {
        /// A change of an object, by the code of the change.
        case object(_ code: String, id: String)
        case free(PHPValue)

        var data: PHPValue {
            switch self {
            case .free(let data): return data
            case .object(let code, let id):
                var data = PortalWorld.data(of: code, id: id)
                if let process = PortalWorld.ownProcess(code) {
                    data.set(at: ["FIELDS", "ENTITY_TYPE_ID"], .text(process.typeID))
                }
                return data
            }
        }
    }

    /// Makes an event, which goes wherever it is bound, if the application gets events at all.
    ///
    /// - Parameters:
    ///   - user: who caused it; `nil`: nobody, a robot.
    ///   - connector: the application itself did, by a call with this `auth_connector`; `nil`: it did not.
    mutating func emit(
        _ code: String,
        data: PHPValue,
        of index: Int,
        by user: Int?,
        connector: String? = nil
    ) {
        spread(code, .free(data), of: index, by: user, connector: connector)
        signalOffline(of: index, by: user)
    }

    private mutating func spread(_ code: String, _ change: Change, of index: Int, by user: Int?, connector: String?) {
        guard portals[index].makesEvents else { return }
        putOffline(code, change, of: index, by: user, connector: connector)
        let bindings = portals[index].bindings.filter { $0.event == code && !$0.isOffline }
        guard !bindings.isEmpty else { return }
        let data = change.data
        for binding in bindings {
            post(code, data: data, of: index, through: binding, by: binding.user == 0 ? user : binding.user)
        }
    }

    /// A change of an object by its code. A smart process's own code, as `ONCRMDYNAMICITEMADD_174`, is an event of the
    /// general one as well (b24restdocs, api-reference/crm/universal/events/index.md).
    mutating func change(_ code: String, id: String, of index: Int, by user: Int?, connector: String? = nil) {
        let code = code.uppercased()
        let change = Change.object(code, id: id)
        spread(code, change, of: index, by: user, connector: connector)
        if let process = Self.ownProcess(code) {
            spread(process.generalCode, change, of: index, by: user, connector: connector)
        }
        signalOffline(of: index, by: user)
    }

    private static func ownProcess(_ code: String) -> (generalCode: String, typeID: String)? {
        guard code.hasPrefix("ONCRMDYNAMICITEM") else { return nil }
        let parts = code.split(separator: "_", maxSplits: 1)
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
    }

    /// The application is put on the portal as one without a user interface: installed at once, ONAPPINSTALL goes to its
    /// address (b24restdocs, settings/app-installation/local-apps/installation-callback.md).
    mutating func install(_ index: Int, at url: String, by user: Int) {
        if portals[index].installation == .removed { forgetTokens(of: index) }
        portals[index].installation = .finished
        portals[index].isPaymentExpired = false
        let binding = PortalState.Binding(id: 0, event: "ONAPPINSTALL", handler: url, user: 0, connector: "")
        portals[index].bindings.removeAll { $0.event == "ONAPPINSTALL" }
        _ = portals[index].bind(binding)
        let data: PHPValue = [
            "VERSION": .text("\(portals[index].version)"), "ACTIVE": "Y", "INSTALLED": "Y",
            "LANGUAGE_ID": .text(portals[index].language),
        ]
        emit("ONAPPINSTALL", data: data, of: index, by: user)
    }

    /// A new version of the application: its handlers are gone, its installer runs again (contract of marketplace
    /// applications: b24restdocs, settings/app-installation/mass-market-apps).
    mutating func update(_ index: Int, at url: String, by user: Int) {
        portals[index].version += 1
        portals[index].bindings = []
        install(index, at: url, by: user)
    }

    /// - Parameter isClean: whether the application's data are to be erased as well.
    mutating func uninstall(_ index: Int, isClean: Bool) {
        guard portals[index].hasApplication else { return }
        let data: PHPValue = ["CLEAN": isClean ? "1" : "0", "LANGUAGE_ID": .text(portals[index].language)]
        emit("ONAPPUNINSTALL", data: data, of: index, by: nil)
        portals[index].installation = .removed
        portals[index].bindings = []
        queues[index].removeAll()
        closePush(of: index)
    }

    /// A person gives the portal another domain. Its member_id stays.
    mutating func rename(_ index: Int, to domain: String?) {
        portals[index].moves += 1
        portals[index].domain =
            domain ?? "renamed-\(portals[index].moves)-portal-\(portals[index].number).bitrix24.example"
    }

    /// The paid time is over, or goes on. ONAPPPAYMENT comes without a token (b24restdocs,
    /// api-reference/common/events/on-app-payment.md).
    mutating func setPayment(_ index: Int, isExpired: Bool) {
        let data: PHPValue = [
            "CODE": .text(settings.clientID), "VERSION": .text("\(portals[index].version)"),
            "STATUS": .text(settings.status), "PAYMENT_EXPIRED": isExpired ? "Y" : "N", "DAYS": isExpired ? "0" : "30",
            "LANGUAGE_ID": .text(portals[index].language),
        ]
        portals[index].isPaymentExpired = false
        emit("ONAPPPAYMENT", data: data, of: index, by: nil)
        portals[index].isPaymentExpired = isExpired
    }

    // MARK: Bodies

    /// Where `auth` has a refresh token.
    private static let withRefreshToken: Set<String> = [
        "ONAPPINSTALL", "ONAPPUPDATE", "ONAPPTEST", "ONOFFLINEEVENT", "ONSUBSCRIPTIONRENEW", "ONCALENDARENTRYADD",
        "ONCALENDARENTRYUPDATE", "ONCALENDARENTRYDELETE", "ONCALENDARSECTIONADD", "ONCALENDARSECTIONUPDATE",
        "ONCALENDARSECTIONDELETE",
    ]

    mutating func post(
        _ code: String,
        data: PHPValue,
        of index: Int,
        through binding: PortalState.Binding,
        by user: Int?
    ) {
        guard let handler = binding.handler else { return }
        let auth = authorization(for: code, of: index, by: user)
        let body: PHPValue = [
            "event": .text(code), "event_handler_id": .int(binding.id), "data": data, "ts": .int(now), "auth": auth,
        ]
        postCount += 1
        outbox.append(
            Post(number: postCount, portal: portals[index].memberID, event: code, handler: handler, body: body.form)
        )
    }

    private mutating func authorization(for code: String, of index: Int, by user: Int?) -> PHPValue {
        let portal = portals[index]
        var auth = PHPValue.emptyMap
        let scope = settings.scope.joined(separator: ",")
        if let user {
            auth.set("access_token", .text(eventToken(of: index, user: user)))
            auth.set("expires", .int(now + settings.accessTokenLife))
            auth.set("expires_in", .int(settings.accessTokenLife))
            auth.set("scope", .text(scope))
        }
        auth.set("domain", .text(portal.domain))
        auth.set("server_endpoint", .text(portal.serverEndpoint))
        if user != nil { auth.set("status", .text(settings.status)) }
        auth.set("client_endpoint", .text(clientEndpoint(portal)))
        auth.set("member_id", .text(portal.memberID))
        if let user {
            auth.set("user_id", .int(user))
            if Self.withRefreshToken.contains(code) {
                auth.set("refresh_token", .text(makeRefreshToken(of: index, user: user)))
            }
        }
        if code != "ONAPPPAYMENT" { auth.set("application_token", .text(portal.applicationToken)) }
        return auth
    }

    private mutating func eventToken(of index: Int, user: Int) -> String {
        if let token = portals[index].eventTokens[user], let known = accessTokens[token],
            known.expiresAt - now > settings.accessTokenLife / 2
        {
            return token
        }
        let token = makeAccessToken(of: index, user: user)
        portals[index].eventTokens[user] = token
        return token
    }

    /// As Bitrix24 documents the event's `data`.
    static func data(of code: String, id: String) -> PHPValue {
        guard let shape = EventShape(of: code) else { return ["FIELDS": ["ID": .text(id)]] }
        var data = PHPValue.emptyMap
        for (path, value) in shape.fields {
            switch value {
            case .text(let text): data.set(at: path, .text(text))
            case .entity, .unique: data.set(at: path, .text(id))
            }
        }
        return data
    }
}
