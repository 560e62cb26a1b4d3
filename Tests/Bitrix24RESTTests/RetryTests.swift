import Testing

@testable import Bitrix24REST

@Suite struct RetryTests {
    @Test func `waits double up to their cap`() {
        let policy = RetryPolicy()
        let throttled = [0, 1, 5, 6, 7, 1000].map { policy.throttled.delay($0, random: 1) }
        #expect(throttled == [1, 2, 32, 60, 60, 60].map { .seconds($0) })
        #expect(policy.passing.delay(9, random: 1) == .seconds(300))
        #expect(policy.authorization.delay(0, random: 1) == .seconds(5))
        #expect(policy.authorization.delay(20, random: 1) == .seconds(900))
    }

    @Test func `a throttled call's wait is anything up to the full one, others' at least half of it`() {
        let policy = RetryPolicy()
        #expect(policy.throttled.delay(3, random: 0) == .zero)
        #expect(policy.throttled.delay(3, random: 0.5) == .seconds(4))
        #expect(policy.passing.delay(3, random: 0) == .seconds(4))
        #expect(policy.passing.delay(3, random: 0.5) == .seconds(6))
    }

    @Test(arguments: ["expired_token", "INVALID_TOKEN", "NO_AUTH_FOUND"])
    func `a refused token is refreshed once`(code: String) {
        var attempts = CallAttempts(RetryPolicy())
        #expect(attempts.action(after: error(code, 401), random: 1) == .refresh)
        #expect(attempts.action(after: error(code, 401), random: 1) == .fail)
    }

    @Test func `a throttled portal pauses ever longer, and not for ever`() {
        var attempts = CallAttempts(RetryPolicy())
        let actions = (0..<9).map { _ in attempts.action(after: error("QUERY_LIMIT_EXCEEDED", 503), random: 1) }
        #expect(actions.first == .slowDown(.seconds(1)))
        #expect(actions[7] == .slowDown(.seconds(60)))
        #expect(actions[8] == .fail)
    }

    @Test func `a method without operating time pauses once`() {
        var attempts = CallAttempts(RetryPolicy())
        #expect(attempts.action(after: error("OPERATION_TIME_LIMIT", 429), random: 1) == .pauseMethod)
        #expect(attempts.action(after: error("OPERATION_TIME_LIMIT", 429), random: 1) == .fail)
    }

    @Test(arguments: [("INTERNAL_SERVER_ERROR", 500), ("not_json", 502), ("unreachable", 0), ("whatever", 503)])
    func `what passes by itself is repeated a few times`(code: String, status: Int) {
        var attempts = CallAttempts(RetryPolicy())
        let actions = (0..<5).map { _ in attempts.action(after: error(code, status), random: 1) }
        #expect(actions == [1, 2, 4, 8].map { .again(after: .seconds($0)) } + [.fail])
    }

    @Test func `a moved portal is looked for once`() {
        var attempts = CallAttempts(RetryPolicy())
        #expect(attempts.action(after: error("moved", 302), random: 1) == .relocate)
        #expect(attempts.action(after: error("moved", 302), random: 1) == .fail)
    }

    @Test(arguments: [
        ("OVERLOAD_LIMIT", 503), ("ACCESS_DENIED", 403), ("PORTAL_DELETED", 500), ("WRONG_AUTH_TYPE", 403),
        ("APPLICATION_NOT_FOUND", 401), ("NOT_INSTALLED", 401), ("invalid_grant", 400), ("whatever", 400),
        ("PAYMENT_REQUIRED", 401), ("ERROR_EVENT_NOT_FOUND", 400), ("INVALID_CREDENTIALS", 401),
    ])
    func `what does not pass is not repeated`(code: String, status: Int) {
        var attempts = CallAttempts(RetryPolicy())
        #expect(attempts.action(after: error(code, status), random: 1) == .fail)
    }

    @Test func `each code has one meaning, in any case of its letters`() {
        #expect(error("invalid_GRANT", 400).meaning == .needsAuthorisation)
        #expect(error("no_tokens", 0).meaning == .needsAuthorisation)
        #expect(error("NOT_INSTALLED", 401).meaning == .uninstalled)
        #expect(error("application_not_found", 401).meaning == .uninstalled)
        #expect(error("OVERLOAD_LIMIT", 503).meaning == .later)
        #expect(error("wrong_license", 403).meaning == .permanent)
        // A wrong clientSecret is no portal's fault.
        #expect(error("invalid_client", 401).meaning == .permanent)
        #expect(error("something new", 400).meaning == .permanent)
        #expect(error("something new", 500).meaning == .passing)
    }

    private func error(_ code: String, _ status: Int) -> RESTError {
        RESTError(portal: portal, method: "profile", code: .init(code), status: status, message: "")
    }
}
