import AsyncHTTPClient
import Bitrix24
import Bitrix24REST
import Foundation
import Ingress
import Locks
import Synchronization
import Telemetry
import Testing

@testable import Bridge

/// What a person asks of a portal's offline queues, and what the owner answers.
@Suite struct OfflineOrderTests {
    @Test func `a look tells what the portal holds and what the owner knows`() async throws {
        try await Self.with(
            Self.lists,
            subscriptions: "{offline: [crm.lead], online: [ONCRMDEALADD, ONCRMLEADADD, ONTASKADD]}"
        ) {
            work,
            server in
            let report = try await Self.report(.queue, work)
            let queue = try #require(report.queue)
            #expect(report.error == nil)
            #expect(
                queue.sources == [
                    .init(connector: "", rows: 70, reserved: 1, erroneous: 2, oldest: "2026-03-18T12:32:31+02:00"),
                    .init(connector: "OneC", rows: 0, reserved: 0, erroneous: 0, oldest: nil),
                ]
            )
            #expect(queue.sources.map(\.waiting) == [67, 0])
            #expect(queue.drained == 5 && queue.held == 2 && queue.deadLettered == 1 && queue.problem == "c")
            #expect(queue.emptyAt == 7 && queue.nextAt == 8)
            #expect(queue.onlineOnly == ["ONCRMDEALADD", "ONTASKADD"])
            #expect((49...50).contains(queue.callsLeft), "the look was one call, and the bucket may have leaked since")
            #expect(server.calls.map(\.path) == ["/portal/p/rest/batch"])
        }
    }

    @Test func `a portal that refuses the look is told with its reason, and what the owner knows all the same`()
        async throws
    {
        let refusal = #"{"error":"ACCESS_DENIED","error_description":"Access denied!"}"#
        try await Self.with({ _ in .json(refusal, status: 403) }, subscriptions: "{offline: [crm.lead]}") { work, _ in
            let report = try await Self.report(.queue, work)
            #expect(report.error?.code == "access_denied")
            #expect(report.queue?.sources == [] && report.queue?.drained == 5)
        }
    }

    @Test(arguments: [RegisteredPortal.Order.Kind.queue, .drain, .recover])
    func `a portal without offline events is told which key declares them, and what is lost for good`(
        kind: RegisteredPortal.Order.Kind
    ) async throws {
        try await Self.with(Self.lists, subscriptions: "{online: [ONCRMDEALADD, ONTASKADD]}", connectors: nil) {
            work,
            server in
            let report = try await Self.report(kind, work)
            #expect(report.error?.code == "no_queue")
            #expect(report.error?.message.contains("subscriptions.offline") == true)
            let onlineOnly = report.queue?.onlineOnly ?? report.drained?.onlineOnly
            #expect(onlineOnly == ["ONCRMDEALADD", "ONTASKADD"])
            #expect(server.calls.isEmpty && (work.drain as? FakeDrain)?.calls.isEmpty == true)
        }
    }

    @Test func `an order to recover carries its time, and one to drain has none`() async throws {
        let drain = FakeDrain { _ in .init(rows: 3, deadLettered: 1, recovered: 2, isEmpty: true) }
        try await OwnerStage.with(subscriptions: "{offline: [crm.lead]}") { stage in
            try await stage.owning(drain: drain) {
                try await stage.waitForConnection()
                let orders = PortalOrders(stage.registry, patience: .seconds(30))
                let member = try stage.member("1")
                let asked: [(RegisteredPortal.Order.Kind, Int64?)] = [(.recover, 5), (.drain, nil)]
                for (kind, since) in asked {
                    guard case .report(let report) = await orders.carryOut(kind, since: since, at: member) else {
                        throw WaitingEnded()
                    }
                    #expect(report.error == nil)
                    #expect(
                        report.drained
                            == .init(rows: 3, deadLettered: 1, recovered: 2, isEmpty: true, onlineOnly: [])
                    )
                }
            }
        }
        #expect(drain.calls.map(\.since) == [Int64(5), nil])
        let longest = Duration.milliseconds(RegisteredPortal.orderPatience)
        #expect(drain.calls.allSatisfy { $0.patience > .zero && $0.patience < longest })
    }

    @Test func `a drain that fails is no proof that the portal can be called again`() async throws {
        let drain = FakeDrain { _ in .init(error: .init(code: "no_tokens", message: "install it again")) }
        try await Self.with(Self.lists, subscriptions: "{offline: [crm.lead]}", drain: drain) { work, _ in
            try await work.registry.change("p") { $0.authorization?.needed = "invalid_grant" }
            let report = try await Self.report(.drain, work)
            #expect(report.error?.code == "no_tokens" && report.drained?.isEmpty == false)
            #expect(work.registry.portal("p")?.authorization?.needed == "invalid_grant")
        }
    }

    @Test func `an owner who is stopped while it drains leaves the order to the next`() async throws {
        let drain = FakeDrain { _ in
            try? await Task.sleep(for: .seconds(60))
            return .init()
        }
        try await OwnerStage.with(subscriptions: "{offline: [crm.lead]}") { stage in
            let order = RegisteredPortal.Order(id: "o", kind: .drain, at: stage.now)
            try await stage.owning(drain: drain) {
                try await stage.waitForConnection()
                try await stage.registry.change(try stage.member("1")) { $0.order = order }
                try await wait(for: "the drain") { drain.calls.count == 1 }
            }
            #expect(try stage.portal("1").report == nil && stage.portal("1").order == order)
        }
    }

    @Test func `who asks while another drains waits for that, and hears what he asked`() async throws {
        let isOver = Guarded(false)
        let drain = FakeDrain { _ in
            try? await wait(for: "the end") { isOver.withLock { $0 } }
            return .init(isEmpty: true)
        }
        try await OwnerStage.with(subscriptions: "{offline: [crm.lead]}") { stage in
            try await stage.owning(drain: drain) {
                try await stage.waitForConnection()
                let member = try stage.member("1")
                let patience = Duration.seconds(5)
                let orders = PortalOrders(stage.registry, patience: patience)
                async let drained = orders.carryOut(.drain, at: member)
                try await wait(for: "the drain") { drain.calls.count == 1 }
                async let listed = orders.carryOut(.events, at: member)
                // Longer than anybody would wait without a reason.
                try await Task.sleep(for: patience + .milliseconds(500))
                isOver.withLock { $0 = true }
                guard case .report(let first) = await drained, case .report(let second) = await listed else {
                    throw WaitingEnded()
                }
                #expect(first.drained?.isEmpty == true && second.events?.isEmpty == false)
            }
        }
    }

    @Test func `drains of many portals leave the owner room for others who ask`() async throws {
        let isOver = Guarded(false)
        let drain = FakeDrain { _ in
            try? await wait(for: "the end", within: .seconds(30)) { isOver.withLock { $0 } }
            return .init(isEmpty: true)
        }
        try await OwnerStage.with(portals: 24, subscriptions: "{offline: [crm.lead]}") { stage in
            try await stage.owning(drain: drain) {
                for number in 1...24 { try await stage.waitForConnection("\(number)") }
                let orders = PortalOrders(stage.registry, patience: .seconds(30))
                let all = stage.registry.memberIDs
                async let drained = Self.drained(all, orders)
                try await wait(for: "as many drains as there may be") { drain.calls.count >= 8 }
                // Whoever asks of all the others is answered while these go on, and a ninth drain would have begun by then.
                let others = Set(all).subtracting(drain.calls.map(\.memberID))
                for other in others.sorted() {
                    guard case .report = await orders.carryOut(.events, at: other) else { throw WaitingEnded() }
                }
                #expect(drain.calls.count == 8)
                isOver.withLock { $0 = true }
                #expect(await drained == 24)
            }
        }
    }

    /// - Returns: how many queues were seen empty.
    private static func drained(_ memberIDs: [String], _ orders: PortalOrders) async -> Int {
        var count = 0
        await orders.carryOut(.drain, at: memberIDs) { _, answer in
            if case .report(let report) = answer, report.drained?.isEmpty == true { count += 1 }
        }
        return count
    }

    @Test func `drains that many have ordered leave the owner room for others who ask`() async throws {
        let gate = Guarded((now: 0, most: 0, isOpen: false))
        let drain = FakeDrain { _ in
            gate.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.isOpen) }
            try? await wait(for: "the end") { gate.withLock { $0.isOpen } }
            gate.withLock { $0.now -= 1 }
            return .init(isEmpty: true)
        }
        try await OwnerStage.with(portals: 20, subscriptions: "{offline: [crm.lead]}") { stage in
            try await stage.owning(drain: drain) {
                for number in 1...20 { try await stage.waitForConnection("\(number)") }
                // From several command lines, each of which has eight at the same time.
                for number in 1...19 {
                    let order = RegisteredPortal.Order(id: "o\(number)", kind: .drain, at: stage.now)
                    try await stage.registry.change(try stage.member("\(number)")) { $0.order = order }
                }
                try await wait(for: "drains") { gate.withLock { $0.now == 8 } }
                let orders = PortalOrders(stage.registry, patience: .seconds(30))
                guard case .report = await orders.carryOut(.events, at: try stage.member("20")) else {
                    throw WaitingEnded()
                }
                gate.withLock { $0.isOpen = true }
                for number in 1...19 {
                    try await wait(for: "an answer") { try stage.portal("\(number)").report?.orderID == "o\(number)" }
                }
            }
        }
        #expect(gate.withLock { $0.most } == 8)
    }

    // MARK: One portal `p`, played by a server that answers as it is told

    private static let lists: LoopbackServer.Answer = { _ in
        func row(_ process: String, _ error: Int) -> String {
            #"{"ID":"1","TIMESTAMP_X":"2026-03-18T12:32:31+02:00","PROCESS_ID":"\#(process)","ERROR":"\#(error)"}"#
        }
        let lists = #""c0":[\#(row("", 0))],"c1":[\#(row("x", 0))],"c2":[\#(row("", 1))],"c3":[],"c4":[],"c5":[]"#
        let totals = #""c0":70,"c1":1,"c2":2,"c3":0,"c4":0,"c5":0"#
        return .json(#"{"result":{"result":{\#(lists)},"result_error":[],"result_total":{\#(totals)}},"time":{}}"#)
    }

    private static func with(
        _ answer: @escaping LoopbackServer.Answer,
        subscriptions: String,
        connectors: [String]? = ["OneC"],
        drain: FakeDrain = FakeDrain(),
        _ body: (RESTWork, LoopbackServer) async throws -> Void
    ) async throws {
        try await LoopbackServer.with(answer) { server in
            var settings = try SubscriptionSettingsTests.settings("subscriptions: \(subscriptions)")
            settings.secrets = .init(current: KeyringTests.key("1"), previous: [])
            settings.application.standIn = server.url("")
            let keyring = Keyring(settings.secrets)
            let registry = PortalRegistry()
            let expiry = WallClock.now().milliseconds / 1000 + 3600
            let sealed = try SealedTokens.seal(
                OAuthTokens(access: "access", refresh: "refresh", accessExpiresAt: expiry),
                of: "p",
                with: keyring
            )
            try await registry.change("p") { portal in
                portal.installation = .sample()
                portal.installation?.clientEndpoint = server.url("/portal/p/rest/")
                portal.authorization = .init(sealed: sealed, accessExpiresAt: expiry, refreshedAt: 0)
                portal.bindings = .init(installedAt: 1, fingerprint: "", reconciledAt: 1, bound: 1, drift: 0)
                portal.bindings?.connectors = connectors
            }
            let (metrics, logger) = (RESTWorkMetrics(factory: MetricsRegistry()), LogLines().logger)
            let access = RegistryAccess(registry: registry, keyring: keyring, metrics: metrics, logger: logger)
            let http = AsyncHTTPClient.HTTPClient(
                eventLoopGroupProvider: .singleton,
                configuration: settings.restSettings.httpConfiguration
            )
            let client = RESTClient(http: http, settings: settings.restSettings, access: access)
            let work = RESTWork(
                settings: settings,
                registry: registry,
                client: client,
                drain: drain,
                metrics: metrics,
                logger: logger
            )
            do {
                try await body(work, server)
                try await http.shutdown()
            } catch {
                try? await http.shutdown()
                throw error
            }
        }
    }

    private static func report(_ kind: RegisteredPortal.Order.Kind, _ work: RESTWork) async throws -> PortalReport {
        let portal = try #require(work.registry.portal("p"))
        try await work.carryOut(.init(id: "o", kind: kind, at: 1), portal)
        return try PortalReport(json: try #require(work.registry.portal("p")?.report).json)
    }
}

/// Drains nothing and answers as it is told.
final class FakeDrain: OfflineDraining {
    struct Call: Sendable {
        let memberID: String
        let since: Int64?
        let patience: Duration
    }

    private let seen = Guarded<[Call]>([])
    private let answer: @Sendable (Call) async -> OfflineDrain.Result

    init(_ answer: @escaping @Sendable (Call) async -> OfflineDrain.Result = { _ in .init() }) { self.answer = answer }

    var calls: [Call] { seen.withLock { $0 } }

    func drain(_ memberID: String, since: Int64?, patience: Duration) async -> OfflineDrain.Result {
        let call = Call(memberID: memberID, since: since, patience: patience)
        seen.withLock { $0.append(call) }
        return await answer(call)
    }

    func standing(of memberID: String) -> OfflineDrain.Standing? {
        .init(drained: 5, held: 2, deadLettered: 1, emptyAt: 7, oldestChangeAt: 1, errorCode: "c", nextAt: 8)
    }
}
