/// Why a call about an installation was not taken, or not believed.
enum InstallRefusal: String, Error, Sendable, CaseIterable {
    // At receipt: answered with an error, so that nothing is promised.
    case noKey = "no-key"
    case tooFast = "too-fast"
    case inboxFull = "inbox-full"
    case portalFull = "portal-full"
    case tooLarge = "too-large"
    case incomplete
    case disk
    case shutdown
    // At verification: it was answered with 200, which promises an honest look.
    case wrongApplication = "wrong-application"
    case wrongPortal = "wrong-portal"
    case wrongDomain = "wrong-domain"
    case noHTTPS = "no-https"
    case invalidToken = "invalid-token"
    case tokenExpired = "token-expired"
    case unreachable
    case damaged

    /// What it means and what to do, for the log.
    var words: String {
        switch self {
        case .noKey:
            "no installation can be taken without secrets.key; set it to 32 bytes in base64, as openssl rand -base64 32 makes "
                + "them, and install the application again"
        case .tooFast: "more calls at the install address than are taken in a second; look who sends them"
        case .inboxFull: "too many installations wait to be verified; see why the authorization server does not answer"
        case .portalFull: "so many unverified calls of this portal wait already; they are verified first"
        case .tooLarge: "the body is larger than that of any installation"
        case .incomplete: "the body lacks tokens, member_id or domain, so that it cannot be verified"
        case .disk: "it could not be stored; see to the disk of journal.directory"
        case .shutdown: "the bridge is shutting down"
        case .wrongApplication:
            "its token belongs to another application; compare application.clientId with the application's in Bitrix24"
        case .wrongPortal: "its token belongs to another portal than the body says"
        case .wrongDomain: "the portal has another domain than the body says"
        case .noHTTPS: "the portal's REST address is not https"
        case .invalidToken: "the authorization server does not know its token; somebody made it up, or it was withdrawn"
        case .tokenExpired: "its token expired before it could be verified, and could not be renewed; install again"
        case .unreachable: "the authorization server did not answer for a day; install the application again"
        case .damaged: "its file in the inbox is damaged; it was set aside"
        }
    }
}
