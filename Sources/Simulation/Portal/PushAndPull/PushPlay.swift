/// What the Push & Pull server sends.
package enum PushKind: String, Sendable, CaseIterable {
    /// The shared channel is replaced; the message names the new one.
    case channelExpireReconnect = "channel-expire-reconnect"
    /// The channels are over; the configuration has new ones.
    case channelExpireConfig = "channel-expire-config"
    case configExpire = "config-expire"
    case serverRestart = "server-restart"
    /// A message of another module.
    case foreign
    /// The last message once more, as after a resumption.
    case duplicate
    /// No message: the connections of the polls are cut.
    case drop
}

extension PortalWorld {
    /// - Returns: whether anybody has asked the portal where to listen; otherwise nothing happens.
    mutating func push(_ kind: PushKind, of index: Int) -> Bool {
        guard let push = pushes[index] else { return false }
        let all = Set([push.shared.id] + push.own.values.map(\.id))
        switch kind {
        case .channelExpireReconnect:
            let next = makeChannel(isShared: true)
            let text = Self.expiry(
                "reconnect",
                push.shared,
                more: [.init("new_channel", described(next, of: index))]
            )
            send(text, of: index, to: [push.shared.id])
            pushes[index]?.retireShared(next)
        case .channelExpireConfig:
            // Bitrix24 says so of private channels. Here both are over, since offline events need the shared one only.
            send(Self.expiry("get_config", push.shared), of: index, to: all)
            let next = makeChannel(isShared: true)
            pushes[index]?.retireShared(next)
            pushes[index]?.retireOwn()
        case .configExpire: send(Self.text("pull", "config_expire"), of: index, to: all)
        case .serverRestart: send(Self.text("pull", "server_restart"), of: index, to: all)
        case .foreign:
            send(Self.text("application", "test_event", ["status": "done"]), of: index, to: [push.shared.id])
        case .duplicate:
            if push.messages.isEmpty { tellOffline([connectorNumber(of: ""): 1], of: index) }
            guard let last = pushes[index]?.messages.last else { return false }
            let isHeard = pushes[index]?.polls.contains { !$0.channels.isDisjoint(with: last.channels) } == true
            if isHeard { deliver(last, of: index) } else { pushes[index]?.repeated = last }
        case .drop: dropPolls(of: index)
        }
        return true
    }

    /// The queues have something: at once, or when a second is over since the last time.
    mutating func tellOffline(_ counts: [UInt16: Int], of index: Int) {
        guard pushes[index] != nil else { return }
        let isWaiting = pushes[index]?.untold.isEmpty == false
        for (connector, count) in counts { pushes[index]?.untold[connector, default: 0] += count }
        guard !isWaiting else { return }
        let now = Self.steadyNow
        if let last = pushes[index]?.toldAt, now - last < 1 {
            addDue(DueSignal(at: last + 1, portal: index, what: .push))
        } else {
            tellOffline(of: index)
        }
    }

    mutating func tellOffline(of index: Int) {
        guard let push = pushes[index], !push.untold.isEmpty else { return }
        pushes[index]?.untold = [:]
        pushes[index]?.toldAt = Self.steadyNow
        let counts: [PHPValue] = push.untold.sorted { $0.key < $1.key }.map { connector, count in
            ["connector_id": .text(connectors[Int(connector)]), "count": .int(count)]
        }
        send(Self.text("rest", "event_offline", .list(counts)), of: index, to: [push.shared.id])
    }

    /// As after an uninstallation: the channels are worth nothing.
    mutating func closePush(of index: Int) {
        dropPolls(of: index)
        pushes[index] = nil
    }

    private static func text(_ module: String, _ command: String, _ parameters: PHPValue = .emptyMap) -> PHPValue {
        ["module_id": .text(module), "command": .text(command), "params": parameters]
    }

    private static func expiry(
        _ action: String,
        _ channel: PushState.Channel,
        more: [PHPValue.Member] = []
    ) -> PHPValue {
        let members: [PHPValue.Member] = [
            .init("action", .text(action)), .init("channel", ["id": .text(channel.id), "type": "shared"]),
        ]
        return text("pull", "channel_expire", .map(members + more))
    }
}

extension StandIn {
    /// - Returns: whether anybody has asked the portal where to listen; otherwise nothing happens.
    @discardableResult
    package func push(_ kind: PushKind, portal: String) -> Bool {
        host.change { world in world.index(of: portal).map { world.push(kind, of: $0) } ?? false }
    }

    /// Long polls that wait now; of all portals with `nil`.
    package func heldPolls(of portal: String? = nil) -> Int {
        host.look { world in
            guard let portal else { return world.pushes.values.reduce(0) { $0 + $1.polls.count } }
            return world.index(of: portal).flatMap { world.pushes[$0]?.polls.count } ?? 0
        }
    }
}
