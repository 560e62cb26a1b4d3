internal import Bitrix24
internal import Bitrix24REST
internal import KafkaClient
internal import Logging

/// From rows to Kafka, and back to the portal what Kafka has.
extension OfflineTurn {
    /// Why rows are read.
    enum Source {
        case reserved
        /// Their topic refused them, or Kafka was away.
        case heldAgain(isRecovered: Bool)
        /// Somebody reserved them and did not come to clear them.
        case forgotten
        /// They were marked.
        case erroneous

        var isTrial: Bool { if case .heldAgain = self { true } else { false } }

        fileprivate var isRecovered: Bool {
            switch self {
            case .reserved: false
            case .heldAgain(let isRecovered): isRecovered
            case .forgotten, .erroneous: true
            }
        }
    }

    /// Sends rows, clears what Kafka confirmed, marks what cannot be published. The rest is held.
    mutating func deliver(
        _ reservation: OfflineReservation,
        _ process: OfflineProcess,
        _ source: Source
    ) async throws(Stop) {
        var rows = reservation.rows[...]
        guard !rows.isEmpty else { return }
        noteRead(rows, source)
        let before = tally
        var held = OfflineHeld(process: process, isRecovered: source.isRecovered)
        let fetchedAt = Timestamp(milliseconds: now())
        var isUnsent = false
        while !rows.isEmpty {
            var chunk = pack(&rows, fetchedAt, &held, isTrial: source.isTrial)
            // Dead letters come of what is sent.
            while !isUnsent, !chunk.isEmpty {
                (chunk, isUnsent) = await send(chunk, fetchedAt, &held, isTrial: source.isTrial)
            }
            // What comes after would overtake what is not sent.
            for parcel in chunk { held.keep(parcel) }
        }
        noteSent(since: before)
        if held.rows > 0 { work.held.append(held) }
        if !held.topics.isEmpty { work.refused(at: now(), pace) }
        if Task.isCancelled { throw .unsent }
        try await finish(held)
        if isUnsent { throw .unsent }
    }

    /// Takes rows off the front, until they are enough to be sent at once.
    private mutating func pack(
        _ rows: inout ArraySlice<OfflineRow>,
        _ fetchedAt: Timestamp,
        _ held: inout OfflineHeld,
        isTrial: Bool
    ) -> [Parcel] {
        let closed = isTrial ? [] : work.heldTopics.union(held.topics)
        var parcels: [Parcel] = []
        var bytes = 0
        while bytes < pace.chunkBytes, let row = rows.popFirst() {
            var parcel = Parcel(row: row)
            parcel.reason = writer.write(row, fetchedAt: fetchedAt, into: &parcel.record)
            if parcel.reason != nil, lettered.contains(row.name) {
                held.settleLetter(of: row)
            } else if closed.contains(parcel.record.topic) {
                held.keep(parcel, refusedBy: parcel.record.topic)
            } else {
                bytes += parcel.record.bytes
                parcels.append(parcel)
            }
        }
        return parcels
    }

    /// - Returns: dead letters that are to be sent in their turn, and whether some were not sent for no reason of their own.
    private mutating func send(
        _ parcels: [Parcel],
        _ fetchedAt: Timestamp,
        _ held: inout OfflineHeld,
        isTrial: Bool
    ) async -> (letters: [Parcel], isUnsent: Bool) {
        var isUnsent = false
        var letters: [Parcel] = []
        for (parcel, delivery) in zip(parcels, await sender.send(parcels.map(\.record))) {
            switch delivery {
            case .confirmed: confirm(parcel, &held)
            case .refused(let error):
                if !isTrial, !held.topics.contains(parcel.record.topic) { tellRefusal(parcel, error) }
                held.keep(parcel, refusedBy: parcel.record.topic)
            case .unusable where parcel.reason == nil && lettered.contains(parcel.row.name):
                held.settleLetter(of: parcel.row)
            case .unusable(let error) where parcel.reason == nil:
                var letter = parcel
                let reason: DeadLetterReason = error.code == .messageSizeTooLarge ? .tooLarge : .unusableRow
                letter.reason = reason
                writer.writeDeadLetter(of: parcel.row, reason, fetchedAt, into: &letter.record)
                letters.append(letter)
            case .unusable: held.keep(parcel, refusedBy: parcel.record.topic)
            case .unsent:
                isUnsent = true
                held.keep(parcel)
            }
        }
        return (letters, isUnsent)
    }

    private mutating func confirm(_ parcel: Parcel, _ held: inout OfflineHeld) {
        guard let reason = parcel.reason else {
            held.confirmed.append(parcel.row.id)
            tally.delivered += 1
            if held.isRecovered { tally.recovered += 1 }
            return
        }
        tally.deadLettered += 1
        lettered.insert(parcel.row.name)
        held.settleLetter(of: parcel.row)
        logger.warning(
            "an offline event cannot be published; it is a dead letter, and no more fetched from the portal",
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
        guard let index = work.held.firstIndex(of: held), now() >= held.putOffUntil else { return }
        let (client, memberID, process) = (client, memberID, held.process)
        do throws(Stop) {
            try await tell(index, \.confirmed) { ids throws(RESTError) in
                try await client.clearOfflineRows(
                    ids,
                    reservedAs: process.id,
                    connector: process.connector,
                    of: memberID
                )
            }
            try await tell(index, \.letters) { ids throws(RESTError) in
                try await client.markOfflineRows(
                    ids,
                    reservedAs: process.id,
                    connector: process.connector,
                    of: memberID
                )
            }
        } catch {
            try forgive(error)
            work.held[index].putOffUntil = laterAt
        }
        if work.held[index].rows == 0 { work.held.remove(at: index) }
        noteHeld()
    }

    private mutating func tell(
        _ index: Int,
        _ names: WritableKeyPath<OfflineHeld, [String]>,
        by call: (_ names: [String]) async throws(RESTError) -> Void
    ) async throws(Stop) {
        let told = work.held[index][keyPath: names]
        guard !told.isEmpty else { return }
        try checkRate(1)
        do throws(RESTError) { try await call(told) } catch { throw .rest(error) }
        work.held[index][keyPath: names] = []
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

    private mutating func noteRead(_ rows: ArraySlice<OfflineRow>, _ source: Source) {
        if !source.isTrial { work.rowsSinceEmpty += rows.count }
        if work.busySince == nil { work.busySince = now() }
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
        if delivered > 0 { didConfirm?(memberID, delivered) }
        metrics.deadLettered(deadLettered)
        metrics.recovered(tally.recovered - before.recovered)
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
    fileprivate mutating func keep(_ parcel: OfflineTurn.Parcel, refusedBy topic: [UInt8]? = nil) {
        unconfirmed += 1
        if let topic { topics.insert(topic) }
        if let changed = parcel.row.changed?.milliseconds { oldestChangeAt = min(oldestChangeAt ?? changed, changed) }
    }

    /// Kafka has the row's dead letter. A row without MESSAGE_ID cannot be marked, so it is cleared: the dead letter has it.
    mutating func settleLetter(of row: OfflineRow) {
        if !row.messageID.isEmpty {
            letters.append(row.messageID)
        } else if let number = Int64(row.id), number > 0 {
            confirmed.append(row.id)
        }
    }
}
