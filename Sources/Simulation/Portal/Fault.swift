/// What hurts whoever calls Bitrix24.
package struct Fault: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
        /// Instead of the call being done.
        case error(code: String, words: String, status: Int)
        /// Instead of the call being done.
        case page(status: Int)
        /// The call is done, its answer comes late.
        case slow(Duration)
        /// The connection is cut, and nothing done.
        case dropped
        /// The call is done, and the connection cut in place of its answer.
        case answerLost
        /// The call is not done and answered with this `result`.
        case undone(answer: Bool)
        /// The access token of the call has expired.
        case expired
    }

    /// Names it in notes and at the control path.
    package let name: String
    let kind: Kind

    /// Too many calls (b24restdocs, limits.md).
    package static let queryLimit = error("QUERY_LIMIT_EXCEEDED", "Too many requests", status: 503)
    package static let overload = error("OVERLOAD_LIMIT", "REST API is blocked due to overload.", status: 503)
    package static let wrongLicense = error("WRONG_LICENSE", "Your license does not allow this.", status: 403)
    package static let invalidGrant = error("invalid_grant", "Invalid grant", status: 400)
    package static let internalError = error("INTERNAL_SERVER_ERROR", "Internal server error", status: 500)
    package static let alreadyBound = error(
        "ERROR_CORE",
        "Unable to set event handler: Handler already binded",
        status: 400
    )
    package static let html = Fault(name: "html", kind: .page(status: 200))
    package static let badGateway = Fault(name: "bad-gateway", kind: .page(status: 502))
    package static let dropped = Fault(name: "dropped", kind: .dropped)
    package static let answerLost = Fault(name: "answer-lost", kind: .answerLost)
    package static let refused = Fault(name: "refused", kind: .undone(answer: false))
    /// A portal that says that it did what it did not.
    package static let ignored = Fault(name: "ignored", kind: .undone(answer: true))
    package static let expiredToken = Fault(name: "expired-token", kind: .expired)

    package static func slow(_ delay: Duration) -> Fault { Fault(name: "slow", kind: .slow(delay)) }

    /// Some errors of Bitrix24 come with status 200.
    package static func error(_ code: String, _ words: String = "An error", status: Int = 200) -> Fault {
        Fault(name: code.lowercased(), kind: .error(code: code, words: words, status: status))
    }

    /// Those that are switched on by their name, at the control path.
    package static let named: [(name: String, fault: Fault, words: String)] = [
        ("query-limit", .queryLimit, "503 QUERY_LIMIT_EXCEEDED"),
        ("overload", .overload, "503 OVERLOAD_LIMIT"),
        ("wrong-license", .wrongLicense, "403 WRONG_LICENSE"),
        ("invalid-grant", .invalidGrant, "400 invalid_grant; for method=oauth/token"),
        ("internal-error", .internalError, "500 INTERNAL_SERVER_ERROR"),
        ("already-bound", .alreadyBound, "400 ERROR_CORE, already binded"),
        ("refused", .refused, "result: false"),
        ("ignored", .ignored, "result: true, and nothing was done"),
        ("expired-token", .expiredToken, "401 expired_token"),
        ("html", .html, "a page of HTML with status 200"),
        ("bad-gateway", .badGateway, "a page of HTML with status 502"),
        ("dropped", .dropped, "the connection is cut, nothing was done"),
        ("answer-lost", .answerLost, "it was done, and the connection cut in place of the answer"),
    ]

    /// It is about the connection, so it cannot hit one call of a batch.
    var needsOwnAnswer: Bool {
        switch kind {
        case .error, .undone, .expired: false
        case .page, .slow, .dropped, .answerLost: true
        }
    }
}

/// A fault that waits for calls.
struct InjectedFault: Sendable {
    var fault: Fault
    /// Index; `nil`: any, and the authorization server.
    var portal: Int?
    /// Lower case; `nil`: any, but for long polls.
    var method: String?
    var timesLeft: Int
}

extension PortalWorld {
    /// The first fault that waits for this call; it is used up by one.
    mutating func takeFault(for call: RESTCall) -> Fault? {
        let method = call.method.lowercased()
        let index = faults.firstIndex { injected in
            (injected.portal == nil || injected.portal == call.portal)
                && (injected.method == nil ? method != PortalWorld.pollMethod : injected.method == method)
                && !(call.isInBatch && injected.fault.needsOwnAnswer)
        }
        guard let index else { return nil }
        faults[index].timesLeft -= 1
        defer { if faults[index].timesLeft == 0 { faults.remove(at: index) } }
        return faults[index].fault
    }
}
