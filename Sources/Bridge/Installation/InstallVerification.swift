internal import AsyncHTTPClient
internal import Bitrix24
internal import Bitrix24REST
internal import Foundation
internal import ServiceLifecycle
internal import Synchronization

/// Asks the authorization server about each call of the inbox, and does what is to be done: the portal's record first, then its
/// event into the journal, and only then the call leaves the inbox. So a crash anywhere repeats, and loses nothing.
struct InstallVerification: Service, CustomStringConvertible {
    let inbox: InstallInbox
    let rest: RESTSettings
    let check: InstallCheck
    let registry: PortalRegistry
    let keyring: Keyring
    let publication: InstallPublication
    let outcomes: InstallOutcomes
    /// How long a call is tried again that cannot be verified for a reason that passes.
    var patience: Duration = .seconds(86_400)

    /// The service group logs its services.
    var description: String { "InstallVerification" }

    /// Calls that are verified at the same time.
    private static let parallel = 8

    /// Why a call must wait.
    private struct Obstacle: Error {
        let words: String
    }

    func run() async throws {
        try await HTTPClient.withHTTPClient(configuration: rest.httpConfiguration) { http in
            let authority = AuthorizationServer(http: http, settings: rest)
            await cancelWhenGracefulShutdown { await verify(at: authority) }
        }
    }

    private func verify(at authority: AuthorizationServer) async {
        let underWay = Counter()
        await withDiscardingTaskGroup { group in
            group.addTask {
                while (try? await Task.sleep(for: .milliseconds(250))) != nil {
                    if inbox.count > 0 { inbox.bell.ring() }
                }
            }
            for await _ in inbox.bell.rings {
                for id in inbox.takeDue(Self.parallel - underWay.value.load(ordering: .relaxed)) {
                    underWay.value.add(1, ordering: .relaxed)
                    group.addTask {
                        await work(id, authority)
                        underWay.value.subtract(1, ordering: .relaxed)
                        inbox.bell.ring()
                    }
                }
            }
            group.cancelAll()
        }
    }

    private final class Counter: Sendable {
        let value = Atomic(0)
    }

    private func work(_ id: String, _ authority: AuthorizationServer) async {
        do {
            guard var call = try await inbox.call(id) else { return }
            do {
                try await take(&call, authority)
            } catch let refusal as InstallRefusal {
                outcomes.refused(refusal, id: id, memberID: call.memberID)
            } catch {
                let age = Duration.milliseconds(WallClock.now().milliseconds - call.receivedAt)
                guard age > patience else {
                    outcomes.postponed(call, error: "\(error)")
                    return inbox.postpone(id)
                }
                outcomes.refused(.unreachable, id: id, memberID: call.memberID, error: "\(error)")
            }
            try await inbox.finish(id)
        } catch {
            // The disk or the shutdown. What is done already is found done the next time.
            inbox.postpone(id)
        }
    }

    /// - Throws: `InstallRefusal`, or what passes.
    private func take(_ call: inout UnverifiedCall, _ authority: AuthorizationServer) async throws {
        if call.kind == .farewell {
            let receivedAt = call.receivedAt
            try await registry.change(call.memberID, until: .here) {
                $0.end(because: "the application was uninstalled", at: receivedAt)
            }
            return
        }
        guard let claim = InstallClaim(call) else { throw InstallRefusal.incomplete }
        let info = try await info(of: &call, claim, authority)
        switch call.kind {
        case .test, .renewal: try check.verify(info, memberID: call.memberID)
        default: try check.verify(info, claim: claim)
        }
        try await record(call, claim, info)
        if call.kind == .installation, await publication.publish(call, domain: info.domain) == .refused {
            throw Obstacle(words: "the journal does not take its event")
        }
        outcomes.verified(call, domain: info.domain)
    }

    private func record(_ call: UnverifiedCall, _ claim: InstallClaim, _ info: AppInfo) async throws {
        let tokens = call.tokens(claim)
        let verified = VerifiedCall(
            kind: call.kind,
            receivedAt: call.receivedAt,
            info: info,
            authorizationServer: claim.authorizationServer,
            tokens: tokens.refresh.isEmpty
                ? nil : try SealedTokens.seal(tokens, of: call.memberID, with: keyring),
            accessExpiresAt: tokens.accessExpiresAt,
            applicationToken: claim.applicationToken.map { String(decoding: $0.hexadecimal, as: UTF8.self) }
        )
        try await registry.change(call.memberID, until: .here) { $0.take(verified) }
    }

    /// Asks with the call's access token, or with a new one if that has expired meanwhile.
    private func info(of call: inout UnverifiedCall, _ claim: InstallClaim, _ authority: AuthorizationServer)
        async throws -> AppInfo
    {
        do throws(RESTError) {
            return try await authority.appInfo(accessToken: call.tokens(claim).access, at: claim.authorizationServer)
        } catch {
            guard error.code == .expiredToken else { throw Self.judged(error) }
        }
        do throws(RESTError) {
            let fresh = try await authority.refresh(
                call.tokens(claim),
                of: call.memberID,
                at: claim.authorizationServer
            ).tokens
            call.rotated = UnverifiedCall.Rotated(fresh)
        } catch {
            let isOver = [.invalidGrant, .foreign, .noTokens].contains(error.code)
            throw isOver ? InstallRefusal.tokenExpired : error as any Error
        }
        // The old tokens are worth nothing from here on. If the disk refuses, a crash would lose the new ones; going on is the
        // best that can be done about it.
        try? await inbox.replace(call)
        do throws(RESTError) {
            return try await authority.appInfo(accessToken: call.tokens(claim).access, at: claim.authorizationServer)
        } catch {
            throw Self.judged(error)
        }
    }

    private static func judged(_ error: RESTError) -> any Error {
        switch error.meaning {
        case .passing, .later: error
        case .needsAuthorisation, .uninstalled, .permanent: InstallRefusal.invalidToken
        }
    }
}

extension UnverifiedCall.Rotated {
    fileprivate init(_ tokens: OAuthTokens) {
        self.init(access: tokens.access, refresh: tokens.refresh, expiresAt: tokens.accessExpiresAt)
    }
}

extension UnverifiedCall {
    /// The tokens of today.
    fileprivate func tokens(_ claim: InstallClaim) -> OAuthTokens {
        guard let rotated else { return claim.tokens }
        return OAuthTokens(access: rotated.access, refresh: rotated.refresh, accessExpiresAt: rotated.expiresAt)
    }
}

extension InstallClaim {
    /// Reads the body once more, as it was read at its receipt.
    fileprivate init?(_ call: UnverifiedCall) {
        var form = BracketForm()
        let isForm: Void? = try? form.decode(Array(call.body))
        guard isForm != nil else { return nil }
        if call.kind == .page {
            self.init(page: form, query: call.query ?? "", receivedAt: Timestamp(milliseconds: call.receivedAt))
        } else {
            guard case .event(let event) = InboundCall(form) else { return nil }
            self.init(event: event, in: form)
        }
    }
}
