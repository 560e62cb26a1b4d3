internal import Bitrix24
internal import Bitrix24REST
internal import KafkaClient
internal import Logging

/// From rows to Kafka, and back to the portal what Kafka has.
extension OfflineTurn {
    /// Sends rows, clears what Kafka confirmed, marks what cannot be published. The rest is held.
    ///
    /// - Parameters:
    ///   - known: Ids of rows whose dead letters were written a moment ago.
    ///   - isTrial: Of rows whose topic refused them.
    mutating func deliver(
        _ reservation: OfflineReservation,
        _ connector: String,
        known: Set<String> = [],
        isRecovered: Bool = false,
        isTrial: Bool = false
    ) async throws(Stop) {
        let rows = reservation.rows
        guard !rows.isEmpty else { return }
        noteRead(rows, isRecovered: isRecovered, isTrial: isTrial)
        let before = tally
        var held = OfflineHeld(connector: connector, processID: reservation.processID)
        let closed = isTrial ? [] : work.heldTopics
        let fetchedAt = Timestamp(milliseconds: now())
        var isUnsent = false
        var next = 0
        while next < rows.count {
            var parcels: [Parcel] = []
            var bytes = 0
            while next < rows.count, bytes < pace.chunkBytes {
                let row = rows[next]
                next += 1
                var parcel = Parcel(row: row)
                parcel.reason = writer.write(row, fetchedAt: fetchedAt, into: &parcel.record)
                if parcel.reason != nil, known.contains(row.id) {
                    held.letters.append(row.messageID)
                } else if closed.contains(parcel.record.topic) {
                    held.topics.insert(parcel.record.topic)
                    held.keep(parcel)
                } else {
                    bytes += parcel.record.bytes
                    parcels.append(parcel)
                }
            }
            if isUnsent {
                // What comes after would overtake it.
                for parcel in parcels { held.keep(parcel) }
            } else {
                isUnsent = await send(parcels, fetchedAt, &held, isTrial: isTrial)
            }
        }
        noteSent(since: before)
        if held.rows > 0 { work.held.append(held) }
        if !held.topics.isEmpty { work.refused(at: now(), pace) }
        if Task.isCancelled { throw .unsent }
        try await finish(held)
        if isUnsent { throw .unsent }
    }

    /// - Returns: whether some were not sent for no reason of their own.
    private mutating func send(
        _ parcels: [Parcel],
        _ fetchedAt: Timestamp,
        _ held: inout OfflineHeld,
        isTrial: Bool
    ) async -> Bool {
        var isUnsent = false
        var letters: [Parcel] = []
        for (parcel, delivery) in zip(parcels, await sender.send(parcels.map(\.record))) {
            switch delivery {
            case .confirmed: confirm(parcel, &held)
            case .refused(let error):
                if !isTrial, held.topics.isDisjoint(with: [parcel.record.topic]) { tellRefusal(parcel, error) }
                held.topics.insert(parcel.record.topic)
                held.keep(parcel)
            case .unusable(let error) where parcel.reason == nil:
                var letter = parcel
                let reason: DeadLetterReason = error.code == .messageSizeTooLarge ? .tooLarge : .unusableRow
                letter.reason = reason
                writer.writeDeadLetter(of: parcel.row, reason, fetchedAt, into: &letter.record)
                letters.append(letter)
            case .unusable:
                held.topics.insert(parcel.record.topic)
                held.keep(parcel)
            case .unsent:
                isUnsent = true
                held.keep(parcel)
            }
        }
        guard !letters.isEmpty else { return isUnsent }
        return await send(letters, fetchedAt, &held, isTrial: isTrial) || isUnsent
    }

    private mutating func confirm(_ parcel: Parcel, _ held: inout OfflineHeld) {
        guard let reason = parcel.reason else {
            held.confirmed.append(parcel.row.id)
            tally.delivered += 1
            return
        }
        tally.deadLettered += 1
        if !parcel.row.messageID.isEmpty { held.letters.append(parcel.row.messageID) }
        logger.warning(
            "an offline event cannot be published; it is a dead letter, and marked as erroneous in the portal",
            metadata: [
                "portal": "\(memberID)", "row": "\(parcel.row.id.prefix(64))",
                "event": "\(parcel.row.event.prefix(64))", "reason": "\(reason.rawValue)",
            ]
        )
    }

    private func tellRefusal(_ parcel: Parcel, _ error: KafkaError) {
        logger.warning(
            "a topic refuses offline events; they stay in the portal and are tried again",
            metadata: [
                "portal": "\(memberID)", "topic": "\(String(decoding: parcel.record.topic, as: UTF8.self))",
                "error": "\(error)",
            ]
        )
    }

    /// Tells the portal what Kafka has. What remains of it is held.
    mutating func finish(_ held: OfflineHeld) async throws(Stop) {
        guard let index = work.held.firstIndex(of: held) else { return }
        let (client, memberID) = (client, memberID)
        if !held.confirmed.isEmpty {
            try await tell { () throws(RESTError) in
                try await client.clearOfflineRows(
                    held.confirmed,
                    reservedAs: held.processID,
                    connector: held.connector,
                    of: memberID
                )
            }
            work.held[index].confirmed = []
        }
        if !held.letters.isEmpty {
            try await tell { () throws(RESTError) in
                try await client.markOfflineRows(
                    held.letters,
                    reservedAs: held.processID,
                    connector: held.connector,
                    of: memberID
                )
            }
            work.held[index].letters = []
        }
        if work.held[index].rows == 0 { work.held.remove(at: index) }
        noteHeld()
    }

    private func tell(_ call: () async throws(RESTError) -> Void) async throws(Stop) {
        try checkRate(1)
        do throws(RESTError) { try await call() } catch { throw .rest(error) }
    }
}

extension OfflineTurn {
    /// A row and its record.
    struct Parcel {
        let row: OfflineRow
        var record = EventRecord()
        /// Why it is a dead letter.
        var reason: DeadLetterReason?
    }

    private mutating func noteRead(_ rows: [OfflineRow], isRecovered: Bool, isTrial: Bool) {
        if !isTrial { work.rowsSinceEmpty += rows.count }
        if work.busySince == nil { work.busySince = now() }
        if isRecovered {
            tally.recovered += rows.count
            metrics.recovered(rows.count)
        }
        let oldest = rows.compactMap(\.changed?.milliseconds).min()
        let (heldRows, oldestHeld) = (work.heldRows, work.oldestHeldAt)
        ledger.change(memberID) { standing in
            standing.held = heldRows + rows.count
            standing.oldestChangeAt = [oldest, oldestHeld].compactMap { $0 }.min()
        }
    }

    private func noteSent(since before: OfflineTally) {
        let delivered = tally.delivered - before.delivered
        let deadLettered = tally.deadLettered - before.deadLettered
        metrics.delivered(delivered)
        metrics.deadLettered(deadLettered)
        ledger.change(memberID) { standing in
            standing.drained += delivered
            standing.deadLettered += deadLettered
        }
    }

    /// `oldestChangeAt` stays that of the rows read last: those that wait were changed later.
    func noteHeld() {
        let (rows, oldest) = (work.heldRows, work.oldestHeldAt)
        ledger.change(memberID) { standing in
            standing.held = rows
            if let oldest { standing.oldestChangeAt = oldest }
        }
    }
}

extension OfflineHeld {
    fileprivate mutating func keep(_ parcel: OfflineTurn.Parcel) {
        unconfirmed += 1
        if let changed = parcel.row.changed?.milliseconds { oldestChangeAt = min(oldestChangeAt ?? changed, changed) }
    }
}
