internal import Glibc

/// What a portal does with a call: who calls, may it be, and which method.
extension PortalWorld {
    mutating func portalCall(
        _ call: inout RESTCall,
        _ request: StandInRequest,
        webhook: (user: String, secret: String)?
    ) -> (answer: StandInAnswer, error: String?) {
        guard let index = call.portal, let parameters = request.parameters else {
            return (.error(400, "INVALID_REQUEST", "Malformed request"), "INVALID_REQUEST")
        }
        if let intensity = settings.intensity, !portals[index].bucket.take(intensity, now: Self.steadyNow) {
            return (.error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests"), "QUERY_LIMIT_EXCEEDED")
        }
        let caller: RESTCall.Caller
        if let webhook {
            guard let user = Int(webhook.user), webhook.secret == portals[index].webhookSecret else {
                return (.error(401, "INVALID_CREDENTIALS", "Invalid request credentials"), "INVALID_CREDENTIALS")
            }
            caller = .webhook(user: user)
        } else {
            switch owner(of: request.accessToken(in: parameters), at: index) {
            case .success(let user): caller = .application(user: user)
            case .failure(let refusal):
                return (.error(refusal.status, refusal.code, refusal.words), refusal.code)
            }
        }
        call.parameters = .map(
            parameters.members.filter { !["auth", "access_token"].contains($0.name.lowercased()) }
        )
        let result = timed(call, caller, at: index)
        switch result {
        case .failure(let status, let code, let words): return (.error(status, code, words), code)
        case .result(let value, let more):
            let members = [PHPValue.Member("result", value)] + more + [.init("time", timing(of: call))]
            return (.json(.map(members)), nil)
        }
    }

    /// Every method that a portal knows here. The faults of a batch's calls are the batch's matter.
    mutating func perform(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        switch call.method.lowercased() {
        case "event.bind": bindEvent(call, caller, at: index)
        case "event.unbind": unbindEvent(call, caller, at: index)
        case "event.get": boundEvents(call, caller, at: index)
        case "events": bindableEvents(call, caller)
        case "event.test": testEvent(call, caller, at: index)
        case "event.offline.get": takeOfflineRows(call, caller, at: index)
        case "event.offline.list": listOfflineRows(call, caller, at: index)
        case "event.offline.clear": clearOfflineRows(call, caller, at: index)
        case "event.offline.error": markOfflineRows(call, caller, at: index)
        case "pull.application.config.get": pushConfiguration(call, caller, at: index)
        case "app.info": portalApplicationInfo(call, caller, at: index)
        case "profile": profile(caller)
        case "server.time": .result(.text(Self.date(Double(now))))
        case "feature.get": feature(call)
        case "scope": scopes(call)
        case "method.get": methodInfo(call)
        case "batch": batch(call, caller, at: index)
        default: .failure(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        }
    }

    /// The same, unless the method has used up its operating time.
    mutating func timed(_ call: RESTCall, _ caller: RESTCall.Caller, at index: Int) -> RESTResult {
        let method = call.method.lowercased()
        if var spent = portals[index].operating[method] {
            if now >= spent.resetsAt {
                portals[index].operating[method] = nil
            } else if let left = spent.left {
                guard left > 0 else {
                    return .failure(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
                }
                spent.left = left - 1
                portals[index].operating[method] = spent
            }
        }
        return perform(call, caller, at: index)
    }

    private struct Refusal: Error {
        let status: Int
        let code: String
        let words: String
    }

    private func owner(of token: String?, at index: Int) -> Result<Int, Refusal> {
        guard let token, let known = accessTokens[token] else {
            return .failure(Refusal(status: 401, code: "NO_AUTH_FOUND", words: "Wrong authorization data"))
        }
        guard known.portal == index else {
            return .failure(Refusal(status: 401, code: "invalid_token", words: "Unable to get application by token"))
        }
        guard portals[index].hasApplication else {
            return .failure(Refusal(status: 401, code: "APPLICATION_NOT_FOUND", words: "Application not found"))
        }
        guard known.expiresAt > now else {
            let words = "The access token provided has expired."
            return .failure(Refusal(status: 401, code: "expired_token", words: words))
        }
        if portals[index].isPaymentExpired {
            return .failure(Refusal(status: 401, code: "PAYMENT_REQUIRED", words: "Payment required"))
        }
        return .success(known.user)
    }

    /// `time` of an answer. A method's operating time is started over ten minutes after its first call.
    mutating func timing(of call: RESTCall) -> PHPValue {
        var seconds = timespec()
        clock_gettime(CLOCK_REALTIME, &seconds)
        let finish = Double(seconds.tv_sec) + Double(seconds.tv_nsec) / 1e9
        var operating = PortalState.OperatingTime(seconds: 0, resetsAt: now + 600)
        if let index = call.portal {
            let method = call.method.lowercased()
            operating = portals[index].operating[method] ?? operating
            if operating.resetsAt <= now { operating = .init(seconds: 0, resetsAt: now + 600) }
            portals[index].operating[method] = operating
        }
        return [
            "start": .double(finish), "finish": .double(finish), "duration": .double(0), "processing": .double(0),
            "date_start": .text(Self.date(finish)), "date_finish": .text(Self.date(finish)),
            "operating_reset_at": .int(operating.resetsAt), "operating": .double(operating.seconds),
        ]
    }

    /// Seconds of the monotonic clock.
    static var steadyNow: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
