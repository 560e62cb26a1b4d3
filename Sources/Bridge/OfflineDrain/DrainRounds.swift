/// Has portals drained by whoever owns that, order after order, until nothing is left.
package struct DrainRounds: Sendable {
    /// What came of it at one portal.
    package struct Outcome: Sendable, Equatable {
        package let memberID: String
        package var rows = 0
        package var recovered = 0
        package var deadLettered = 0
        /// Its queue was seen empty.
        package var isEmpty = false
        /// A whole round brought nothing, and nobody said why.
        package var isStuck = false
        /// Events that are declared online and not offline.
        package var onlineOnly: [String] = []
        package var error: PortalReport.Fault?

        init(_ memberID: String) { self.memberID = memberID }

        /// There is more to be ordered: its queue is not empty, and nothing is the matter.
        package var isOpen: Bool { !isEmpty && !isStuck && error == nil }

        fileprivate mutating func take(_ report: PortalReport) {
            let before = rows + recovered + deadLettered
            if let drained = report.drained {
                rows += drained.rows
                recovered += drained.recovered
                deadLettered += drained.deadLettered
                isEmpty = drained.isEmpty
                onlineOnly = drained.onlineOnly
            }
            error = report.error
            isStuck = isOpen && rows + recovered + deadLettered == before
        }
    }

    private let orders: PortalOrders

    package init(_ orders: PortalOrders) { self.orders = orders }

    /// - Parameters:
    ///   - since: Milliseconds since 1970: what was changed then or later is recovered, in every round: an owner who takes over
    ///     knows nothing of the first. `nil`: only rows that wait.
    ///   - isOnce: One round, whatever is left.
    ///   - progress: Called as portals are done with, with all of them.
    /// - Returns: of each portal, in their order.
    package func run(
        at memberIDs: [String],
        since: Int64? = nil,
        isOnce: Bool = false,
        isStopped: @escaping @Sendable () -> Bool = { false },
        progress: ([Outcome]) -> Void = { _ in }
    ) async -> [Outcome] {
        var outcomes = memberIDs.map(Outcome.init)
        let places = Dictionary(memberIDs.enumerated().map { ($1, $0) }) { first, _ in first }
        repeat {
            let open = outcomes.filter(\.isOpen).map(\.memberID)
            guard !open.isEmpty else { break }
            await orders.carryOut(since == nil ? .drain : .recover, since: since, at: open, isStopped: isStopped) {
                memberID,
                answer in
                guard let place = places[memberID] else { return }
                switch answer {
                case .report(let report): outcomes[place].take(report)
                case .nothing(let words):
                    // Nothing is the matter with what was stopped.
                    if !isStopped() { outcomes[place].error = .init(code: "no_answer", message: words) }
                }
                progress(outcomes)
            }
            // Others who ask of the same portals have their turn between.
            if outcomes.contains(where: \.isOpen) { try? await Task.sleep(for: .milliseconds(250)) }
        } while !isOnce && !isStopped()
        return outcomes
    }
}
