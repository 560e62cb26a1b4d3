/// The queue of offline events. All of it needs an administrator's token, and reserving needs a plan that has it
/// (`access_denied`, `wrong_license`).
///
/// Each of these names the queue by `connector`, the source key of its bindings; empty is the queue without one.
///
/// **Nothing is repeated, and nothing waits.** Whoever empties the queues of many portals puts one off that is slow or does not
/// answer: each call fails at once, with `retryAfter` where the portal says how long. Only a refused token is renewed and a
/// moved portal looked for, and then the call is made again. `surveyOfflineQueues` is as patient as any other call.
///
/// **Lost answers.** The portal may have done what was not answered. Looking, clearing and marking can be done twice: they name
/// their rows. A reservation whose answer got lost, or was `tooLarge`, holds rows under a process id that nobody has learned.
/// No row is lost by that, as none is taken out of the queue before it is cleared by its id. But no `reserveOfflineRows` gives
/// these rows again: `offlineRows` finds them by `reserved`, and `reservedOfflineRows` reads them with the process id that they
/// have. So whoever empties a queue must look for such rows every now and then, and after each reservation that failed.
extension RESTClient {
    /// Which rows to reserve.
    package struct OfflineSelection: Sendable, Equatable {
        /// 1 or more. Bitrix24 documents no maximum, and 50 as its default.
        package var limit: Int
        /// RFC 3339: rows changed then or later only.
        package var since: String?
        /// Those that were marked as erroneous, in place of the others.
        package var erroneous = false
        /// An ID: rows with a greater one only, in the order of their IDs. Whoever reads rows that stay where they are goes
        /// through them by this.
        package var after: String?

        package init(limit: Int, since: String? = nil, erroneous: Bool = false, after: String? = nil) {
            self.limit = limit
            self.since = since
            self.erroneous = erroneous
            self.after = after
        }

        fileprivate var parameters: [String: JSONValue] {
            var filter: [String: JSONValue] = [:]
            if let since { filter[">=TIMESTAMP_X"] = .string(since) }
            if let after { filter[">ID"] = .string(after) }
            // By one field only: the members of `json` stand in the order of their names, which is not that of their weight.
            var parameters: [String: JSONValue] = ["order": after == nil ? ["TIMESTAMP_X": "ASC"] : ["ID": "ASC"]]
            parameters["limit"] = .int(Int64(max(limit, 1)))
            if !filter.isEmpty { parameters["filter"] = .object(filter) }
            if erroneous { parameters["error"] = 1 }
            return parameters
        }
    }

    /// A filter of `offlineRows` for those that are reserved. A row without a process id may come all the same, where a portal
    /// compares in its own way.
    package static var reserved: [String: JSONValue] { [">PROCESS_ID": ""] }

    /// Reserves rows, the one changed first at the front. They stay in the queue until they are cleared: what is reserved and
    /// then forgotten is found by `offlineRows`.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-get.md, which deletes the rows at once unless told not to.
    package func reserveOfflineRows(
        _ selection: OfflineSelection,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineReservation {
        try await reservation(selection.parameters, connector, of: memberID)
    }

    /// Reads again what is reserved under `processID`: rows that are not marked as erroneous, or those that are, never both.
    /// No rows: it has none of them any more.
    package func reservedOfflineRows(
        _ processID: String,
        _ selection: OfflineSelection,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineReservation {
        var parameters = selection.parameters
        parameters["process_id"] = .string(processID)
        return try await reservation(parameters, connector, of: memberID)
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
        let result = try await call(method, parameters, of: memberID, .failsAtOnce)
        // Where there are no rows, some portals send no list.
        let noRows = result["process_id"] != nil && [nil, .null, .bool(false)].contains(result["events"])
        guard let rows = noRows ? [] : OfflineRow.list(result["events"]) else {
            throw CallName(portal: memberID, method: method)
                .error(.notJSON, status: 200, "answered without a list of events")
        }
        return OfflineReservation(
            processID: result["process_id"]?.text ?? parameters["process_id"]?.text ?? "",
            rows: rows
        )
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
        start: Int = 0,
        connector: String,
        of memberID: String
    ) async throws(RESTError) -> OfflineListing {
        let call = Self.listCall(filter, start: start, connector: connector)
        let answer = try await answer(
            call.method,
            call.parameters,
            of: memberID,
            limitedBy: [call.method],
            .failsAtOnce
        )
        let listing = OfflineListing(
            answer.result,
            from: start,
            total: answer.json["total"]?.integer.map(Int.init),
            next: answer.json["next"]?.integer.map(Int.init)
        )
        guard let listing else { throw Self.noList(of: memberID) }
        return listing
    }

    /// - Parameter order: The field to order by. The rows of several pages need one that does not change.
    static func listCall(
        _ filter: [String: JSONValue] = [:],
        order: String = "ID",
        start: Int = 0,
        connector: String
    ) -> BatchCall {
        var parameters: [String: JSONValue] = ["order": [order: "ASC"], "start": .int(Int64(start))]
        if !filter.isEmpty { parameters["filter"] = .object(filter) }
        return BatchCall(listMethod, queue(parameters, connector))
    }

    static func noList(of memberID: String) -> RESTError {
        CallName(portal: memberID, method: listMethod).error(.notJSON, status: 200, "answered without a list")
    }

    private static let listMethod = "event.offline.list"

    /// Takes rows out of the queue for good. Those alone: without ids Bitrix24 would take all that is reserved with them.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-clear.md
    ///
    /// - Throws: `notDone` when Bitrix24 says so: the rows are still there.
    package func clearOfflineRows(
        _ ids: [String],
        reservedAs processID: String,
        connector: String,
        of memberID: String
    ) async throws(RESTError) {
        // Never both kinds of ids: the documentation and the platform differ in which of them counts.
        try await settle("event.offline.clear", ["id": ids], processID, connector, of: memberID)
    }

    /// Marks rows as ones that cannot be processed: they stay, and are reserved again only when asked for.
    ///
    /// Source: b24restdocs, api-reference/events/event-offline-error.md
    ///
    /// - Throws: `notDone` when Bitrix24 says so: the rows are still reserved.
    package func markOfflineRows(
        _ messageIDs: [String],
        reservedAs processID: String,
        connector: String,
        of memberID: String
    ) async throws(RESTError) {
        try await settle("event.offline.error", ["message_id": messageIDs], processID, connector, of: memberID)
    }

    private func settle(
        _ method: String,
        _ rows: [String: [String]],
        _ processID: String,
        _ connector: String,
        of memberID: String
    ) async throws(RESTError) {
        // An empty list would stand for all that is reserved with them.
        let named = rows.mapValues { $0.filter { !$0.isEmpty } }.filter { !$0.value.isEmpty }
        guard !named.isEmpty, !processID.isEmpty else { return }
        var parameters = named.mapValues { JSONValue.array($0.map { .string($0) }) }
        parameters["process_id"] = .string(processID)
        let result = try await call(method, Self.queue(parameters, connector), of: memberID, .failsAtOnce)
        guard result.flag == true else {
            throw CallName(portal: memberID, method: method)
                .error(.notDone, status: 200, "the portal did not do it, without saying why")
        }
    }

    static func queue(_ parameters: [String: JSONValue], _ connector: String) -> [String: JSONValue] {
        connector.isEmpty ? parameters : parameters.merging(["auth_connector": .string(connector)]) { $1 }
    }
}
