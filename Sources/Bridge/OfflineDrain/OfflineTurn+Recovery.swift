internal import Bitrix24
internal import Bitrix24REST

/// Rows that lie reserved, by this owner or by somebody who never came to clear them, and those that are marked as erroneous.
extension OfflineTurn {
    mutating func readHeldAgain() async throws(Stop) {
        guard work.isHolding, now() >= work.heldAt else { return }
        var refusing: Set<[UInt8]> = []
        for held in work.held where held.unconfirmed > 0 {
            // One of those topics' rows was tried a moment ago.
            if !held.topics.isEmpty, held.topics.isSubset(of: refusing) { continue }
            do throws(Stop) {
                try await takeOver(held.processID, held.connector, isTrial: true)
            } catch {
                // Some of it may be known to the portal only.
                if reserved(held.processID, held.connector) == nil { work.recoverAt = .min }
                throw error
            }
            refusing.formUnion(reserved(held.processID, held.connector)?.topics ?? [])
        }
        work.retriedHeld(at: now(), pace)
        noteHeld()
    }

    private func reserved(_ processID: String, _ connector: String) -> OfflineHeld? {
        work.held.first { $0.processID == processID && $0.connector == connector }
    }

    private mutating func reread(_ processID: String, _ connector: String) async throws(Stop) -> OfflineReservation {
        let (client, memberID) = (client, memberID)
        return try await asking { limit throws(RESTError) in
            try await client.reservedOfflineRows(processID, limit: limit, connector: connector, of: memberID)
        }
    }

    /// Takes over what somebody has reserved and not cleared. A turn that has to stop goes on where it was.
    mutating func recover() async throws(Stop) {
        let isOrdered = recovery?.isListed == false
        var filter = RESTClient.reserved
        if isOrdered, now() < work.recoverAt, let since = recovery?.since {
            filter[">=TIMESTAMP_X"] = .string(Timestamp(milliseconds: since).rfc3339)
        }
        if work.search == nil { work.search = OfflineSearch(connectors: connectors) }
        var pages = 0
        while let search = work.search, let connector = search.connectors.first {
            if let processID = search.found.first {
                try await takeOver(processID, connector)
                work.search?.found.removeFirst()
            } else if pages == pace.listPages {
                throw .enough
            } else {
                try await list(filter, connector, from: search.start)
                pages += 1
            }
        }
        work.search = nil
        if isOrdered { recovery?.isListed = true }
        work.recoverAt = pace.nextRecovery(of: memberID, after: now())
    }

    /// One page.
    private mutating func list(_ filter: [String: JSONValue], _ connector: String, from start: Int) async throws(Stop) {
        try checkRate(pace.neededForTurn)
        let listing: OfflineListing
        do throws(RESTError) {
            listing = try await client.offlineRows(filter: filter, start: start, connector: connector, of: memberID)
        } catch {
            throw .rest(error)
        }
        let reserved = Set(listing.rows.compactMap(\.processID))
        let own = work.held.lazy.filter { $0.connector == connector }.map(\.processID)
        let foreign = reserved.subtracting(own).subtracting(work.search?.seen ?? [])
        if !foreign.isEmpty {
            // What is taken over is gone from the list: the same page comes again.
            work.search?.found = foreign.sorted()
            work.search?.seen.formUnion(foreign)
        } else if let next = listing.next, next > start, !reserved.isEmpty {
            work.search?.start = next
        } else {
            work.search?.nextConnector()
        }
    }

    /// Reads a reservation again until nothing of it is left, or Kafka takes no more of it.
    private mutating func takeOver(_ processID: String, _ connector: String, isTrial: Bool = false) async throws(Stop) {
        while true {
            let reservation = try await reread(processID, connector)
            work.held.removeAll { $0.processID == processID && $0.connector == connector }
            guard !reservation.rows.isEmpty else { return }
            let before = (tally.delivered, tally.deadLettered)
            try await deliver(reservation, connector, isRecovered: !isTrial, isTrial: isTrial)
            guard reserved(processID, connector) == nil, before != (tally.delivered, tally.deadLettered) else { return }
        }
    }

    /// What cannot be published is marked again, and would be read again without end: each row counts once.
    mutating func drainErroneous() async throws(Stop) {
        guard let recovery else { return }
        let since = recovery.since.map { Timestamp(milliseconds: $0).rfc3339 }
        for connector in connectors {
            while true {
                let reservation = try await reserve(connector, since: since, erroneous: true)
                let new = Set(reservation.rows.map(\.id)).subtracting(self.recovery?.seen ?? [])
                try await deliver(reservation, connector, known: self.recovery?.seen ?? [], isRecovered: true)
                if new.isEmpty { break }
                self.recovery?.seen.formUnion(new)
            }
        }
        self.recovery?.isRead = true
    }
}
