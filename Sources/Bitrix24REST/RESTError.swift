/// A call that did not succeed. Names portal, method and code, never a token.
package struct RESTError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `code` as Bitrix24 sent it, in lower case, because its case varies; or one of ours for what is no answer of it.
    package struct Code: Sendable, Hashable {
        package let text: String

        package init(_ text: String) { self.text = text.lowercased() }

        package static let expiredToken = Code("expired_token")
        package static let invalidGrant = Code("invalid_grant")
        package static let invalidClient = Code("invalid_client")
        package static let invalidToken = Code("invalid_token")
        package static let noAuthFound = Code("no_auth_found")
        package static let notInstalled = Code("not_installed")
        package static let applicationNotFound = Code("application_not_found")
        package static let queryLimitExceeded = Code("query_limit_exceeded")
        package static let operationTimeLimit = Code("operation_time_limit")
        package static let wrongLicense = Code("wrong_license")
        package static let eventNotFound = Code("error_event_not_found")
        /// The portal has no Push & Pull server.
        package static let serverError = Code("server_error")
        /// Nobody answered, or not in time.
        package static let unreachable = Code("unreachable")
        /// Something answered that is not Bitrix24's JSON.
        package static let notJSON = Code("not_json")
        /// The portal's address is none that may be called.
        package static let forbiddenAddress = Code("forbidden_address")
        /// There is no token, or none that can be opened; the portal needs authorisation.
        package static let noTokens = Code("no_tokens")
        /// The portal answers with a redirect, and no other address is known.
        package static let moved = Code("moved")
        /// The answer is larger than an answer may be.
        package static let tooLarge = Code("too_large")
        /// An authorization server's words are of another portal or application.
        package static let foreign = Code("foreign")
        /// `event.bind` answered false: Bitrix24 does not like the handler's URL.
        package static let handlerRefused = Code("handler_refused")
        /// The call came through, and its result says that nothing was done.
        package static let notDone = Code("not_done")
        /// An error without a code that could be repeated.
        package static let unnamed = Code("unnamed")
        /// The task was cancelled.
        package static let cancelled = Code("cancelled")
    }

    /// member_id. Empty where no portal is known yet.
    package let portal: String
    package let method: String
    package let code: Code
    /// 0: there was no answer.
    package let status: Int
    /// Bitrix24's words or ours, without secrets.
    package let message: String
    /// How long it is of no use to repeat the call, where Bitrix24 said so.
    package let retryAfter: Duration?

    package init(
        portal: String,
        method: String,
        code: Code,
        status: Int = 0,
        message: String,
        retryAfter: Duration? = nil
    ) {
        self.portal = portal
        self.method = method
        self.code = code
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
    }

    package var description: String {
        "\(method)\(portal.isEmpty ? "" : " at portal \(portal)"): \(code.text): \(message)"
    }
}
