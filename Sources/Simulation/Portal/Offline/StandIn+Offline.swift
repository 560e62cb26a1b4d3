/// The queues of offline events, for whoever plays with the portals and for whoever checks what came of the rows.
extension StandIn {
    /// One row, from when it was made to its end.
    package struct OfflineRow: Sendable, Equatable {
        package let id: Int
        package let event: String
        /// The changed object's number; empty for an event with data of its own.
        package let object: String
        package let connector: String
        /// What TIMESTAMP_X was when the row was handed out last, by `event.offline.get`; Unix seconds. `nil`: it never was.
        package let handedOutAt: Int?
        package let isReserved: Bool
        /// By the application.
        package let isCleared: Bool
        /// As erroneous, by the application.
        package let isMarked: Bool
        /// Gone without the application's asking for it: it was uninstalled, or a like row was marked.
        package let isRemoved: Bool
    }

    /// How many rows of a queue there are of each kind.
    package struct OfflineSummary: Sendable, Equatable {
        package internal(set) var made = 0
        /// Neither reserved nor marked.
        package internal(set) var waiting = 0
        /// Marked ones included.
        package internal(set) var reserved = 0
        /// Erroneous and still there.
        package internal(set) var marked = 0
        package internal(set) var cleared = 0
        package internal(set) var removed = 0
    }

    /// Changes so many objects whose event is bound offline, as one hit.
    ///
    /// - Parameters:
    ///   - code: `nil`: all that are bound offline, in turn.
    ///   - first: The first object's number; `nil`: one that the queue has not had.
    ///   - connector: The application itself changes them, by calls with this `auth_connector`.
    ///   - signals: Whether the application is told that there is something.
    /// - Returns: how many rows that makes; 0 where nothing is bound offline.
    @discardableResult
    package func addOfflineRows(
        _ count: Int,
        code: String? = nil,
        first: Int? = nil,
        portal: String,
        user: Int? = 1,
        connector: String? = nil,
        signals: Bool = true
    ) -> Int {
        host.change { world in
            guard let index = world.index(of: portal) else { return 0 }
            return world.addOfflineRows(
                count,
                code: code?.uppercased(),
                first: first,
                of: index,
                by: user,
                connector: connector,
                signals: signals
            ) ?? 0
        }
    }

    /// Every row that the portal has ever made, in the order of their IDs.
    package func offlineRows(of portal: String) -> [OfflineRow] {
        host.look { world in world.index(of: portal).map { world.offlineRows(of: $0) } ?? [] }
    }

    package func offlineSummary(of portal: String) -> OfflineSummary? {
        host.look { world in world.index(of: portal).map { world.queues[$0].summary } }
    }
}

extension PortalWorld {
    func offlineRows(of index: Int) -> [StandIn.OfflineRow] {
        queues[index].rows.enumerated().map { slot, row in
            StandIn.OfflineRow(
                id: OfflineQueue.id(slot),
                event: kinds[Int(row.key.kind)].code,
                object: row.key.object < 0 ? "" : "\(row.key.object)",
                connector: connectors[Int(row.key.connector)],
                handedOutAt: row.handedOutAt == 0 ? nil : Int(row.handedOutAt),
                isReserved: row.state == .reserved,
                isCleared: row.state == .cleared,
                isMarked: row.isErroneous,
                isRemoved: row.state == .removed
            )
        }
    }
}
