internal import Bitrix24
internal import Foundation

/// Orders for the owner of the REST work, given from elsewhere: written into the portal's record, where the owner answers.
package struct PortalOrders: Sendable {
    package enum Answer: Sendable {
        case report(PortalReport)
        /// Nobody did it in time, or it could not be ordered; words for people.
        case nothing(String)
    }

    private let registry: PortalRegistry
    /// How long nothing may be answered before nobody is expected to.
    private let patience: Duration

    package init(_ registry: PortalRegistry, patience: Duration) {
        self.registry = registry
        self.patience = patience
    }

    /// No more portals than that are asked at the same time: the owner works on 16. What takes it long leaves it some for
    /// others who ask.
    private static func width(_ kind: RegisteredPortal.Order.Kind) -> Int { kind.ownersPatience > .zero ? 8 : 24 }

    /// Gives the same order to many portals. `answered` is called as each of them is done with, in no order.
    ///
    /// - Parameters:
    ///   - since: With `recover`: rows that were changed then or later, in milliseconds since 1970.
    ///   - isStopped: Asked now and then; no more portals are asked once it is true.
    package func carryOut(
        _ kind: RegisteredPortal.Order.Kind,
        since: Int64? = nil,
        at memberIDs: [String],
        isStopped: @escaping @Sendable () -> Bool = { false },
        answered: (String, Answer) -> Void
    ) async {
        let progress = Progress()
        await withTaskGroup(of: (String, Answer).self) { group in
            var rest = memberIDs[...]
            func next() {
                guard !isStopped(), let memberID = rest.popFirst() else { return }
                group.addTask { (memberID, await carryOut(kind, since, at: memberID, progress, isStopped)) }
            }
            for _ in 0..<Self.width(kind) { next() }
            for await (memberID, answer) in group {
                answered(memberID, answer)
                next()
            }
        }
    }

    /// Gives one order and waits for what came of it.
    ///
    /// - Returns: the order's id as well, which an order to test sends with its event.
    package func carryOut(
        _ kind: RegisteredPortal.Order.Kind,
        since: Int64? = nil,
        at memberID: String,
        id: String = UUID().uuidString.lowercased()
    ) async -> Answer {
        await carryOut(kind, since, at: memberID, id: id, Progress()) { false }
    }

    /// When the owner last answered anything.
    private actor Progress {
        private(set) var last = ContinuousClock.now

        func made() { last = .now }
    }

    private func carryOut(
        _ kind: RegisteredPortal.Order.Kind,
        _ since: Int64?,
        at memberID: String,
        id: String = UUID().uuidString.lowercased(),
        _ progress: Progress,
        _ isStopped: @Sendable () -> Bool
    ) async -> Answer {
        func give() async throws(RegistryError) {
            let order = RegisteredPortal.Order(id: id, kind: kind, at: WallClock.now().milliseconds, since: since)
            try await self.give(order, to: memberID)
        }
        do throws(RegistryError) {
            try await give()
        } catch {
            return .nothing("the order could not be given: \(error)")
        }
        var answer = Answer.nothing("stopped before it was done")
        // When it was its turn at the portal.
        var placedAt: ContinuousClock.Instant?
        while !isStopped() {
            if let report = registry.portal(memberID)?.report, report.orderID == id {
                await progress.made()
                answer = (try? PortalReport(json: report.json)).map(Answer.report) ?? .nothing(Self.unreadable)
                break
            }
            guard var portal = registry.portal(memberID) else {
                answer = .nothing("the portal is not in the registry any more")
                break
            }
            // Somebody else's order may have been there, or have taken its place.
            if portal.order?.id != id, !portal.awaitsAnswer(at: WallClock.now().milliseconds) {
                try? await give()
                portal = registry.portal(memberID) ?? portal
            }
            var patience = patience + kind.ownersPatience
            if let order = portal.order, order.id == id {
                if placedAt == nil { placedAt = .now }
            } else if placedAt == nil {
                // Somebody else's comes before, and takes its time as well.
                patience += portal.order?.kind.ownersPatience ?? .zero
            }
            let last = await progress.last
            guard ContinuousClock.now - max(last, placedAt ?? last) < patience else {
                answer = .nothing(Self.nobody(patience))
                break
            }
            do { try await Task.sleep(for: .milliseconds(25)) } catch { break }
        }
        await withdraw(id, at: memberID)
        return answer
    }

    /// Unless somebody waits for the answer to another. A portal that was taken out is not brought back.
    private func give(_ order: RegisteredPortal.Order, to memberID: String) async throws(RegistryError) {
        try await registry.change(memberID) { portal in
            if !portal.isEmpty, !portal.awaitsAnswer(at: order.at) { portal.order = order }
        }
    }

    /// Leaves nothing behind. If it fails, the owner forgets it in time.
    private func withdraw(_ id: String, at memberID: String) async {
        _ = try? await registry.change(memberID) { portal in
            if portal.order?.id == id { portal.order = nil }
            if portal.report?.orderID == id { portal.report = nil }
        }
    }

    private static let unreadable = "the answer is of a newer bridge; use its own command line"

    private static func nobody(_ patience: Duration) -> String {
        "no bridge answered within \(patience.components.seconds) s; is one running with this registry (kafka.registryTopic), and "
            + "has it read it? Its metric b24bridge_registry_owner is 1 at the replica that does this work"
    }
}
