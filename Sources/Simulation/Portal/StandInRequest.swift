internal import Bitrix24

/// A request as it came over the connection.
struct StandInRequest: Sendable {
    var method = "GET"
    var path: String
    var query = ""
    var contentType = ""
    var authorization = ""
    var body: [UInt8] = []
    var isFromLoopback = false

    /// Query and body together; the body's count where both have one. `nil`: the body is neither JSON nor a form.
    var parameters: PHPValue? {
        guard var all = try? PHPValue(form: query.utf8) else { return nil }
        guard !body.isEmpty else { return all }
        let sent: PHPValue?
        if contentType.lowercased().hasPrefix("application/json") {
            sent = PHPValue(json: body)
        } else {
            sent = try? PHPValue(form: body)
        }
        guard let sent else { return nil }
        if case .list(let values) = all, values.isEmpty { all = .emptyMap }
        for member in sent.members { all.set(member.name, member.value) }
        return all
    }

    /// Wherever Bitrix24 takes it: `auth`, `access_token`, or a bearer's.
    func accessToken(in parameters: PHPValue) -> String? {
        if let token = (parameters["auth"] ?? parameters["access_token"])?.text, !token.isEmpty { return token }
        let bearer = "bearer "
        guard authorization.lowercased().hasPrefix(bearer) else { return nil }
        return String(authorization.dropFirst(bearer.count))
    }
}

extension PortalWorld {
    /// REST and authorization; `nil`: the path is neither's.
    mutating func answer(_ request: StandInRequest) -> StandInAnswer? {
        var parts = request.path.split(separator: "/").map(String.init)
        switch parts {
        case ["rest", "app.info"], ["rest", "app.info.json"]: return authorizationCall("oauth/app.info", request)
        case ["oauth", "token"]: return authorizationCall("oauth/token", request)
        default: break
        }
        guard parts.count >= 3, parts[0] == "portal", parts[2] == "rest" else { return nil }
        let place = parts[1]
        guard let index = portalIndex[String(place.prefix(32))] else {
            return .html("<h1>404 Not Found</h1>", status: 404)
        }
        parts.removeFirst(3)
        if let last = parts.last, last.lowercased().hasSuffix(".json") {
            parts[parts.count - 1] = String(last.dropLast(5))
        }
        guard parts.count == 1 || parts.count == 3, let method = parts.last else {
            return .error(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        }
        var call = RESTCall(portal: index, method: method)
        return answerWithFaults(&call) { world, call in
            guard "/portal/\(place)/" == world.portals[index].path else { return world.redirect(call) }
            return world.portalCall(&call, request, webhook: parts.count == 3 ? (parts[0], parts[1]) : nil)
        }
    }

    /// Lets a waiting fault take effect around `body`, and notes the call.
    mutating func answerWithFaults(
        _ call: inout RESTCall,
        _ body: (inout PortalWorld, inout RESTCall) -> (answer: StandInAnswer, error: String?)
    ) -> StandInAnswer {
        let fault = takeFault(for: call)
        var answer: StandInAnswer
        var error: String?
        switch fault?.kind {
        case .error(let code, let words, let status): (answer, error) = (.error(status, code, words), code)
        case .page(let status): answer = .html("<html><body><h1>nginx</h1></body></html>", status: status)
        case .dropped: answer = StandInAnswer(isLost: true)
        case .undone(let result): answer = .json(["result": .bool(result), "time": timing(of: call)])
        case .expired: (answer, error) = (Self.expired, "expired_token")
        case .answerLost:
            (answer, error) = body(&self, &call)
            answer.isLost = true
        case .slow(let delay):
            (answer, error) = body(&self, &call)
            answer.delay = delay
        case nil: (answer, error) = body(&self, &call)
        }
        note(call, status: answer.isLost ? 0 : answer.status, error: error, fault: fault?.name)
        return answer
    }

    static var expired: StandInAnswer {
        .error(401, "expired_token", "The access token provided has expired.")
    }

    /// The old host after a change of domain: it names the new one, to whoever trusts it (b24restdocs,
    /// settings/how-to-call-rest-api/change-domen.md).
    private func redirect(_ call: RESTCall) -> (answer: StandInAnswer, error: String?) {
        guard let index = call.portal else { return (.html("", status: 404), nil) }
        let location = "https://\(portals[index].domain)/rest/\(call.method)"
        var answer = StandInAnswer.html(
            "<html><head><title>302 Found</title></head><body><a href=\"\(location)\">moved</a></body></html>",
            status: 302
        )
        answer.headers = [("Location", location)]
        return (answer, nil)
    }
}
