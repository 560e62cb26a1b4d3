extension RESTError {
    /// What an error means for whoever looks after the portal.
    package enum Meaning: Sendable {
        /// Somebody must install the application again, or give new tokens.
        case needsAuthorisation
        /// The application is no longer on the portal.
        case uninstalled
        /// The same call will fail the same way until somebody changes something.
        case permanent
        /// Bitrix24 may come to another mind by itself, after an hour or more.
        case later
        /// May succeed when repeated soon.
        case passing
    }

    /// What the client itself does about an error before it gives up.
    enum Remedy: Sendable {
        case none
        /// New tokens, once.
        case refresh
        /// Ask for the portal's address, once.
        case relocate
        /// The whole portal pauses.
        case slowDown
        /// This method pauses.
        case pauseMethod
        case again
    }

    package var meaning: Meaning { rule.meaning }
    var remedy: Remedy { rule.remedy }

    /// Of an authorization server, which has no limits that are told.
    var isWorthRepeating: Bool { remedy == .again || remedy == .slowDown }

    private var rule: (meaning: Meaning, remedy: Remedy) {
        if let rule = Self.rules[code] { return rule }
        // 408 and 429 say by themselves that they pass.
        return status >= 500 || status == 408 || status == 429 ? (.passing, .again) : (.permanent, .none)
    }

    /// The one table of codes. Source: b24restdocs, _includes/system-errors.md and settings/oauth/error-codes.md.
    private static let rules: [Code: (meaning: Meaning, remedy: Remedy)] = [
        // Of the authorization servers.
        .invalidGrant: (.needsAuthorisation, .none),
        .notInstalled: (.uninstalled, .none),
        // A wrong clientSecret says the same: not to be held against the portal.
        .invalidClient: (.permanent, .none),
        Code("wrong_client"): (.permanent, .none),
        Code("invalid_request"): (.permanent, .none),
        Code("invalid_scope"): (.permanent, .none),
        Code("payment_required"): (.later, .none),
        // Of portals.
        .expiredToken: (.passing, .refresh),
        .invalidToken: (.needsAuthorisation, .refresh),
        .noAuthFound: (.needsAuthorisation, .refresh),
        Code("invalid_credentials"): (.needsAuthorisation, .none),
        Code("error_oauth"): (.needsAuthorisation, .none),
        Code("user_access_error"): (.needsAuthorisation, .none),
        .applicationNotFound: (.uninstalled, .none),
        Code("authorization_error"): (.passing, .again),
        Code("connection_error"): (.passing, .again),
        Code("wrong_auth_type"): (.permanent, .none),
        Code("insufficient_scope"): (.permanent, .none),
        Code("access_denied"): (.permanent, .none),
        .wrongLicense: (.permanent, .none),
        Code("method_confirm_waiting"): (.later, .none),
        Code("method_confirm_denied"): (.permanent, .none),
        .queryLimitExceeded: (.passing, .slowDown),
        .operationTimeLimit: (.passing, .pauseMethod),
        // Blocked by hand; Bitrix24's support must lift it.
        Code("overload_limit"): (.later, .none),
        Code("error_method_not_found"): (.permanent, .none),
        Code("internal_server_error"): (.passing, .again),
        Code("error_unexpected_answer"): (.passing, .again),
        Code("portal_deleted"): (.later, .none),
        // Ours.
        .unreachable: (.passing, .again),
        .notJSON: (.passing, .again),
        .moved: (.passing, .relocate),
        .noTokens: (.needsAuthorisation, .none),
        .forbiddenAddress: (.permanent, .none),
        .tooLarge: (.permanent, .none),
        .foreign: (.permanent, .none),
        .handlerRefused: (.permanent, .none),
        .notDone: (.passing, .none),
        .cancelled: (.passing, .none),
    ]
}
