package import AsyncHTTPClient

/// Calls of portals, by token or by incoming webhook. All calls of one process go through one client, which holds the portals'
/// limits. Every wait within ends when the task is cancelled.
///
/// A call whose answer got lost is repeated: Bitrix24 may do it twice. Those of the queue of offline events are not.
package final class RESTClient: Sendable {
    let settings: RESTSettings
    let access: any PortalAccess
    let authorization: AuthorizationServer
    let flights = SharedFlight<OAuthTokens>()
    let unkept = UnkeptTokens()
    let transport: Transport
    let limiter: PortalLimiter
    let operating: OperatingTurns

    /// - Parameter http: made with `settings.httpConfiguration`; whoever made it ends it.
    package init(http: HTTPClient, settings: RESTSettings, access: any PortalAccess) {
        self.settings = settings
        self.access = access
        authorization = AuthorizationServer(http: http, settings: settings)
        transport = Transport(http: http, settings: settings)
        limiter = PortalLimiter(settings)
        operating = OperatingTurns(settings.clock)
    }

    /// Calls `method` in the name of the application.
    ///
    /// - Returns: the answer's `result`.
    @discardableResult
    package func call(
        _ method: String,
        _ parameters: [String: JSONValue] = [:],
        of memberID: String
    ) async throws(RESTError) -> JSONValue {
        try await call(method, parameters, of: memberID, .waits)
    }

    func call(
        _ method: String,
        _ parameters: [String: JSONValue],
        of memberID: String,
        _ patience: CallPatience
    ) async throws(RESTError) -> JSONValue {
        let answer = try await answer(method, parameters, of: memberID, limitedBy: [method], patience)
        return try result(of: answer, CallName(portal: memberID, method: method))
    }

    /// Calls `method` by an incoming webhook, which many methods refuse (`WRONG_AUTH_TYPE`).
    ///
    /// - Parameter memberID: names the portal in errors, and in its limits, which all calls of a portal share.
    @discardableResult
    package func call(
        _ method: String,
        _ parameters: [String: JSONValue] = [:],
        by webhook: IncomingWebhook,
        of memberID: String
    ) async throws(RESTError) -> JSONValue {
        let call = CallName(portal: memberID, method: method)
        let address = try CallAddress(base: webhook.address, method: method, settings: settings, of: call)
        var attempts = CallAttempts(settings.retry)
        while true {
            do throws(RESTError) {
                let request = Transport.Request(
                    call: call,
                    address: address,
                    body: .json(JSONValue.object(parameters).json),
                    timeout: settings.portalTimeout,
                    secrets: [webhook.secret, webhook.address]
                )
                return try await result(of: exchange(request, limitedBy: [method]), call)
            } catch {
                switch attempts.action(after: error, random: settings.clock.random()) {
                // There is no token that could be renewed, or by which to ask for the address.
                case .fail, .refresh, .relocate: throw error
                case let action: try await wait(action, error, call)
                }
            }
        }
    }

    private func result(of answer: Answer, _ call: CallName) throws(RESTError) -> JSONValue {
        guard let result = answer.result else {
            throw call.error(.notJSON, status: 200, "answered without a result")
        }
        return result
    }

    /// - Parameter limitedBy: the methods whose operating time the call uses.
    func answer(
        _ method: String,
        _ parameters: [String: JSONValue],
        of memberID: String,
        limitedBy methods: Set<String>,
        _ patience: CallPatience = .waits
    ) async throws(RESTError) -> Answer {
        let call = CallName(portal: memberID, method: method)
        var attempts = CallAttempts(settings.retry)
        while true {
            let tokens = try await currentTokens(of: memberID)
            let place = try await access.place(of: memberID)
            do throws(RESTError) {
                var parameters = parameters
                parameters["auth"] = .string(tokens.access)
                let request = Transport.Request(
                    call: call,
                    address: try CallAddress(
                        base: place.clientEndpoint,
                        method: method,
                        settings: settings,
                        of: call
                    ),
                    body: .json(JSONValue.object(parameters).json),
                    timeout: settings.portalTimeout,
                    secrets: [tokens.access, tokens.refresh, settings.clientSecret]
                )
                return try await exchange(request, limitedBy: methods, patience)
            } catch {
                switch attempts.action(after: error, random: settings.clock.random()) {
                case .fail:
                    await report(error, with: tokens, of: memberID)
                    throw error
                case .refresh: _ = try await refreshed(tokens, of: memberID)
                case .relocate: try await relocate(memberID, from: place, because: error)
                case let action where patience == .failsAtOnce:
                    // The others' calls wait.
                    if case .slowDown(let time) = action { limiter.pause(memberID, for: time) }
                    throw error
                case let action: try await wait(action, error, call)
                }
            }
        }
    }

    /// One request, when it is its turn.
    private func exchange(
        _ request: Transport.Request,
        limitedBy methods: Set<String>,
        _ patience: CallPatience = .waits
    ) async throws(RESTError) -> Answer {
        let portal = request.call.portal
        if patience == .failsAtOnce, let time = operating.begin(portal, methods) {
            throw request.call.error(
                .operationTimeLimit,
                "the portal refuses it for a while, as its operating time is used up",
                retryAfter: time
            )
        }
        do throws(CancellationError) {
            if patience == .waits { try await operating.wait(portal, methods) }
            do throws(CancellationError) {
                try await limiter.wait(for: portal)
            } catch {
                operating.unanswered(portal, methods)
                throw error
            }
        } catch {
            throw request.call.cancelled
        }
        do throws(RESTError) {
            let answer = try await transport.post(request)
            for method in methods {
                operating.answered(portal, method, reset: answer.operatingReset(of: method, in: request.call.method))
            }
            return answer
        } catch {
            operating.failed(portal, methods, error)
            throw error
        }
    }

    private func wait(_ action: CallAttempts.Action, _ error: RESTError, _ call: CallName) async throws(RESTError) {
        switch action {
        case .slowDown(let time): limiter.pause(call.portal, for: time)
        case .again(let time):
            do { try await settings.clock.sleep(time) } catch { throw call.cancelled }
        // The next turn of the method waits.
        case .pauseMethod, .fail, .refresh, .relocate: break
        }
    }
}
