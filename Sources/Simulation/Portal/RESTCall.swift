/// A call as a portal or the authorization server sees it.
struct RESTCall: Sendable {
    enum Caller: Sendable {
        case application(user: Int)
        /// An incoming webhook of this user.
        case webhook(user: Int)

        var user: Int {
            switch self {
            case .application(let user), .webhook(let user): user
            }
        }
    }

    /// Index. At the authorization server: whose token it is, `nil` where nobody knows it.
    var portal: Int?
    /// As it was called; `oauth/token` and `oauth/app.info` at the authorization server.
    var method: String
    var parameters = PHPValue.emptyMap
    var isInBatch = false
}

/// What a method makes of a call, before it becomes HTTP.
enum RESTResult: Sendable {
    /// `more` stands beside `result`: `total`, `next`.
    case result(PHPValue, more: [PHPValue.Member] = [])
    case failure(status: Int, code: String, words: String)

    static func failure(_ status: Int, _ code: String, _ words: String) -> RESTResult {
        .failure(status: status, code: code, words: words)
    }

    var errorCode: String? {
        guard case .failure(_, let code, _) = self else { return nil }
        return code
    }
}

/// A long poll of a portal's.
struct PollPlace: Sendable, Equatable {
    /// Index.
    var portal: Int
    var number: Int
}

/// What goes back over the connection.
struct StandInAnswer: Sendable {
    var status = 200
    var contentType = "application/json; charset=utf-8"
    var body: [UInt8] = []
    var headers: [(name: String, value: String)] = []
    /// Waits so long before it is sent.
    var delay: Duration = .zero
    /// The connection is cut in its place.
    var isLost = false
    /// There is none yet: it is a long poll that waits.
    var heldPoll: PollPlace?

    static func json(_ value: PHPValue, status: Int = 200) -> StandInAnswer {
        StandInAnswer(status: status, body: value.json)
    }

    static func error(_ status: Int, _ code: String, _ words: String) -> StandInAnswer {
        json(["error": .text(code), "error_description": .text(words)], status: status)
    }

    static func html(_ text: String, status: Int = 200) -> StandInAnswer {
        StandInAnswer(status: status, contentType: "text/html; charset=utf-8", body: Array(text.utf8))
    }
}
