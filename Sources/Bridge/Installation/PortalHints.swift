internal import Bitrix24
internal import Foundation
internal import Locks
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// Lets one call of a portal through in a minute.
final class PortalPace: Sendable {
    static let interval: Duration = .seconds(60)
    /// Portals that had theirs in that time. Beyond it none is let through.
    static let maxPortals = 10_000

    private let takenAt = Guarded<[String: ContinuousClock.Instant]>([:])

    func take(_ memberID: String, at now: ContinuousClock.Instant = .now) -> Bool {
        takenAt.withLock { takenAt in
            if let last = takenAt[memberID], now - last < Self.interval { return false }
            if takenAt.count >= Self.maxPortals {
                takenAt = takenAt.filter { now - $0.value < Self.interval }
                guard takenAt.count < Self.maxPortals else { return false }
            }
            takenAt[memberID] = now
            return true
        }
    }
}

/// Signs in events that a portal is not what the registry says: another domain, a payment that nobody vouches for. None is
/// believed; the owner of the REST work is asked to look. What is dropped the daily reconciliation sees.
final class PortalHints: Sendable {
    private let pace = PortalPace()
    private let waiting = Guarded<[String]>([])
    let bell = Bell()

    func add(_ memberID: String) {
        guard pace.take(memberID) else { return }
        waiting.withLock { $0.append(memberID) }
        bell.ring()
    }

    func take() -> [String] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}

/// Turns hints into orders.
struct HintService: Service, CustomStringConvertible {
    let hints: PortalHints
    let registry: PortalRegistry
    let logger: Logger

    var description: String { "HintService" }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in hints.bell.rings {
                for memberID in hints.take() where registry.portal(memberID)?.isInstalled == true {
                    await order(memberID)
                }
            }
        }
    }

    private func order(_ memberID: String) async {
        let now = WallClock.now().milliseconds
        let order = RegisteredPortal.Order(id: UUID().uuidString, kind: .check, at: now)
        do throws(RegistryError) {
            try await registry.change(memberID, until: .here) { portal in
                // The work that is ordered already looks at the portal as well.
                if !portal.awaitsAnswer(at: now) { portal.order = order }
            }
        } catch {
            logger.warning(
                "a portal could not be marked for a check",
                metadata: ["portal": "\(memberID)", "error": "\(error)"]
            )
        }
    }
}
