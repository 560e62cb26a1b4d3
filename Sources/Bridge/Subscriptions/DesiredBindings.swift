internal import Bitrix24

/// The bindings that a portal is to have, as the configuration declares them.
package struct DesiredBindings: Sendable, Equatable {
    package let handler: String
    package let all: Set<Binding>
    /// Seconds between two ONOFFLINEEVENT.
    package let minTimeout: Int
    /// Among all, those whose code the event catalog does not know.
    package let unknown: [String]
    /// Tells declared sets apart.
    package let fingerprint: String

    package init(_ settings: BridgeSettings, for memberID: String) {
        let declared = settings.subscriptions.declared(for: memberID)
        let handler = Self.handler(settings, for: memberID)
        let online = Set(declared.online).subtracting(EventSelection.always)
            .union(declared.offline.isEmpty ? [] : [EventSelection.wakeUp])
        let all = Set(
            EventSelection.always.map { Binding($0, .online(handler: handler, authType: 0)) }
                + online.map { Binding($0, .online(handler: handler, authType: declared.authType)) }
                + declared.offline.map { Binding($0, .offline(connector: declared.authConnector)) }
        )
        self.handler = handler
        self.all = all
        minTimeout = declared.minTimeout
        unknown = Set(all.map(\.event)).filter { EventCatalog.standard.eventType(for: $0) == nil }.sorted()
        var text = online.contains(EventSelection.wakeUp) ? "\(declared.minTimeout)\n" : ""
        for binding in all.sorted() { text += "\(binding.event) \(binding.target)\n" }
        fingerprint = String(decoding: TokenDigest(token: Array(text.utf8)).hexadecimal.prefix(16), as: UTF8.self)
    }

    /// Where the portal's events are to be posted.
    package static func handler(_ settings: BridgeSettings, for memberID: String) -> String {
        let template = settings.subscriptions.handler
        guard template.isEmpty else { return template.replacing("{portal}", with: memberID) }
        return "\(settings.application.publicURL)\(settings.http.path)/\(memberID)"
    }
}
