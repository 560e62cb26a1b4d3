import Bitrix24
import Foundation
import Ingress
import Locks
import NIOCore
import NIOPosix
import Synchronization

@testable import Bridge

/// The admin port over a status that is made up.
final class StatusStage: Sendable {
    let report: Guarded<StatusReport>
    let portals: Guarded<[PortalStatus]>
    private let listening = Guarded<(port: Int, task: Task<Void, any Error>)?>(nil)

    private init(_ report: StatusReport, _ portals: [PortalStatus]) {
        self.report = Guarded(report)
        self.portals = Guarded(portals)
    }

    var port: Int { listening.withLock { $0?.port ?? 0 } }

    var url: String { "http://127.0.0.1:\(port)/" }

    static func with<Value>(
        _ report: StatusReport = .idle,
        _ portals: [PortalStatus] = [],
        _ body: (StatusStage) async throws -> Value
    ) async throws -> Value {
        let stage = StatusStage(report, portals)
        try await stage.start(port: 0)
        do {
            let value = try await body(stage)
            await stage.stop()
            return value
        } catch {
            await stage.stop()
            throw error
        }
    }

    func start(port: Int) async throws {
        let listener = HTTPListener(
            configuration: ListenerConfiguration(name: "admin", host: "127.0.0.1", port: port),
            eventLoopGroup: .singleton,
            logger: LogLines().logger,
            makeHandler: { _ in
                AdminResponder(
                    health: HealthModel(),
                    report: { self.report.withLock { $0 } },
                    portals: { self.portals(matching: $0, limit: $1) },
                    metrics: { [] }
                )
            }
        )
        let task = Task { try await listener.run() }
        let bound = try await listener.boundAddress.port ?? 0
        listening.withLock { $0 = (bound, task) }
    }

    /// Its connections are closed with it.
    func stop() async {
        guard let task = listening.withLock({ $0?.task }) else { return }
        task.cancel()
        _ = await task.result
    }

    private func portals(matching find: String, limit: Int) -> PortalPage {
        let portals = portals.withLock { $0 }
        let now = WallClock.now().milliseconds
        return PortalPage(
            of: PortalDirectory(
                portals.map {
                    Portal(memberID: $0.memberId, domain: $0.domain, applicationTokens: [], webhookTokens: [])
                }
            ),
            states: Dictionary(uniqueKeysWithValues: portals.map { ($0.memberId, .init(rawValue: $0.state)) }),
            heard: Dictionary(
                uniqueKeysWithValues: portals.compactMap { portal in
                    portal.activity(at: now).map { (portal.memberId, $0) }
                }
            ),
            matching: find,
            limit: limit,
            now: now
        )
    }
}

extension PortalStatus {
    /// What would be told so.
    fileprivate func activity(at now: Int64) -> PortalActivity? {
        lastEventSecondsAgo.map { seconds in
            let lastAt = now - Int64(seconds) * 1000
            var activity = PortalActivity(
                lastAt: lastAt,
                watchedSince: lastAt - (longestSilenceSeconds == nil ? 0 : PortalActivity.apprenticeship),
                absence: silent ? 0 : now - lastAt,
                pauses: DailyPauses(newest: lastAt / 86_400_000, seconds: [UInt32(longestSilenceSeconds ?? 0)])
            )
            activity.heard(events, at: lastAt)
            return activity
        }
    }
}
