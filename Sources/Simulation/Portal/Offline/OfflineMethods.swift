/// b24restdocs, api-reference/events/event-offline-get.md and its neighbours; what these leave open is as in Bitrix24
/// On-Premise, module `rest` 26, lib/api/event.php.
extension PortalWorld {
    private static let accessDenied = RESTResult.failure(403, "ACCESS_DENIED", "Access denied!")
    private static let pageRows = 50

    mutating func takeOfflineRows(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        if let refusal = Self.refusal(of: caller) { return refusal }
        let clears = Self.number(call, "clear") ?? 1 != 0
        guard clears || settings.hasProfessionalPlan else {
            return .failure(403, "WRONG_LICENSE", "Your license does not allow extended offline events handling")
        }
        let limit = Self.number(call, "limit") ?? Self.pageRows
        guard limit > 0 else { return Self.refused("Value must be positive integer") }
        let filter: OfflineFilter
        do throws(OfflineFilter.Refusal) {
            filter = try .init(call, of: .get, time: portals[index].time)
        } catch {
            return Self.refused(error.words)
        }
        let connector = connector(call)
        let isErroneous = Self.number(call, "error") == 1
        let given = Self.text(call, "process_id")
        let processID: String
        var slots: [Int]
        if let given {
            processID = given
            slots = queues[index].slots(reservedAs: given, connector: connector).filter {
                queues[index].rows[$0].isErroneous == isErroneous && passes($0, filter, of: index)
            }
            slots = Array(sorted(slots, filter, of: index).prefix(limit))
        } else {
            processID = makeSecret()
            if filter.conditions.isEmpty, !isErroneous, filter.isOrdered(by: .changedAt) {
                slots = queues[index].reserveFirst(limit, connector: connector, as: processID)
            } else {
                slots = queues[index].liveRows(connector).filter {
                    let row = queues[index].rows[$0]
                    return row.state == .waiting && row.isErroneous == isErroneous && passes($0, filter, of: index)
                }
                slots = Array(sorted(slots, filter, of: index).prefix(limit))
                queues[index].reserve(slots, as: processID)
            }
        }
        queues[index].handOut(slots)
        let events = slots.map { described($0, of: index) }
        // All that is reserved so goes, and not only what was read.
        if clears, !slots.isEmpty {
            queues[index].clear(queues[index].slots(reservedAs: processID, connector: connector))
        }
        return .result([
            "process_id": clears && given == nil ? .null : .text(processID), "events": .list(events),
        ])
    }

    mutating func listOfflineRows(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        if let refusal = Self.refusal(of: caller) { return refusal }
        let filter: OfflineFilter
        do throws(OfflineFilter.Refusal) {
            filter = try .init(call, of: .list, time: portals[index].time)
        } catch {
            return Self.refused(error.words)
        }
        let connector = connector(call)
        let start = max(0, Self.number(call, "start") ?? 0)
        let candidates =
            filter.wantsReserved ? queues[index].reserved(connector) : queues[index].liveRows(connector)
        let slots = sorted(candidates.filter { passes($0, filter, of: index) }, filter, of: index)
        let page = slots.dropFirst(start).prefix(Self.pageRows)
        let rows = page.map { slot in
            let row = queues[index].rows[slot]
            var described = described(slot, of: index)
            described.set("PROCESS_ID", .text(queues[index].processID(of: row)))
            described.set("ERROR", row.isErroneous ? "1" : "0")
            return described
        }
        var more: [PHPValue.Member] = []
        if start + rows.count < slots.count { more.append(.init("next", .int(start + rows.count))) }
        more.append(.init("total", .int(slots.count)))
        return .result(.list(rows), more: more)
    }

    mutating func clearOfflineRows(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        if let refusal = Self.refusal(of: caller) { return refusal }
        guard let processID = Self.text(call, "process_id") else {
            return Self.refused("Argument 'PROCESS_ID' is null or empty")
        }
        let connector = connector(call)
        // message_id wins, and a list without members is none: with it, all that is reserved so goes.
        if let messages = call.parameters["message_id"], messages != .null {
            let ids = messages.members.compactMap(\.value.text).map(Self.trimmed)
            guard messages.text == nil, ids.count == messages.members.count, ids.allSatisfy({ $0.count == 32 }) else {
                return Self.refused("Value must be array of MESSAGE_ID values")
            }
            let wanted = Set(ids.map { $0.lowercased() })
            let slots = queues[index].slots(reservedAs: processID, connector: connector).filter {
                wanted.isEmpty || wanted.contains(messageID(queues[index].rows[$0].key))
            }
            queues[index].clear(slots)
        } else if let given = call.parameters["id"], given != .null, given.text != nil || !given.members.isEmpty {
            let ids = given.members.map { PHPNumber.int($0.value.text ?? "") }
            guard given.text == nil, ids.allSatisfy({ $0 > 0 }) else {
                return Self.refused("Value must be array of integers")
            }
            let queue = queues[index]
            let slots = ids.compactMap { queue.slot(ofID: $0) }.filter { slot in
                let row = queue.rows[slot]
                return row.isLive && row.key.connector == connector && queue.processID(of: row) == processID
            }
            queues[index].clear(slots)
        } else {
            queues[index].clear(queues[index].slots(reservedAs: processID, connector: connector))
        }
        return .result(true)
    }

    mutating func markOfflineRows(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        if let refusal = Self.refusal(of: caller) { return refusal }
        guard let processID = Self.text(call, "process_id") else {
            return Self.refused("Argument 'PROCESS_ID' is null or empty")
        }
        guard let messages = call.parameters["message_id"], messages != .null, messages.text == nil else {
            return Self.refused("Value must be array of MESSAGE_ID values")
        }
        let wanted = Set(messages.members.compactMap { $0.value.text?.lowercased() })
        guard !wanted.isEmpty else { return .result(true) }
        let slots = queues[index].liveRows(connector(call)).filter {
            wanted.contains(messageID(queues[index].rows[$0].key))
        }
        queues[index].mark(slots, reservedAs: processID, again: settings.releasesMarkedRows)
        return .result(true)
    }

    // MARK: Rows

    private func described(_ slot: Int, of index: Int) -> PHPValue {
        let row = queues[index].rows[slot]
        let data = data(row.key)
        return [
            "ID": .text("\(OfflineQueue.id(slot))"),
            "TIMESTAMP_X": .text(portals[index].time.text(Int(row.changedAt))),
            "EVENT_NAME": .text(kinds[Int(row.key.kind)].code),
            "EVENT_DATA": data.isEmpty ? false : data,
            "EVENT_ADDITIONAL": row.user == 0 ? false : ["user_id": .text("\(row.user)")],
            "MESSAGE_ID": .text(messageID(row.key)),
        ]
    }

    private func passes(_ slot: Int, _ filter: OfflineFilter, of index: Int) -> Bool {
        filter.conditions.allSatisfy { $0.holds(for: value($0.field, slot, of: index)) }
    }

    private func sorted(_ slots: [Int], _ filter: OfflineFilter, of index: Int) -> [Int] {
        if filter.isOrdered(by: .id) { return slots.sorted() }
        let keyed = slots.map { slot in (slot, filter.order.map { value($0.field, slot, of: index) }) }
        return keyed.sorted { one, other in
            for (place, order) in filter.order.enumerated() where one.1[place] != other.1[place] {
                return (one.1[place] < other.1[place]) == order.isAscending
            }
            return one.0 < other.0
        }.map(\.0)
    }

    private func value(_ field: OfflineFilter.Field, _ slot: Int, of index: Int) -> OfflineFilter.Value {
        let row = queues[index].rows[slot]
        switch field {
        case .id: return .number(OfflineQueue.id(slot))
        case .changedAt: return .number(Int(row.changedAt))
        case .event: return .text(kinds[Int(row.key.kind)].code.lowercased())
        case .message: return .text(messageID(row.key))
        case .process: return .text(queues[index].processID(of: row).lowercased())
        case .error: return .number(row.isErroneous ? 1 : 0)
        }
    }

    // MARK: Calls

    private static func refused(_ words: String) -> RESTResult { .failure(400, "ERROR_ARGUMENT", words) }

    private static func refusal(of caller: RESTCall.Caller) -> RESTResult? {
        guard case .application(let user) = caller else { return wrongAuthType }
        return isAdministrator(user) ? nil : accessDenied
    }

    /// A source key that nobody has bound has a queue without rows.
    private mutating func connector(_ call: RESTCall) -> UInt16 {
        connectorNumber(of: call.parameters["auth_connector"]?.text ?? "")
    }

    /// `nil` where PHP's `isset` says no.
    private static func number(_ call: RESTCall, _ name: String) -> Int? {
        call.parameters[name]?.text.map(PHPNumber.int)
    }

    private static func text(_ call: RESTCall, _ name: String) -> String? {
        call.parameters[name]?.text.map(trimmed)
    }

    private static func trimmed(_ text: String) -> String {
        let start = text.drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }
}
