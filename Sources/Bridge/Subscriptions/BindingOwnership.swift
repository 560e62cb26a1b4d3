package import Bitrix24REST

/// Tells the bindings that this bridge made from those of other programs and of people. What it does not own it never takes
/// away, and in doubt it does not own it.
package struct BindingOwnership: Sendable {
    /// At which and below which everything is the bridge's.
    private let places: [String]
    /// Addresses at which it bound something here before.
    private let handlers: Set<String>
    /// Source keys of which it bound offline events here, or is to.
    private let connectors: Set<String>

    /// - Parameters:
    ///   - handlers: Addresses at which the bridge is known to have bound events of this portal before.
    ///   - connectors: Source keys for which it is known to have bound offline events of this portal before.
    package init(_ settings: BridgeSettings, for memberID: String, handlers: [String], connectors: [String]) {
        places = [
            "\(settings.application.publicURL)\(settings.http.path)",
            settings.subscriptionHandler.replacing("{portal}", with: memberID),
        ]
        self.handlers = Set(handlers)
        var connectors = Set(connectors)
        let declared = settings.subscriptions.declared(for: memberID)
        // The queue without a source key is everybody's: whoever else reads it bound its events as well.
        if !declared.authConnector.isEmpty { connectors.insert(declared.authConnector) }
        self.connectors = connectors
    }

    package func owns(_ binding: EventBinding) -> Bool {
        guard !EventSelection.boundByBitrix24.contains(binding.event) else { return false }
        guard let handler = binding.handler else { return connectors.contains(binding.connector) }
        return handlers.contains(handler) || places.contains { Self.isAt($0, handler) }
    }

    private static func isAt(_ place: String, _ handler: String) -> Bool {
        guard handler.hasPrefix(place) else { return false }
        return ["", "/", "?"].contains(handler.dropFirst(place.count).prefix(1))
    }
}
