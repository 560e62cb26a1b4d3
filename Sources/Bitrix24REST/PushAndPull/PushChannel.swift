/// The channel of Bitrix24's Push & Pull server by which a portal tells that its queue has something, for a bridge that the
/// internet cannot reach. By long polls; an application with the scope `pull` may have it.
///
/// A poll holds one connection to the Push & Pull server and costs the portal nothing; only asking for the configuration is a
/// call of the portal, now and then. What is told is a hint and may be lost, so whoever follows must also look at the queues
/// by the clock.
///
/// Source: b24restdocs, settings/interactivity/push-and-pull/pull-application-config-get.md
package struct PushChannel: Sendable {
    /// By then a poll has reached the server, and what is sent from then on will be heard.
    private static let settled = Duration.seconds(3)

    private enum Event: Sendable {
        case settled
        case answered(Result<Transport.Received?, RESTError>)
    }

    private let client: RESTClient
    private let memberID: String
    private let call: CallName

    package init(client: RESTClient, memberID: String) {
        self.client = client
        self.memberID = memberID
        call = CallName(portal: memberID, method: "long poll")
    }

    /// Follows the channel until the task is cancelled. A server that fails, or that the portal has not set up, is waited for.
    ///
    /// - Parameter signal: Queues have something, whichever source keys they have; or may have, as messages may have been
    ///   missed. The latter comes once after each time that the connection was made anew.
    /// - Throws: what waiting does not mend, such as a missing scope (`insufficient_scope`) or tokens that are refused; and
    ///   `cancelled`.
    package func follow(_ signal: @Sendable () -> Void) async throws(RESTError) {
        let clock = client.settings.clock
        var session = PushSession(timeout: client.settings.pollTimeout)
        while true {
            switch session.step(at: clock.steady()) {
            case .wait(let time):
                do { try await clock.sleep(time) } catch { throw call.cancelled }
            case .configure(let cached):
                do throws(RESTError) {
                    let configuration = try await configuration(cached: cached)
                    session.configured(configuration, cached: cached, at: clock.steady(), random: clock.random())
                } catch {
                    try session.notConfigured(error, random: clock.random())
                }
            case .poll(let poll):
                let start = clock.steady()
                let answer: PushAnswer
                do throws(RESTError) {
                    answer = try await ask(poll, &session, signal)
                } catch {
                    switch error.code {
                    case .unreachable: answer = .failure(status: 0)
                    case .tooLarge:
                        session.skip(random: clock.random())
                        continue
                    default: throw error
                    }
                }
                let now = clock.steady()
                if session.polled(answer, elapsed: now - start, at: now, random: clock.random()) { signal() }
            }
        }
    }

    private func configuration(cached: Bool) async throws(RESTError) -> PushConfiguration? {
        let method = "pull.application.config.get"
        let answer = try await client.answer(method, cached ? [:] : ["CACHE": "N"], of: memberID, limitedBy: [method])
        guard let result = answer.result else {
            throw CallName(portal: memberID, method: method).error(.notJSON, status: 200, "answered without a result")
        }
        // Both by the portal's clock, which may not be ours.
        let now = answer.json["time"]?["finish"]?.number ?? Double(client.settings.clock.wall())
        return PushConfiguration(result, at: now)
    }

    /// One poll. Where messages may have been missed before it, that is signalled once it is at the server: what comes in
    /// between would be heard by nobody.
    private func ask(
        _ poll: PushSession.Poll,
        _ session: inout PushSession,
        _ signal: @Sendable () -> Void
    ) async throws(RESTError) -> PushAnswer {
        let request = Transport.Request(
            call: call,
            address: try CallAddress(
                endpoint: poll.endpoint,
                query: FormQuery.text(poll.parameters),
                settings: client.settings,
                of: call
            ),
            body: .none,
            timeout: poll.timeout,
            secrets: poll.secrets
        )
        guard session.mayHaveMissed else { return PushAnswer(try await client.transport.send(request)) }
        let transport = client.transport
        let clock = client.settings.clock
        let result = await withTaskGroup(of: Event.self) { group in
            group.addTask {
                do throws(RESTError) {
                    return .answered(.success(try await transport.send(request)))
                } catch {
                    return .answered(.failure(error))
                }
            }
            group.addTask {
                try? await clock.sleep(Self.settled)
                return .settled
            }
            for await event in group {
                switch event {
                case .settled: if !Task.isCancelled { tell(&session, signal) }
                case .answered(let result):
                    group.cancelAll()
                    return result
                }
            }
            return .failure(call.cancelled)
        }
        let answer = PushAnswer(try result.get())
        switch answer {
        case .failure: break
        case .messages, .silence, .nothing: if session.mayHaveMissed { tell(&session, signal) }
        }
        return answer
    }

    private func tell(_ session: inout PushSession, _ signal: () -> Void) {
        session.heard()
        signal()
    }
}
