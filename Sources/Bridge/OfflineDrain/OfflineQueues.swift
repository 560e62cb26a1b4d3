extension BridgeSettings {
    /// Source keys of the portal's queues, the declared one first: that, and all in which the bridge ever bound events, which
    /// costs a call a look and loses nothing. Empty: it has no queue.
    package func offlineConnectors(of portal: RegisteredPortal) -> [String] {
        let declared = subscriptions.declared(for: portal.memberID)
        let own = declared.offline.isEmpty ? [] : [declared.authConnector]
        return own + (portal.bindings?.connectors ?? []).filter { !own.contains($0) }
    }

    /// Codes of the events that the portal sends and does not keep: what of them was missed cannot be fetched.
    package func onlineOnly(of memberID: String) -> [String] {
        let declared = subscriptions.declared(for: memberID)
        let bridges = EventSelection.always.union([EventSelection.wakeUp])
        return Set(declared.online).subtracting(declared.offline).subtracting(bridges).sorted()
    }
}

extension RegisteredPortal {
    /// Source keys of the queues that are to be drained. `nil`: there are none, or they cannot be called.
    func queues(_ settings: BridgeSettings) -> [String]? {
        guard let installation, installation.state == .installed,
            let authorization, authorization.needed == nil, authorization.sealed != nil,
            let bindings, bindings.installedAt >= installation.installedAt
        else { return nil }
        let connectors = settings.offlineConnectors(of: self)
        return connectors.isEmpty ? nil : connectors
    }
}
