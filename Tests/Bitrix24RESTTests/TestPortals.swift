import AsyncHTTPClient
import Bitrix24REST
import Foundation
import Locks
import Synchronization

let portal = "a223c6b3710f85df22e9377d6c4f7553"
let clientID = "local.5c8bb1b0891cf2.87252039"
let clientSecret = "kT9vQ2xL7pRw4sZc8nBd3mHf6jGy1aEu"

/// A keeper of portals in memory that remembers what it was told.
final class TestPortals: PortalAccess {
    struct State {
        var places: [String: PortalPlace] = [:]
        var tokens: [String: OAuthTokens] = [:]
        var kept: [OAuthTokens] = []
        var moved: [AppInfo] = []
        var refused: [RESTError] = []
    }

    let state = Guarded(State())
    let onKeep: @Sendable () async throws(RESTError) -> Void

    init(onKeep: @escaping @Sendable () async throws(RESTError) -> Void = { () throws(RESTError) in }) {
        self.onKeep = onKeep
    }

    func add(_ memberID: String = portal, at server: FakeBitrix24, tokens: OAuthTokens = .first) {
        state.withLock { state in
            state.tokens[memberID] = tokens
            state.places[memberID] = PortalPlace(
                memberID: memberID,
                domain: "127.0.0.1",
                clientEndpoint: "\(server.address)/portal/\(memberID)/rest/",
                authorizationServer: .world
            )
        }
    }

    var kept: [OAuthTokens] { state.withLock { $0.kept } }
    var moved: [AppInfo] { state.withLock { $0.moved } }
    var refused: [RESTError] { state.withLock { $0.refused } }

    func place(of memberID: String) async throws(RESTError) -> PortalPlace {
        guard let place = state.withLock({ $0.places[memberID] }) else { throw .none(memberID) }
        return place
    }

    func tokens(of memberID: String) async throws(RESTError) -> OAuthTokens {
        guard let tokens = state.withLock({ $0.tokens[memberID] }) else { throw .none(memberID) }
        return tokens
    }

    func keep(_ tokens: OAuthTokens, of memberID: String) async throws(RESTError) {
        try await onKeep()
        state.withLock { state in
            state.tokens[memberID] = tokens
            state.kept.append(tokens)
        }
    }

    func moved(_ memberID: String, to info: AppInfo) async throws(RESTError) {
        state.withLock { state in
            state.moved.append(info)
            state.places[memberID] = PortalPlace(
                memberID: memberID,
                domain: info.domain,
                clientEndpoint: info.clientEndpoint,
                authorizationServer: .world
            )
        }
    }

    func refused(_ tokens: OAuthTokens, of memberID: String, because error: RESTError) async {
        state.withLock { $0.refused.append(error) }
    }
}

extension OAuthTokens {
    static let first = OAuthTokens(
        access: "firstaccess0123456789abcdef",
        refresh: "firstrefresh0123456789abcdef",
        accessExpiresAt: .max
    )
}

extension RESTError {
    static func none(_ memberID: String) -> RESTError {
        RESTError(portal: memberID, method: "", code: .noTokens, message: "unknown")
    }
}

/// Time that passes only when somebody sleeps, and then at once.
final class TestClock: Sendable {
    private struct State {
        var now = Duration.zero
        var sleeps: [Duration] = []
    }

    private let state = Guarded(State())
    let beginning: Int64 = 1_790_000_000

    var sleeps: [Duration] { state.withLock { $0.sleeps } }
    var now: Duration { state.withLock { $0.now } }

    var clock: RESTClock {
        RESTClock(
            wall: { self.beginning + self.now.components.seconds },
            steady: { self.now },
            sleep: { duration throws(CancellationError) in
                if Task.isCancelled { throw CancellationError() }
                self.state.withLock { state in
                    state.now += duration
                    state.sleeps.append(duration)
                }
                await Task.yield()
            },
            random: { 0.5 }
        )
    }
}

/// A client of portals that are all at `server`.
@discardableResult
func withClient<Result: Sendable>(
    at server: FakeBitrix24,
    _ portals: TestPortals,
    clock: RESTClock = TestClock().clock,
    _ change: (inout RESTSettings) -> Void = { _ in },
    _ body: (RESTClient, RESTSettings) async throws -> Result
) async throws -> Result {
    var settings = RESTSettings(clientID: clientID, clientSecret: clientSecret, standIn: server.address)
    settings.clock = clock
    change(&settings)
    let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings.httpConfiguration)
    do {
        let result = try await body(RESTClient(http: http, settings: settings, access: portals), settings)
        try await http.shutdown()
        return result
    } catch {
        try? await http.shutdown()
        throw error
    }
}

/// What an authorization server answers to a good refresh.
func newTokens(_ number: Int, of memberID: String = portal, at server: FakeBitrix24? = nil) -> JSONValue {
    [
        "access_token": .string("access\(number)-0123456789abcdef"),
        "refresh_token": .string("refresh\(number)-0123456789abcdef"), "expires_in": 3600, "expires": 1_780_319_382,
        "member_id": .string(memberID), "domain": "oauth.bitrix.info", "scope": "crm,task", "status": "L",
        "user_id": 67,
        "client_endpoint": .string(server.map { "\($0.address)/portal/\(memberID)/rest/" } ?? ""),
    ]
}

/// What `app.info` answers at an authorization server.
func appInfo(of memberID: String = portal, endpoint: String, clientID: String = clientID) -> JSONValue {
    [
        "client_id": .string(clientID), "scope": "crm,task", "expires": "2026-11-02T17:26:15+03:00", "user_id": 1,
        "install": [
            "installed": true, "version": "1", "status": "L", "scope": "crm,task", "domain": "new.bitrix24.com",
            "uri": "https://new.bitrix24.com/", "client_endpoint": .string(endpoint), "member_id": .string(memberID),
            "member_type": "",
        ],
    ]
}

/// A client and one portal, which is `portal`, at a server that answers as `script` says.
func withPortal(
    _ clock: TestClock = TestClock(),
    _ script: @escaping @Sendable (FakeBitrix24.Call, Int) -> FakeBitrix24.Reply,
    change: (inout RESTSettings) -> Void = { _ in },
    _ body: (RESTClient, FakeBitrix24, TestPortals) async throws -> Void
) async throws {
    try await FakeBitrix24.with(script) { server in
        let portals = TestPortals()
        portals.add(at: server)
        try await withClient(at: server, portals, clock: clock.clock, change) { client, _ in
            try await body(client, server, portals)
        }
    }
}

struct ConditionNotMet: Error {}

func until(_ condition: () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(60)
    while !condition() {
        guard ContinuousClock.now < end else { throw ConditionNotMet() }
        try await Task.sleep(for: .milliseconds(2))
    }
}
