internal import Bitrix24
package import Bitrix24REST
package import Logging

/// All that is asked of portals, done by whichever replica owns it: bind what is declared, bring tokens about, keep them
/// alive, carry out what people order.
///
/// It keeps nothing that the registry does not have, but for how often something failed: the next owner goes on where this
/// one was interrupted.
package struct RESTWork: Sendable {
    let settings: BridgeSettings
    let registry: PortalRegistry
    let client: RESTClient
    /// `nil`: nobody drains queues here, in tests.
    let drain: (any OfflineDraining)?
    let metrics: RESTWorkMetrics
    let pace: WorkPace
    private let places: OrderPlaces
    let fingerprints: DeclaredFingerprints
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    let logger: Logger

    package init(
        settings: BridgeSettings,
        registry: PortalRegistry,
        client: RESTClient,
        drain: (any OfflineDraining)? = nil,
        metrics: RESTWorkMetrics,
        pace: WorkPace? = nil,
        now: @escaping @Sendable () -> Int64 = { WallClock.now().milliseconds },
        logger: Logger
    ) {
        self.settings = settings
        self.registry = registry
        self.client = client
        self.drain = drain
        self.metrics = metrics
        self.pace = pace ?? WorkPace(reconcileEvery: settings.subscriptions.reconcileEvery)
        places = OrderPlaces(self.pace.lengthyOrders)
        fingerprints = DeclaredFingerprints(settings)
        self.now = now
        self.logger = logger
    }

    private enum Occasion {
        case changed(String)
        case tick
        case scan
        case finished(String, PortalAttempts)
    }

    /// Works until it is cancelled.
    package func run() async {
        let (occasions, feed) = AsyncStream.makeStream(of: Occasion.self)
        // Before the first look at all, so that nothing falls between.
        let changes = registry.changes()
        await withDiscardingTaskGroup { group in
            group.addTask {
                for await memberID in changes { feed.yield(.changed(memberID)) }
            }
            group.addTask {
                while (try? await Task.sleep(for: pace.tick)) != nil { feed.yield(.tick) }
            }
            group.addTask {
                while (try? await Task.sleep(for: pace.scanEvery)) != nil { feed.yield(.scan) }
            }
            var agenda = Agenda<PortalAttempts>(width: pace.width)
            scan(&agenda)
            feed.yield(.tick)
            for await occasion in occasions {
                switch occasion {
                case .changed(let memberID): schedule(memberID, in: &agenda)
                case .tick: break
                case .scan: scan(&agenda)
                case .finished(let memberID, let attempts):
                    agenda[memberID] = attempts == PortalAttempts() ? nil : attempts
                    agenda.finished(memberID)
                    schedule(memberID, in: &agenda)
                }
                for memberID in agenda.take(now()) {
                    let attempts = agenda[memberID] ?? PortalAttempts()
                    group.addTask {
                        let after = await turn(memberID, attempts)
                        feed.yield(.finished(memberID, after))
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func scan(_ agenda: inout Agenda<PortalAttempts>) {
        for memberID in registry.memberIDs { schedule(memberID, in: &agenda) }
    }

    private func schedule(_ memberID: String, in agenda: inout Agenda<PortalAttempts>) {
        guard let portal = registry.portal(memberID) else { return agenda.forget(memberID) }
        var attempts = agenda[memberID] ?? PortalAttempts()
        attempts.notice(portal)
        agenda.schedule(memberID, at: due(portal, attempts)?.at)
    }

    private func due(_ portal: RegisteredPortal, _ attempts: PortalAttempts) -> DueWork? {
        DueWork(portal, fingerprint: fingerprints[portal.memberID], attempts, pace)
    }

    /// So many pieces of work follow one another before another portal has its turn.
    private static let longestTurn = 8

    /// Does what is due at one portal.
    private func turn(_ memberID: String, _ before: PortalAttempts) async -> PortalAttempts {
        var attempts = before
        for _ in 0..<Self.longestTurn {
            guard !Task.isCancelled, let portal = registry.portal(memberID) else { break }
            attempts.notice(portal)
            guard let due = due(portal, attempts), due.at <= now() else { break }
            let isLengthy = due.kind.isLengthy
            if isLengthy, !places.take() {
                attempts.orderPutOff(at: now(), pace)
                break
            }
            defer { if isLengthy { places.giveBack() } }
            if due.kind == .requestToken { attempts.tested(at: now(), pace) }
            do throws(Failure) {
                try await carryOut(due.kind, portal)
                if due.kind == .reconcile {
                    // What was refused is not asked for at once again.
                    let isRefused = registry.portal(memberID)?.bindings?.error != nil
                    if isRefused { attempts.failed(at: now(), pace) } else { attempts.succeeded() }
                }
                if due.kind == .keepAlive { attempts.renewed(at: now()) }
            } catch {
                // Nothing is to be told of the portal then.
                guard !Task.isCancelled else { break }
                attempts.failed(at: now(), pace)
                if case .order = due.kind { attempts.orderFailed(at: now(), pace) }
                note(error, of: due.kind, portal, attempts)
            }
            if let portal = registry.portal(memberID) { attempts.worked(at: portal) }
        }
        return attempts
    }

    enum Failure: Error, CustomStringConvertible {
        case rest(RESTError)
        case registry(RegistryError)

        var description: String {
            switch self {
            case .rest(let error): error.description
            case .registry(let error): error.description
            }
        }
    }

    private func carryOut(_ kind: DueWork.Kind, _ portal: RegisteredPortal) async throws(Failure) {
        switch kind {
        case .order(let order): try await carryOut(order, portal)
        case .reconcile: _ = try await reconcile(portal)
        case .requestToken: try await requestToken(portal)
        case .keepAlive:
            do throws(RESTError) { try await client.renewTokens(of: portal.memberID) } catch { throw .rest(error) }
        case .tidy:
            let stale = portal.report
            try await change(portal.memberID) { portal in
                guard portal.report == stale else { return }
                if portal.order?.id == stale?.orderID { portal.order = nil }
                portal.report = nil
            }
        }
    }

    private func note(
        _ failure: Failure,
        of kind: DueWork.Kind,
        _ portal: RegisteredPortal,
        _ attempts: PortalAttempts
    ) {
        if case .rest(let error) = failure { metrics.failed(error.code.text) }
        // One line when it begins; what is tried again and again says no more.
        logger.log(
            level: attempts.failures == 1 ? .warning : .debug,
            "REST work failed",
            metadata: [
                "portal": "\(portal.memberID)", "work": "\(kind.name)", "error": "\(failure)",
                "again_in_seconds": "\((attempts.notBefore - now()) / 1000)",
            ]
        )
    }

    /// See `PortalRegistry.changeKnown`.
    func change(
        _ memberID: String,
        _ body: @escaping @Sendable (inout RegisteredPortal) -> Void
    ) async throws(Failure) {
        do throws(RegistryError) { try await registry.changeKnown(memberID, body) } catch { throw .registry(error) }
    }
}

extension DueWork.Kind {
    /// Somebody waits until a queue is empty, and little is to be done for that here.
    fileprivate var isLengthy: Bool {
        if case .order(let order) = self { order.kind.ownersPatience > .zero } else { false }
    }

    fileprivate var name: String {
        switch self {
        case .order(let order): order.kind.rawValue
        case .reconcile: "reconcile"
        case .requestToken: "event.test"
        case .keepAlive: "refresh"
        case .tidy: "tidy"
        }
    }
}
