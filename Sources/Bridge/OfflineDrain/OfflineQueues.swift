extension BridgeSettings {
    /// Source keys of the portal's queues: the one that is declared, and those in which the bridge bound events before. Empty:
    /// it has no queue.
    package func offlineConnectors(of portal: RegisteredPortal) -> [String] {
        let declared = subscriptions.declared(for: portal.memberID)
        var connectors = Set(portal.bindings?.connectors ?? [])
        if !declared.offline.isEmpty { connectors.insert(declared.authConnector) }
        return connectors.sorted()
    }

    /// Codes of the events that the portal sends and does not keep: what of them was missed cannot be fetched.
    package func onlineOnly(of memberID: String) -> [String] {
        let declared = subscriptions.declared(for: memberID)
        let bridges = EventSelection.always.union([EventSelection.wakeUp])
        return Set(declared.online).subtracting(declared.offline).subtracting(bridges).sorted()
    }
}
