internal import Bitrix24
package import Bitrix24REST

/// The bindings that a portal is to have, as the configuration declares them.
package struct DesiredBindings: Sendable, Equatable {
    package let handler: String
    package let all: Set<EventBinding>
    package let events: Set<String>
    /// Seconds between two ONOFFLINEEVENT.
    package let minTimeout: Int
    /// Beside those by which the bridge lives, all are offline.
    let isDrainedOnly: Bool
    /// Among all, those whose code the event catalog does not know.
    package let unknown: [String]

    package init(_ settings: BridgeSettings, for memberID: String) {
        let declared = settings.subscriptions.declared(for: memberID)
        let handler = settings.subscriptionHandler.replacing("{portal}", with: memberID)
        let online = Set(declared.online).subtracting(EventSelection.always)
            .union(settings.bindsWakeUp(for: declared) ? [EventSelection.wakeUp] : [])
        let all = Set(
            EventSelection.always.map { EventBinding(event: $0, handler: handler) }
                + online.map { EventBinding(event: $0, handler: handler, authType: Int64(declared.authType)) }
                + declared.offline.map { EventBinding(offline: $0, connector: declared.authConnector) }
        )
        self.handler = handler
        self.all = all
        minTimeout = declared.minTimeout
        isDrainedOnly = online.isEmpty && !declared.offline.isEmpty
        events = Set(all.map(\.event))
        unknown = events.filter { EventCatalog.standard.eventType(for: $0) == nil }.sorted()
    }
}

/// Tells declared sets apart, of all portals together: most portals share one.
struct DeclaredFingerprints: Sendable {
    private let everywhere: String
    private let portals: [String: String]

    init(_ settings: BridgeSettings) {
        func fingerprint(_ declared: BridgeSettings.Subscriptions.Declared) -> String {
            // `minTimeout` is given when ONOFFLINEEVENT is bound, and no portal tells it: there is nothing to compare.
            let lines =
                [settings.subscriptionHandler, "\(declared.authType)", declared.authConnector] + declared.online + [""]
                + declared.offline
                + (declared.offline.isEmpty || settings.bindsWakeUp(for: declared)
                    ? [] : ["without \(EventSelection.wakeUp)"])
            let digest = TokenDigest(token: Array(lines.joined(separator: "\n").utf8))
            return String(decoding: digest.hexadecimal.prefix(16), as: UTF8.self)
        }
        everywhere = fingerprint(settings.subscriptions.everywhere)
        portals = settings.subscriptions.portals.mapValues(fingerprint)
    }

    subscript(_ memberID: String) -> String { portals[memberID] ?? everywhere }
}

extension BridgeSettings {
    /// Where portals are to post their events; `{portal}` stands for the member_id.
    var subscriptionHandler: String {
        subscriptions.handler.isEmpty ? "\(application.publicURL)\(http.path)/{portal}" : subscriptions.handler
    }

    /// Whether portals are to post word that their queue has something.
    fileprivate func bindsWakeUp(for declared: Subscriptions.Declared) -> Bool {
        !declared.offline.isEmpty && offline.wakeBy.contains(.event)
    }
}
