/// What a test, or a person, does with the portals.
extension StandIn {
    /// A portal as it is now.
    package struct Portal: Sendable, Equatable, Encodable {
        package struct Binding: Sendable, Equatable, Encodable {
            package let event: String
            /// `nil` offline.
            package let handler: String?
            package let user: Int
            package let connector: String
        }

        package let number: Int
        package let memberID: String
        package let domain: String
        /// `not-installed`, `in-setup`, `installed` or `uninstalled`.
        package let application: String
        package let isPaymentExpired: Bool
        package let bindings: [Binding]
    }

    package var portals: [Portal] { host.look { $0.portals.map(Portal.init) } }

    /// - Returns: `nil` for a portal that there is not; the same goes for what follows.
    package func portal(_ portal: String) -> Portal? {
        host.look { world in world.index(of: portal).map { Portal(world.portals[$0]) } }
    }

    package var memberIDs: [String] { host.look { $0.portals.map(\.memberID) } }

    /// The secret by which its events are known. The same for all time, unless `changeApplicationToken` is called.
    package func applicationToken(of portal: String) -> String? {
        host.look { world in world.index(of: portal).map { world.portals[$0].applicationToken } }
    }

    /// Where an incoming webhook of this user leads; a method's name follows.
    package func webhookAddress(of portal: String, user: Int = 1) -> String? {
        host.look { world in world.index(of: portal).map { world.webhookAddress($0, user: user) } }
    }

    /// Tokens of an installed application, as an event would bring them.
    package func makeTokens(of portal: String, user: Int = 1) -> (access: String, refresh: String)? {
        host.change { world in
            world.index(of: portal).map {
                (world.makeAccessToken(of: $0, user: user), world.makeRefreshToken(of: $0, user: user))
            }
        }
    }

    // MARK: The application's life

    /// Installs the application without a user interface; ONAPPINSTALL goes to the address, or to the settings' one. Also
    /// installs again.
    package func install(_ portal: String, at url: String? = nil, user: Int = 1) async -> Delivery? {
        await post(portal) { world, index in world.install(index, at: url ?? world.settings.installURL, by: user) }
            .first
    }

    /// A person opens the application in the portal: what its frame posts. On a portal without it, this begins the
    /// installation of an application with a user interface.
    package func openFrame(_ portal: String, language: String? = nil, user: Int = 1) -> PortalFrame? {
        host.change { world in
            world.index(of: portal).map { world.openFrame($0, language: language, user: user) }
        }
    }

    /// What `BX24.installFinish` does: only now events are made.
    package func finishInstallation(of portal: String) { change(portal) { _ = $0.finishInstallation($1) } }

    /// What the OAuth code flow gives the application; lives 30 s.
    package func makeAuthorizationCode(of portal: String, user: Int = 1) -> String? {
        host.change { world in world.index(of: portal).map { world.makeCode(of: $0, user: user) } }
    }

    /// Another version: the bindings are gone, ONAPPINSTALL comes again.
    package func update(_ portal: String, at url: String? = nil, user: Int = 1) async -> Delivery? {
        await post(portal) { world, index in world.update(index, at: url ?? world.settings.installURL, by: user) }.first
    }

    /// The application is taken from the portal: its tokens are worth nothing, ONAPPUNINSTALL goes where it is bound.
    package func uninstall(_ portal: String, isClean: Bool = false) async -> [Delivery] {
        await post(portal) { $0.uninstall($1, isClean: isClean) }
    }

    package func setPayment(_ portal: String, isExpired: Bool) async -> [Delivery] {
        await post(portal) { $0.setPayment($1, isExpired: isExpired) }
    }

    /// Calls to the old address are answered with 302 from now on.
    package func rename(_ portal: String, to domain: String? = nil) {
        change(portal) { $0.rename($1, to: domain) }
    }

    /// All access tokens that the portal's applications have, as if an hour had passed.
    package func expireAccessTokens(of portal: String) { change(portal) { $0.expireAccessTokens(of: $1) } }

    /// As if nobody had refreshed them for 180 days: `invalid_grant`.
    package func expireRefreshTokens(of portal: String) { change(portal) { $0.expireRefreshTokens(of: $1) } }

    /// As after a reinstallation that gives another one. Events have it from now on.
    package func changeApplicationToken(of portal: String) {
        change(portal) { $0.portals[$1].applicationToken = $0.makeSecret() }
    }

    // MARK: Events

    /// An object was changed: the event goes wherever it is bound, which may be nowhere; where it is bound offline, it becomes
    /// a row of the portal's queue.
    ///
    /// - Parameters:
    ///   - user: who did it; `nil`: a robot, and the event brings no tokens.
    ///   - connector: the application itself did, by a call with this `auth_connector`, whose queue it does not enter.
    @discardableResult
    package func emit(
        _ code: String,
        id: String = "1",
        portal: String,
        user: Int? = 1,
        connector: String? = nil
    ) async -> [Delivery] {
        await post(portal) { $0.change(code, id: id, of: $1, by: user, connector: connector) }
    }

    /// The same with data of one's own.
    @discardableResult
    package func emit(_ code: String, data: PHPValue, portal: String, user: Int? = 1) async -> [Delivery] {
        await post(portal) { $0.emit(code.uppercased(), data: data, of: $1, by: user) }
    }

    // MARK: What hurts

    /// The next `times` calls of the method meet the fault.
    ///
    /// - Parameters:
    ///   - portal: `nil`: any, and the authorization server.
    ///   - method: also `oauth/token` and `oauth/app.info`, and `pull/sub` for long polls; `nil`: any but these polls.
    package func inject(_ fault: Fault, portal: String? = nil, method: String? = nil, times: Int = 1) {
        host.change { $0.inject(fault, portal: portal, method: method, times: times) }
    }

    /// Faults that have not taken effect yet are forgotten.
    package func clearFaults() { host.change { $0.faults = [] } }

    /// The method's operating time is used up after so many more calls, whose answers say so, until the reset: then 429
    /// OPERATION_TIME_LIMIT (b24restdocs, limits.md).
    package func exhaustOperatingTime(
        of method: String,
        portal: String,
        resetIn seconds: Int,
        after calls: Int = 0
    ) {
        change(portal) { $0.exhaustOperatingTime(of: method, $1, resetIn: seconds, after: calls) }
    }

    // MARK: What was seen

    /// The last 10,000 or more, in order.
    package var calls: [AnsweredCall] { host.look { $0.calls } }

    package func calls(of method: String, portal: String? = nil) -> [AnsweredCall] {
        calls.filter { $0.method.lowercased() == method.lowercased() && (portal == nil || $0.portal == portal) }
    }

    /// The last 10,000 or more, in the order of their answers.
    package var deliveries: [Delivery] { host.look { $0.deliveries } }

    private func change(_ portal: String, _ body: (inout PortalWorld, Int) -> Void) {
        host.change { world in
            if let index = world.index(of: portal) { body(&world, index) }
        }
    }

    private func post(_ portal: String, _ body: (inout PortalWorld, Int) -> Void) async -> [Delivery] {
        await host.changeAndPost { world in
            if let index = world.index(of: portal) { body(&world, index) }
        }
    }
}

extension StandIn.Portal {
    init(_ state: PortalState) {
        self.init(
            number: state.number,
            memberID: state.memberID,
            domain: state.domain,
            application: state.installation.words,
            isPaymentExpired: state.isPaymentExpired,
            bindings: state.bindings.map {
                Binding(event: $0.event, handler: $0.handler, user: $0.user, connector: $0.connector)
            }
        )
    }
}

extension PortalState.Installation {
    var words: String {
        switch self {
        case .none: "not-installed"
        case .inSetup: "in-setup"
        case .finished: "installed"
        case .removed: "uninstalled"
        }
    }
}

extension PortalWorld {
    mutating func inject(_ fault: Fault, portal: String?, method: String?, times: Int) {
        guard times > 0 else { return }
        let index = portal.map { self.index(of: $0) }
        if case .some(nil) = index { return }
        faults.append(
            InjectedFault(fault: fault, portal: index ?? nil, method: method?.lowercased(), timesLeft: times)
        )
    }

    mutating func expireAccessTokens(of index: Int) {
        for token in portals[index].accessTokens { accessTokens[token]?.expiresAt = 0 }
    }

    mutating func expireRefreshTokens(of index: Int) {
        for token in portals[index].refreshTokens { spend(refreshToken: token, of: index) }
    }

    mutating func exhaustOperatingTime(of method: String, _ index: Int, resetIn seconds: Int, after calls: Int) {
        portals[index].operating[method.lowercased()] = PortalState.OperatingTime(
            seconds: 480,
            resetsAt: now + seconds,
            left: calls
        )
    }
}
