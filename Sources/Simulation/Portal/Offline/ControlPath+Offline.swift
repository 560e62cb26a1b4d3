/// The queues of offline events at the control path.
extension PortalWorld {
    /// - Returns: `nil`: nothing of it is bound offline.
    mutating func addOfflineRows(_ parameters: PHPValue, _ chosen: [Int]) -> PHPValue? {
        func text(_ name: String) -> String? { parameters[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        var rows = 0
        var portals = 0
        for index in chosen {
            let made = addOfflineRows(
                min(max(text("count").flatMap { Int($0) } ?? 1, 0), 1_000_000),
                code: text("code")?.uppercased(),
                first: text("first").flatMap { Int($0) }.map { max(0, $0) },
                of: index,
                by: text("robot") == nil ? 1 : nil,
                connector: parameters["connector"]?.text,
                signals: text("signal") != "N"
            )
            guard let made else { continue }
            portals += 1
            rows += made
        }
        return portals == 0 ? nil : ["done": true, "rows": .int(rows), "portals": .int(portals)]
    }

    /// A portal's queue with every row that it ever made, or the counts of all.
    func shownOffline(_ portal: String) -> PHPValue? {
        if portal.isEmpty || portal == "all" { return .list(portals.indices.map(summary)) }
        guard let index = index(of: portal) else { return nil }
        var shown = summary(of: index)
        shown.set(
            "columns",
            ["id", "event", "object", "connector", "time", "reserved", "cleared", "marked", "removed"]
        )
        shown.set(
            "rows",
            .list(
                offlineRows(of: index).map { row in
                    [
                        .int(row.id), .text(row.event), .text(row.object), .text(row.connector),
                        row.handedOutAt.map { .int($0) } ?? .null, .bool(row.isReserved), .bool(row.isCleared),
                        .bool(row.isMarked), .bool(row.isRemoved),
                    ]
                }
            )
        )
        return shown
    }

    private func summary(of index: Int) -> PHPValue {
        let summary = queues[index].summary
        return [
            "portal": .text(portals[index].memberID), "made": .int(summary.made), "waiting": .int(summary.waiting),
            "reserved": .int(summary.reserved), "marked": .int(summary.marked), "cleared": .int(summary.cleared),
            "removed": .int(summary.removed),
        ]
    }
}
