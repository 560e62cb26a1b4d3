/// The queue of offline events. All of it needs an administrator's token, and reserving needs a plan that has it.
///
/// Each of these names the queue by `connector`, the source key of its bindings; empty is the queue without one.
extension RESTClient {
    /// Which rows to reserve.
    package struct OfflineSelection: Sendable, Equatable {
        /// 1 or more. Bitrix24 documents no maximum, and 50 as its default.
        package var limit: Int
        /// RFC 3339: rows changed then or later only.
        package var since: String?
        /// Those that were marked as erroneous, in place of the others.
        package var erroneous = false

        package init(limit: Int, since: String? = nil, erroneous: Bool = false) {
            self.limit = limit
            self.since = since
            self.erroneous = erroneous
        }
    }

    /// Reserves rows, the one changed first at the front. They stay in the queue until they are cleared: what is reserved and
    /// then forgotten is found by `offlineRows`.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-get.md, which deletes the rows at once unless told not to.
    package func reserveOfflineRows(
        _ selection: OfflineSelection,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineReservation {
        var parameters: [String: JSONValue] = ["limit": .int(Int64(selection.limit))]
        parameters["order"] = ["TIMESTAMP_X": "ASC"]
        if let since = selection.since { parameters["filter"] = [">=TIMESTAMP_X": .string(since)] }
        if selection.erroneous { parameters["error"] = 1 }
        return try await reservation(parameters, connector, of: memberID)
    }

    /// Reads again what is reserved under `processID`, at most `limit` rows of it.
    package func reservedOfflineRows(
        _ processID: String,
        limit: Int,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineReservation {
        try await reservation(
            ["limit": .int(Int64(limit)), "process_id": .string(processID)],
            connector,
            of: memberID
        )
    }

    private func reservation(
        _ parameters: [String: JSONValue],
        _ connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineReservation {
        let method = "event.offline.get"
        var parameters = Self.queue(parameters, connector)
        // Without it Bitrix24 deletes what it answers, also what was reserved before.
        parameters["clear"] = 0
        let result = try await call(method, parameters, of: memberID)
        guard let events = result["events"]?.elements else {
            throw CallName(portal: memberID, method: method).error(
                .notJSON,
                status: 200,
                "answered without a list of events"
            )
        }
        let processID = result["process_id"]?.text ?? parameters["process_id"]?.text ?? ""
        guard events.isEmpty || !processID.isEmpty else {
            throw CallName(portal: memberID, method: method).error(
                .notJSON,
                status: 200,
                "answered without a process_id"
            )
        }
        return OfflineReservation(processID: processID, rows: events.map(OfflineRow.init))
    }

    /// Looks without taking anything.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-list.md
    ///
    /// - Parameters:
    ///   - filter: As Bitrix24 wants it, an operator before each name.
    ///   - start: 0, 50, 100…
    package func offlineRows(
        filter: [String: JSONValue] = [:],
        order: [String: JSONValue] = ["ID": "ASC"],
        start: Int = 0,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineListing {
        let method = "event.offline.list"
        var parameters = Self.queue(["order": .object(order), "start": .int(Int64(start))], connector)
        if !filter.isEmpty { parameters["filter"] = .object(filter) }
        let answer = try await answer(method, parameters, of: memberID, limitedBy: [method])
        guard let rows = answer.result?.elements else {
            throw CallName(portal: memberID, method: method).error(.notJSON, status: 200, "answered without a list")
        }
        return OfflineListing(
            rows: rows.map(OfflineRow.init),
            total: answer.json["total"]?.integer.map(Int.init) ?? rows.count,
            next: answer.json["next"]?.integer.map(Int.init)
        )
    }

    /// Takes rows out of the queue for good. Those alone: without ids Bitrix24 would take all that is reserved with them.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-clear.md
    package func clearOfflineRows(
        _ ids: [String],
        reservedAs processID: String,
        connector: String,
        of memberID: String
    ) async throws(RESTError) {
        guard !ids.isEmpty else { return }
        let parameters: [String: JSONValue] = [
            "process_id": .string(processID), "id": .array(ids.map { .string($0) }),
        ]
        try await call("event.offline.clear", Self.queue(parameters, connector), of: memberID)
    }

    /// Marks rows as ones that cannot be processed: they stay, and are reserved again only when asked for.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-error.md
    package func markOfflineRows(
        _ messageIDs: [String],
        reservedAs processID: String,
        connector: String,
        of memberID: String
    ) async throws(RESTError) {
        guard !messageIDs.isEmpty else { return }
        let parameters: [String: JSONValue] = [
            "process_id": .string(processID), "message_id": .array(messageIDs.map { .string($0) }),
        ]
        try await call("event.offline.error", Self.queue(parameters, connector), of: memberID)
    }

    static func queue(_ parameters: [String: JSONValue], _ connector: String) -> [String: JSONValue] {
        connector.isEmpty ? parameters : parameters.merging(["auth_connector": .string(connector)]) { $1 }
    }

    /// What is left of the portal's rate.
    package func budget(of memberID: String) -> CallBudget { limiter.budget(of: memberID) }
}

/// What a portal's rate allows now.
package struct CallBudget: Sendable, Equatable {
    /// Calls that could be made at once.
    package let calls: Int
    /// Until the next one could be made.
    package let wait: Duration
}
