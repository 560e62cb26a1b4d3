internal import Bitrix24
internal import Configuration

extension BridgeSettings {
    /// The events that portals are to send, and where to.
    package struct Subscriptions: Sendable {
        /// What is declared for a portal.
        package struct Declared: Sendable, Equatable {
            /// Codes in upper case, sorted; those that every portal sends are not among them.
            package var online: [String] = []
            package var offline: [String] = []
            /// User whose tokens the events bring. 0: whoever caused them.
            package var authType = 0
            /// Source key of the offline queue; needs the plan Professional or above.
            package var authConnector = ""
            /// Seconds between two ONOFFLINEEVENT. 0: one for each request in which something changed.
            package var minTimeout = 1
        }

        /// Address for the events of a portal, `{portal}` standing for its member_id. Empty: the application's public
        /// address, `http.path` and the member_id.
        package var handler = ""
        package var everywhere = Declared()
        /// By member_id, for those that differ.
        package var portals: [String: Declared] = [:]
        /// How often a portal is compared with what is declared. Zero: after an installation and a change only.
        package var reconcileEvery: Duration = .seconds(86_400)

        package func declared(for memberID: String) -> Declared { portals[memberID] ?? everywhere }
    }

    mutating func readSubscriptions(_ reader: ConfigurationReader) {
        subscriptions.handler = reader.string("handler", default: "")
        if !subscriptions.handler.isEmpty, !Self.isHandler(subscriptions.handler, standIn: application.standIn) {
            reader.fault(
                "handler",
                "must begin with https:// and a host with a dot, without blanks; {portal} in it stands for the member_id"
            )
        }
        subscriptions.reconcileEvery = reader.duration(
            "reconcileEvery",
            default: subscriptions.reconcileEvery,
            in: .zero ... .seconds(90 * 86_400)
        )
        let every = subscriptions.reconcileEvery
        if every > .zero, every < .seconds(60), application.standIn.isEmpty {
            reader.fault("reconcileEvery", "must be 1m or more, or portals are asked all the time; 0s turns it off")
        }
        subscriptions.everywhere = Self.declared(reader, otherwise: subscriptions.everywhere)
        if !application.isConfigured, reader.has("online") || reader.has("offline") || reader.has("portals") {
            reader.fault("", "can be made by an application only; set application.clientId and clientSecret")
        }
        for entry in reader.sections("portals") {
            let memberID = entry.requiredString("memberId")
            if !memberID.isEmpty, subscriptions.portals[memberID] != nil {
                entry.fault("memberId", "stands twice; give each portal one entry")
            }
            subscriptions.portals[memberID] = Self.declared(entry, otherwise: subscriptions.everywhere)
        }
    }

    /// What an entry does not say it has from `fallback`.
    private static func declared(
        _ reader: ConfigurationReader,
        otherwise fallback: Subscriptions.Declared
    ) -> Subscriptions.Declared {
        Subscriptions.Declared(
            online: events(reader, "online", isOffline: false, otherwise: fallback.online),
            offline: events(reader, "offline", isOffline: true, otherwise: fallback.offline),
            authType: reader.integer("authType", default: fallback.authType, in: 0...Int(Int32.max)),
            authConnector: reader.string("authConnector", default: fallback.authConnector),
            minTimeout: reader.integer("minTimeout", default: fallback.minTimeout, in: 0...86_400)
        )
    }

    private static func events(
        _ reader: ConfigurationReader,
        _ key: String,
        isOffline: Bool,
        otherwise fallback: [String]
    ) -> [String] {
        guard reader.has(key) else { return fallback }
        var codes: Set<String> = []
        for word in reader.strings(key, default: []) {
            switch EventSelection(word, isOffline: isOffline) {
            case .codes(let selected): codes.formUnion(selected)
            case .fault(let problem): reader.fault(key, problem)
            }
        }
        return codes.sorted()
    }

    /// Bitrix24 takes `http` as well, but a token that travels in the clear is one that others have.
    private static func isHandler(_ text: String, standIn: String) -> Bool {
        if !standIn.isEmpty, text.hasPrefix("http://") { return true }
        return text.wholeMatch(of: /https:\/\/[^\/\s?#]+\.[^\/\s?#]+([\/?][^\s#]*)?/) != nil
    }
}
