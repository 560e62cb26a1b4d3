internal import Bitrix24
internal import Bitrix24REST
internal import Logging

/// One portal's turn. Whatever interrupts it: a row is cleared only after Kafka has confirmed it, and what stays reserved is
/// found again.
struct OfflineTurn {
    enum Stop: Error {
        /// The rest of the portal's rate is for others.
        case rateIsLow
        case rest(RESTError)
        case unsent
        case full
        case enough
    }

    let memberID: String
    let connectors: [String]
    let client: RESTClient
    let sender: OfflineSender
    let pace: OfflinePace
    let ledger: OfflineLedger
    let metrics: OfflineMetrics
    let didConfirm: (@Sendable (_ memberID: String, _ rows: Int) -> Void)?
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    let logger: Logger
    var writer: OfflineRowWriter
    var work: OfflineWork
    /// A person ordered it: what others have reserved and what is marked as erroneous is taken as well.
    var recovery: OfflineOrder.Recovery?
    var tally = OfflineTally()
    /// Names of rows whose dead letters Kafka has: one turn writes no second one.
    var lettered: Set<String> = []
    /// Bitrix24 let rows be read.
    var wasAnswered = false

    mutating func run() async -> OfflineEnding {
        do throws(Stop) {
            // A person who orders it may have mended what kept it from being done.
            if recovery?.isListed == false { for held in work.held { work.putOff(held.process, until: .min) } }
            for held in work.held { try await finish(held) }
            try await readHeldAgain()
            if recovery?.isListed == false || now() >= work.recoverAt || work.search != nil { try await recover() }
            var isEmpty = true
            for connector in connectors where try await !drain(connector) { isEmpty = false }
            if recovery?.isRead == false { try await drainErroneous() }
            return isEmpty ? .empty : .more
        } catch {
            if Task.isCancelled { return .cancelled }
            switch error {
            case .rateIsLow, .enough: return .more
            case .unsent: return .unsent
            case .full: return .full
            case .rest(let error):
                return .failed(
                    code: error.code.text,
                    words: error.description,
                    isDenied: error.deniesQueue,
                    retryAfter: error.retryAfter
                )
            }
        }
    }

    // MARK: Reserving

    /// - Returns: whether there is no more.
    private mutating func drain(_ connector: String) async throws(Stop) -> Bool {
        for _ in 0..<max(1, pace.rounds / max(connectors.count, 1)) {
            guard work.heldRows < pace.mostHeldRows else { throw .full }
            let reservation = try await reserve(connector)
            guard !reservation.rows.isEmpty else { return true }
            try await deliver(reservation, .init(connector: connector, id: reservation.processID), .reserved)
        }
        return false
    }

    mutating func reserve(
        _ connector: String,
        since: String? = nil,
        erroneousAfter after: String? = nil
    ) async throws(Stop) -> OfflineReservation {
        let (client, memberID) = (client, memberID)
        return try await asking { limit throws(RESTError) in
            try await client.reserveOfflineRows(
                .init(limit: limit, since: since, erroneous: after != nil, after: after),
                connector: connector,
                of: memberID
            )
        }
    }

    /// Asks for half as many rows as long as answers are too large.
    mutating func asking(
        _ call: (_ limit: Int) async throws(RESTError) -> OfflineReservation
    ) async throws(Stop) -> OfflineReservation {
        while true {
            try checkRate(pace.neededForTurn)
            do throws(RESTError) {
                let reservation = try await call(work.limit)
                wasAnswered = true
                return reservation
            } catch  where error.code == .tooLarge && work.limit > 1 {
                work.limit /= 2
                // The rows are reserved, and nobody knows under which name.
                work.recoverAt = .min
            } catch {
                if error.mayBeDone { work.recoverAt = .min }
                throw .rest(error)
            }
        }
    }

    /// What the portal refuses for good of one step keeps nobody from draining: it is noted, and the step put off.
    ///
    /// - Throws: what is not of that kind.
    mutating func forgive(_ stop: Stop) throws(Stop) {
        guard case .rest(let error) = stop, error.meaning == .permanent, !error.deniesQueue else { throw stop }
        let setback = OfflineWork.Setback(code: error.code.text, words: error.description)
        if work.setback?.code != setback.code {
            logger.warning(
                "a portal refuses what would settle some of its offline events; the others are drained, and it is tried again",
                metadata: ["portal": "\(memberID)", "error": "\(setback.words)"]
            )
        }
        work.setback = setback
    }

    /// When what was put off is tried again.
    var laterAt: Int64 { pace.nextRecovery(of: memberID, after: now()) }

    func checkRate(_ calls: Int) throws(Stop) {
        if client.budget(of: memberID).calls < calls { throw .rateIsLow }
    }
}

extension RESTError {
    /// The queue cannot be read until somebody changes something at the portal.
    var deniesQueue: Bool {
        ["wrong_license", "access_denied", "insufficient_scope", "wrong_auth_type", Reconciler.notAdministrator.text]
            .contains(code.text)
    }

    /// The portal may have done what was asked, and the answer got lost.
    var mayBeDone: Bool { meaning == .passing && code != .queryLimitExceeded && code != .operationTimeLimit }
}
