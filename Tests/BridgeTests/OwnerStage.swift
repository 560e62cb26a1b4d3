import AsyncHTTPClient
import Bitrix24
import Bitrix24REST
import Foundation
import Locks
import Simulation
import Synchronization
import Telemetry
import Testing

@testable import Bridge

/// An owner of the REST work with a registry of its own, before a stand-in for Bitrix24.
final class OwnerStage: Sendable {
    let standIn: StandIn
    let registry = PortalRegistry()
    let keyring: Keyring
    let metrics = MetricsRegistry()
    let logs = LogLines()
    let settings: Guarded<BridgeSettings>
    let http: AsyncHTTPClient.HTTPClient
    let rest: RESTSettings
    private let clock = Guarded<Int64>(0)
    private let stoppedAt = Guarded<Int64?>(nil)

    static let publicURL = "http://127.0.0.1:1"

    /// - Parameter subscriptions: The section of the configuration.
    static func with(
        portals: Int = 1,
        subscriptions: String = "{online: [ONCRMDEALADD, crm.lead]}",
        adjust: (inout StandInSettings) -> Void = { _ in },
        _ body: (OwnerStage) async throws -> Void
    ) async throws {
        var standInSettings = StandInSettings(portals: portals)
        standInSettings.deliveryTimeout = .seconds(1)
        adjust(&standInSettings)
        try await StandIn.withRunning(standInSettings) { standIn in
            let stage = try await OwnerStage(standIn, subscriptions)
            do {
                for number in 0..<portals { try await stage.install("\(number + 1)") }
                try await body(stage)
                try await stage.http.shutdown()
            } catch {
                try? await stage.http.shutdown()
                throw error
            }
        }
    }

    private init(_ standIn: StandIn, _ subscriptions: String) async throws {
        self.standIn = standIn
        var settings = try SubscriptionSettingsTests.settings("subscriptions: \(subscriptions)")
        let key = Data((0..<32).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        settings.secrets.current = .init(id: "1", key: Secret(key))
        settings.application.clientID = standIn.settings.clientID
        settings.application.clientSecret = Secret(standIn.settings.clientSecret)
        settings.application.standIn = try await standIn.address
        settings.application.publicURL = Self.publicURL
        keyring = Keyring(settings.secrets)
        var rest = RESTSettings(
            clientID: settings.application.clientID,
            clientSecret: settings.application.clientSecret.text,
            standIn: settings.application.standIn,
            perSecond: 1000
        )
        rest.retry.passing.first = .milliseconds(10)
        rest.retry.throttled.first = .milliseconds(10)
        rest.retry.authorization.first = .milliseconds(10)
        self.rest = rest
        http = AsyncHTTPClient.HTTPClient(eventLoopGroupProvider: .singleton, configuration: rest.httpConfiguration)
        self.settings = Guarded(settings)
    }

    /// The portal's member_id.
    func member(_ portal: String) throws -> String { try #require(standIn.portal(portal)).memberID }

    /// Installs the application and puts into the registry what a verified installation does.
    func install(_ portal: String, user: Int = 1, token: Bool = true) async throws {
        _ = await standIn.install(portal, at: "http://127.0.0.1:1/install")
        let memberID = try member(portal)
        let domain = try #require(standIn.portal(portal)).domain
        let endpoint = "\(try await standIn.address)/portal/\(memberID)/rest/"
        let authorization = try authorize(portal, user: user)
        let now = now
        try await registry.change(memberID) {
            $0.installation = .init(
                state: .installed,
                domain: domain,
                clientEndpoint: endpoint,
                authorizationServer: "oauth.bitrix.info",
                status: "L",
                scope: ["crm"],
                installedAt: now
            )
            $0.authorization = authorization
            $0.applicationTokens = .init(digests: token ? ["00"] : [])
        }
    }

    /// Puts into the registry what a verified opening of the application's page does.
    func openPage(_ portal: String, user: Int = 1) async throws {
        let memberID = try member(portal)
        let installation = try #require(registry.portal(memberID)?.installation)
        let authorization = try authorize(portal, user: user)
        let call = VerifiedCall(
            kind: .page,
            receivedAt: now + 1,
            info: AppInfo(
                clientID: standIn.settings.clientID,
                memberID: memberID,
                domain: installation.domain,
                clientEndpoint: installation.clientEndpoint,
                status: installation.status,
                scope: installation.scope,
                isInstalled: true
            ),
            authorizationServer: .world,
            tokens: authorization.sealed,
            accessExpiresAt: authorization.accessExpiresAt,
            applicationToken: nil
        )
        try await registry.change(memberID) { $0.take(call) }
    }

    func authorize(_ portal: String, user: Int = 1) throws -> RegisteredPortal.Authorization {
        let tokens = try #require(standIn.makeTokens(of: portal, user: user))
        let expiry = WallClock.now().milliseconds / 1000 + 3600
        let plain = OAuthTokens(access: tokens.access, refresh: tokens.refresh, accessExpiresAt: expiry)
        return .init(
            sealed: try SealedTokens.seal(plain, of: try member(portal), with: keyring),
            accessExpiresAt: expiry,
            refreshedAt: now
        )
    }

    // MARK: The owner

    /// The owner's clock, which a test may put forward.
    var now: Int64 { stoppedAt.withLock { $0 } ?? WallClock.now().milliseconds + clock.withLock { $0 } }

    /// From now on nothing becomes due by itself, however slow this machine is.
    func stopClock() {
        let moment = now
        stoppedAt.withLock { $0 = moment }
    }

    func putForward(days: Int64) { clock.withLock { $0 += days * 86_400_000 } }

    func declare(_ subscriptions: String) throws {
        let declared = try SubscriptionSettingsTests.settings("subscriptions: \(subscriptions)").subscriptions
        settings.withLock { $0.subscriptions = declared }
    }

    func moveHandler(to url: String) { settings.withLock { $0.application.publicURL = url } }

    /// Another owner, who knows nothing but what the registry has.
    ///
    /// - Parameter drain: Who drains the queues; `nil`: nobody.
    func makeWork(drain: (any OfflineDraining)? = nil) -> RESTWork {
        let settings = settings.withLock { $0 }
        let workMetrics = RESTWorkMetrics(factory: metrics)
        let access = RegistryAccess(
            registry: registry,
            keyring: keyring,
            metrics: workMetrics,
            now: { [self] in now },
            logger: logs.logger
        )
        var pace = WorkPace(reconcileEvery: settings.subscriptions.reconcileEvery)
        pace.tick = .milliseconds(20)
        pace.scanEvery = .milliseconds(200)
        return RESTWork(
            settings: settings,
            registry: registry,
            client: RESTClient(http: http, settings: rest, access: access),
            drain: drain,
            metrics: workMetrics,
            pace: pace,
            now: { [self] in now },
            logger: logs.logger
        )
    }

    /// Owns the work while `body` runs.
    func owning<Value>(
        drain: (any OfflineDraining)? = nil,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let work = makeWork(drain: drain)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await work.run() }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    // MARK: What is seen

    func portal(_ portal: String) throws -> RegisteredPortal { try #require(registry.portal(try member(portal))) }

    /// Events that are bound online at the bridge's address, sorted.
    func bound(_ portal: String, at url: String = publicURL) throws -> [String] {
        let handler = "\(url)/b24/events/\(try member(portal))"
        return try #require(standIn.portal(portal)).bindings.filter { $0.handler == handler }.map(\.event).sorted()
    }

    func counted(_ name: String, _ label: String, _ value: String) -> Int {
        Int(metrics.value("b24bridge_\(name)_total", [(label, value)]) ?? 0)
    }

    func waitFor(
        _ what: String,
        _ portal: String = "1",
        sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (RegisteredPortal) throws -> Bool
    ) async throws {
        try await wait(
            for: "\(what); \(String(describing: try? self.portal(portal).bindings)); \(logs.lines.suffix(5))",
            sourceLocation: sourceLocation
        ) {
            try condition(try self.portal(portal))
        }
    }

    func waitForConnection(_ portal: String = "1", _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await waitFor("connected", portal, sourceLocation: sourceLocation) { $0.state == .connected }
    }

    /// Gives an order and waits for its report.
    func order(
        _ kind: RegisteredPortal.Order.Kind,
        _ portal: String = "1",
        since: Int64? = nil
    ) async throws -> PortalReport {
        let order = RegisteredPortal.Order(id: UUID().uuidString, kind: kind, at: now, since: since)
        try await registry.change(try member(portal)) { $0.order = order }
        try await waitFor("a report", portal) { $0.report?.orderID == order.id }
        return try PortalReport(json: try #require(try self.portal(portal).report).json)
    }
}
