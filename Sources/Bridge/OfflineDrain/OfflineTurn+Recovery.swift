internal import Bitrix24
internal import Bitrix24REST

/// Rows that lie reserved, by this owner or by somebody who never came to clear them, and those that are marked as erroneous.
extension OfflineTurn {
    mutating func readHeldAgain() async throws(Stop) {
        guard work.isHolding, now() >= work.heldAt else { return }
        var refusing: Set<[UInt8]> = []
        for held in work.held where held.unconfirmed > 0 && now() >= held.putOffUntil {
            // One of those topics' rows was tried a moment ago.
            if !held.topics.isEmpty, held.topics.isSubset(of: refusing) { continue }
            do throws(Stop) {
                try await takeOver(held.process, .heldAgain(isRecovered: held.isRecovered))
            } catch {
                // Some of it may be known to the portal only.
                if work[held.process] == nil { work.recoverAt = .min }
                try forgive(error)
                work.putOff(held.process, until: laterAt)
            }
            refusing.formUnion(work[held.process]?.topics ?? [])
        }
        work.retriedHeld(at: now(), pace)
        noteHeld()
    }

    private mutating func reread(_ process: OfflineProcess, after: String?) async throws(Stop) -> OfflineReservation {
        let (client, memberID) = (client, memberID)
        return try await asking { limit throws(RESTError) in
            try await client.reservedOfflineRows(
                process.id,
                .init(limit: limit, erroneous: process.isErroneous, after: after),
                connector: process.connector,
                of: memberID
            )
        }
    }

    /// Takes over what somebody has reserved and not cleared. A turn that has to stop goes on where it was.
    mutating func recover() async throws(Stop) {
        beginSearch()
        var filter = RESTClient.reserved
        if let since = work.search?.since {
            filter[">=TIMESTAMP_X"] = .string(Timestamp(milliseconds: since).rfc3339)
        }
        var pages = 0
        while let search = work.search, let connector = search.connectors.first {
            do throws(Stop) {
                if let process = search.found.first {
                    try await takeOver(process, process.isErroneous ? .erroneous : .forgotten)
                    work.search?.found.removeFirst()
                } else if pages == pace.listPages {
                    throw .enough
                } else {
                    try await list(filter, connector, from: search.start)
                    pages += 1
                }
            } catch {
                try forgive(error)
                work.search?.wasRefused = true
                if search.found.isEmpty { work.search?.nextConnector() } else { work.search?.found.removeFirst() }
            }
        }
        endSearch()
    }

    /// Goes on with the one that is under way, if that finds all that is to be found now.
    private mutating func beginSearch() {
        let isOrdered = recovery?.isListed == false
        let since = isOrdered && now() < work.recoverAt ? recovery?.since : nil
        // Nothing new is asked for: it goes on as it was.
        let isUnasked = !isOrdered && now() < work.recoverAt
        if let search = work.search, isUnasked || search.covers(since: since, isOrdered: isOrdered) { return }
        work.search = OfflineSearch(connectors: connectors, since: since, isOrdered: isOrdered)
    }

    private mutating func endSearch() {
        guard let search = work.search else { return }
        work.search = nil
        if search.isOrdered { recovery?.isListed = true }
        if search.since == nil { work.recoverAt = laterAt }
        if !search.wasRefused, !work.held.contains(where: { $0.putOffUntil > now() }) { work.setback = nil }
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
        let reserved = Set(
            listing.rows.compactMap { row in
                row.processID.map { OfflineProcess(connector: connector, id: $0, isErroneous: row.isErroneous) }
            }
        )
        var foreign = reserved.subtracting(work.held.lazy.map(\.process)).subtracting(work.search?.seen ?? [])
        // What was marked is taken by a person's order only: there would be a dead letter of it each time.
        if work.search?.isOrdered != true { foreign = foreign.filter { !$0.isErroneous } }
        if !foreign.isEmpty {
            // What is taken over is gone from the list: the same page comes again.
            work.search?.found = foreign.sorted { $0.id < $1.id }
            work.search?.seen.formUnion(foreign)
        } else if let next = listing.next, next > start, !reserved.isEmpty {
            work.search?.start = next
        } else {
            work.search?.nextConnector()
        }
    }

    /// Reads a reservation again until nothing of it is left, or nothing new, or Kafka takes no more of it.
    private mutating func takeOver(_ process: OfflineProcess, _ source: Source) async throws(Stop) {
        var seen: Set<String> = []
        // What was marked may stay reserved when it is marked again.
        var after = process.isErroneous ? OfflineRow.beforeAll : nil
        while true {
            let reservation = try await reread(process, after: after)
            work.held.removeAll { $0.process == process }
            let names = Set(reservation.rows.map(\.name))
            guard !names.isSubset(of: seen) else { return }
            seen.formUnion(names)
            try await deliver(reservation, process, source)
            guard work[process] == nil else { return }
            if process.isErroneous { after = OfflineRow.lastID(of: reservation.rows) ?? after }
        }
    }

    /// What cannot be published is marked again, and would be read again without end: they are gone through by their IDs.
    mutating func drainErroneous() async throws(Stop) {
        guard let recovery else { return }
        let since = Timestamp(milliseconds: recovery.since).rfc3339
        for connector in connectors {
            while true {
                let after = self.recovery?.readUpTo[connector] ?? OfflineRow.beforeAll
                let reservation = try await reserve(connector, since: since, erroneousAfter: after)
                guard !reservation.rows.isEmpty else { break }
                let last = OfflineRow.lastID(of: reservation.rows) ?? after
                // At once: what a turn that has to stop leaves of them is held.
                self.recovery?.readUpTo[connector] = last
                let process = OfflineProcess(connector: connector, id: reservation.processID, isErroneous: true)
                try await deliver(reservation, process, .erroneous)
                if last == after { break }
            }
        }
        self.recovery?.isRead = true
    }
}

extension OfflineRow {
    /// An ID that is less than any.
    fileprivate static let beforeAll = "0"

    /// `nil`: none has one.
    fileprivate static func lastID(of rows: [OfflineRow]) -> String? {
        rows.compactMap { Int64($0.id) }.max().map(String.init)
    }

    /// What tells it from others, also where it has no ID.
    var name: String { "\(id)/\(messageID)/\(changedAt)" }
}
