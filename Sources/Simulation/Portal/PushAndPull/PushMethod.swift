/// Where the application may listen (b24restdocs, settings/interactivity/push-and-pull/pull-application-config-get.md).
extension PortalWorld {
    mutating func pushConfiguration(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        guard case .application(let user) = caller else {
            return .failure(
                403,
                "WRONG_AUTH_TYPE",
                "Get access to application config available only for application authorization."
            )
        }
        guard settings.scope.contains("pull") else {
            let words = "The request requires higher privileges than provided by the access token"
            return .failure(403, "insufficient_scope", words)
        }
        guard settings.hasPushServer else {
            return .failure(500, "SERVER_ERROR", "Push & Pull server is not configured")
        }
        var push = pushes[index] ?? PushState(clientID: makeSecret(), shared: makeChannel(isShared: true))
        if push.shared.end <= now { push.retireShared(makeChannel(isShared: true)) }
        let known = push.own[user].flatMap { $0.end > now ? $0 : nil }
        let own = known ?? makeChannel(isShared: false)
        if known == nil, let last = push.own.updateValue(own, forKey: user) {
            push.retired[last.id] = push.messageCount
        }
        pushes[index] = push
        let polls = "\(address)/pull/sub/"
        // This server has no web sockets, so it says that they are switched off.
        let sockets = "ws" + address.dropFirst(4) + "/pull/subws/"
        return .result([
            "server": [
                "version": 4, "server_enabled": true, "mode": "shared", "hostname": .text(portals[index].domain),
                "long_polling": .text(polls), "long_pooling_secure": .text(polls), "websocket_enabled": false,
                "websocket": .text(sockets), "websocket_secure": .text(sockets), "publish_enabled": true,
                "publish": .text("\(address)/pull/rest/"), "publish_secure": .text("\(address)/pull/rest/"),
                "config_timestamp": .int(startedAt),
            ],
            "api": ["revision_web": 19, "revision_mobile": 3],
            "channels": [
                "shared": described(push.shared, of: index),
                "private": described(own, of: index),
            ],
            // As much later than the channels begin as in the documentation's example.
            "exp": .int(push.shared.start + settings.pushChannelLife + 39_600),
            "publicChannels": .emptyMap,
            "clientId": .text(push.clientID),
        ])
    }

    /// As channels look: `<id>.<signature>`, and `<id>:<public id>.<signature>` of a private one.
    mutating func makeChannel(isShared: Bool) -> PushState.Channel {
        let publicID = isShared ? nil : makeSecret()
        let signature = makeSecret() + makeSecret().prefix(8)
        let id = makeSecret() + (publicID.map { ":\($0)" } ?? "") + ".\(signature)"
        return PushState.Channel(
            id: id,
            publicID: publicID.map { "\($0).\(signature)" },
            start: now,
            end: now + settings.pushChannelLife
        )
    }

    func described(_ channel: PushState.Channel, of index: Int) -> PHPValue {
        var described: PHPValue = ["id": .text(channel.id)]
        if let publicID = channel.publicID { described.set("public_id", .text(publicID)) }
        described.set("start", .text(portals[index].time.text(channel.start)))
        described.set("end", .text(portals[index].time.text(channel.end)))
        described.set("type", channel.publicID == nil ? "shared" : "private")
        return described
    }
}
