/// What a portal's queue holds, found without taking anything.
package struct OfflineSurvey: Sendable, Equatable {
    /// Source key; empty: the queue without one.
    package let connector: String
    /// Rows in all, reserved and erroneous ones included.
    package let rows: Int
    /// `nil`: the portal does not tell.
    package let reserved: Int?
    /// Marked as ones that could not be processed. `nil`: the portal does not tell.
    package let erroneous: Int?
    /// Change time of the oldest row, RFC 3339 in the portal's zone, as sent.
    package let oldest: String?

    /// - Parameters:
    ///   - all: The first page, the row changed first at the front.
    ///   - reserved: The first page of those that somebody has reserved, as the portal understood it.
    ///   - erroneous: The same of those that were marked.
    init(connector: String, all: OfflineListing, reserved: OfflineListing?, erroneous: OfflineListing?) {
        self.connector = connector
        rows = all.total
        self.reserved = Self.count(reserved, among: all) { $0.processID != nil }
        self.erroneous = Self.count(erroneous, among: all) { $0.isErroneous }
        oldest = all.rows.first.flatMap { $0.changedAt.isEmpty ? nil : $0.changedAt }
    }

    /// What was seen counts before what a filter says: one that the portal passes over answers with all rows.
    private static func count(
        _ answer: OfflineListing?,
        among all: OfflineListing,
        _ condition: (OfflineRow) -> Bool
    ) -> Int? {
        if all.rows.count == all.total { return all.rows.count(where: condition) }
        guard let answer, answer.rows.allSatisfy(condition) else { return nil }
        return answer.total
    }
}

extension RESTClient {
    /// Looks into several queues of one portal by one batch, which counts as one call for the portal's rate.
    ///
    /// - Throws: also when one of the queues cannot be looked at.
    package func surveyOfflineQueues(
        _ connectors: [String],
        of memberID: String
    ) async throws(RESTError) -> [OfflineSurvey] {
        guard !connectors.isEmpty else { return [] }
        let calls = connectors.flatMap { connector in
            [
                Self.listCall(order: "TIMESTAMP_X", connector: connector),
                Self.listCall(Self.reserved, connector: connector),
                Self.listCall(["=ERROR": "1"], connector: connector),
            ]
        }
        let replies = try await replies(to: calls, of: memberID)
        var surveys: [OfflineSurvey] = []
        for (connector, first) in zip(connectors, stride(from: 0, to: replies.count, by: 3)) {
            surveys.append(
                OfflineSurvey(
                    connector: connector,
                    all: try listing(replies[first], of: memberID),
                    // A filter that is refused is one that the portal does not know.
                    reserved: try? listing(replies[first + 1], of: memberID),
                    erroneous: try? listing(replies[first + 2], of: memberID)
                )
            )
        }
        return surveys
    }

    private func listing(_ reply: BatchReply, of memberID: String) throws(RESTError) -> OfflineListing {
        let listing = OfflineListing(try reply.result.get(), total: reply.total, next: reply.next)
        guard let listing else { throw Self.noList(of: memberID) }
        return listing
    }
}
