import Locks
import Synchronization
import Testing

@testable import Bitrix24REST

@Suite struct MovedPortalTests {
    @Test(arguments: [301, 302, 307, 308])
    func `the authorization server is asked where a moved portal is, and the redirect's word counts nothing`(
        status: Int
    ) async throws {
        let address = Guarded("")
        try await withPortal { call, _ in
            switch call.path {
            case "/rest/app.info": .result(appInfo(endpoint: address.withLock { $0 } + "/new/rest/"))
            case "/new/rest/crm.deal.add": .result(call.json["x"] ?? nil)
            default: .text(status, "<html>", [("Location", "/evil/rest/crm.deal.add")])
            }
        } _: { client, server, portals in
            address.withLock { $0 = server.address }
            #expect(try await client.call("crm.deal.add", ["x": 1], of: portal) == 1)
            #expect(
                server.calls.map(\.path) == [
                    "/portal/\(portal)/rest/crm.deal.add", "/rest/app.info", "/new/rest/crm.deal.add",
                ]
            )
            #expect(portals.moved.map(\.domain) == ["new.bitrix24.com"])
            _ = try await client.call("crm.deal.add", ["x": 1], of: portal)
            #expect(server.calls.count == 4)
        }
    }

    @Test func `who finds the portal moved while another asks for its address goes there too`() async throws {
        let address = Guarded("")
        try await withPortal { call, earlier in
            switch call.path {
            case "/rest/app.info": return .result(appInfo(endpoint: address.withLock { $0 } + "/new/rest/"))
            case "/new/rest/server.time": return .result("time")
            case "/new/rest/events": return .result([])
            default:
                // The second one hears of it only when the first one is through.
                return call.method == "events"
                    ? .heldText(302, "") : .text(302, "", [])
            }
        } _: { client, server, portals in
            address.withLock { $0 = server.address }
            async let events = client.events(of: portal)
            try await until { server.calls("events").count == 1 }
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            server.release()
            #expect(try await events.isEmpty)
            #expect(server.calls("app.info").count == 1)
            #expect(portals.moved.count == 1)
        }
    }

    @Test func `a portal that redirects without having moved is given up`() async throws {
        let address = Guarded("")
        try await withPortal { call, _ in
            call.path == "/rest/app.info"
                ? .result(appInfo(endpoint: address.withLock { $0 } + "/portal/\(portal)/rest/"))
                : .text(302, "", [("Location", "/login")])
        } _: { client, server, portals in
            address.withLock { $0 = server.address }
            let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(error?.code == .moved)
            #expect(server.calls.count == 2)
            #expect(portals.moved.isEmpty)
        }
    }

    @Test func `it is followed once only`() async throws {
        let address = Guarded("")
        try await withPortal { call, _ in
            call.path == "/rest/app.info"
                ? .result(appInfo(endpoint: address.withLock { $0 } + "/new/rest/"))
                : .text(302, "", [("Location", "/login")])
        } _: { client, server, _ in
            address.withLock { $0 = server.address }
            let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(error?.code == .moved)
            #expect(server.calls.count == 3)
        }
    }

    @Test(arguments: [("another", clientID), (portal, "another")])
    func `an answer about another portal or application moves nothing`(memberID: String, client id: String) async throws
    {
        try await withPortal { call, _ in
            call.path == "/rest/app.info"
                ? .result(appInfo(of: memberID, endpoint: "https://evil.example/rest/", clientID: id))
                : .text(302, "", [])
        } _: { client, _, portals in
            let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
            #expect(error?.code == .foreign)
            #expect(portals.moved.isEmpty)
        }
    }

    @Test func `a token that expired in the meantime is refreshed to ask`() async throws {
        let address = Guarded("")
        try await withPortal { call, _ in
            let isOld = call.body.contains(OAuthTokens.first.access)
            switch call.path {
            case "/oauth/token/": return .json(200, newTokens(1))
            case "/rest/app.info":
                return isOld
                    ? .error(401, "expired_token")
                    : .result(appInfo(endpoint: address.withLock { $0 } + "/new/rest/"))
            case "/new/rest/server.time": return isOld ? .error(401, "expired_token") : .result("time")
            default: return .text(302, "", [])
            }
        } _: { client, server, _ in
            address.withLock { $0 = server.address }
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            #expect(server.calls.map(\.method) == ["server.time", "app.info", "token", "app.info", "server.time"])
        }
    }

    @Test func `a refresh that names another address has it asked for at once`() async throws {
        let address = Guarded("")
        try await withPortal { call, _ in
            switch call.path {
            case "/oauth/token/":
                var tokens = newTokens(1).members ?? [:]
                tokens["client_endpoint"] = .string(address.withLock { $0 } + "/new/rest/")
                return .json(200, .object(tokens))
            case "/rest/app.info": return .result(appInfo(endpoint: address.withLock { $0 } + "/new/rest/"))
            case "/new/rest/server.time": return .result("time")
            default: return .error(401, "expired_token")
            }
        } _: { client, server, portals in
            address.withLock { $0 = server.address }
            let time = try await client.serverTime(of: portal)
            #expect(time == "time")
            #expect(server.calls.map(\.method) == ["server.time", "token", "app.info", "server.time"])
            #expect(portals.moved.count == 1)
        }
    }
}
