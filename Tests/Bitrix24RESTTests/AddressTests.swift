import AsyncHTTPClient
import NIOCore
import Synchronization
import Testing

@testable import Bitrix24REST

@Suite struct AddressTests {
    @Test(arguments: [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254", "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1",
        "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::",
        "3fff::1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "5f00::1",
    ])
    func `an address within is not called`(literal: String) throws {
        #expect(try !#require(HostAddress(literal)).isPublic)
    }

    @Test(arguments: [
        "1.1.1.1", "11.0.0.1", "52.29.163.104", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1",
        "192.0.1.1",
        "193.168.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255", "::ffff:52.29.163.104", "2600:1f18::1",
        "2a00:1450::1",
        "2001:4860:4860::8888", "64:ff9b::341d:a368",
    ])
    func `an address of the internet is called`(literal: String) throws {
        #expect(try #require(HostAddress(literal)).isPublic)
    }

    @Test(arguments: [
        "http://portal.example/rest/", "ftp://portal.example/", "https:///rest/", "//portal.example/rest/", "",
        "https://user@portal.example/rest/", "https://user:word@portal.example/rest/",
        "https://portal.example/rest/?a=",
        "https://portal.example/rest/#a", "https://portal.example:port/rest/",
    ])
    func `only https and a host make an address`(base: String) async {
        let error = await error(calling: base)
        #expect(error?.code == .forbiddenAddress)
    }

    @Test(arguments: [
        "https://127.0.0.1/rest/", "https://[::1]/rest/", "https://localhost/rest/", "https://2130706433/rest/",
        "https://0x7f.1/rest/",
    ])
    func `this host is not called by any of its names`(base: String) async {
        #expect(await error(calling: base)?.code == .forbiddenAddress)
    }

    @Test func `one private address among public ones is enough to refuse a host`() async {
        let error = await error(calling: "https://portal.example/rest/") {
            $0.resolve = { _ in ["52.29.163.104", "10.0.0.7"].compactMap { HostAddress($0) } }
        }
        #expect(error?.code == .forbiddenAddress)
        #expect(error?.message.contains("10.0.0.7") == true)
    }

    @Test func `a host that does not exist is unreachable`() async {
        let error = await error(calling: "https://portal.example/rest/") { $0.resolve = { _ in [] } }
        #expect(error?.code == .unreachable)
    }

    /// What a name stands for can change between the check and the connection.
    @Test func `a connection to a private address is closed before a request is sent`() async throws {
        try await FakeBitrix24.with { _, _ in
            .result(1)
        } _: { server in
            let settings = RESTSettings(clientID: clientID, clientSecret: clientSecret)
            let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings.httpConfiguration)
            for _ in 0..<3 {
                await #expect(throws: ForbiddenAddress.self) {
                    try await http.execute(HTTPClientRequest(url: server.address), timeout: .seconds(10))
                }
            }
            try await http.shutdown()
            #expect(server.calls.isEmpty)
        }
    }

    @Test(arguments: ["http://127.0.0.1:1/", "https://oauth.bitrix.info/", "http://127.0.0.1:80801/rest/"])
    func `with a stand-in nothing else is called`(base: String) async {
        let error = await error(calling: base) { $0.standIn = "http://127.0.0.1:8080" }
        #expect(error?.code == .forbiddenAddress)
    }

    @Test(arguments: ["", "../secret", "a/b", "a?b", "a b", "event.bind#"])
    func `a method's name cannot change the address`(method: String) {
        #expect(throws: RESTError.self) {
            try CallAddress(
                base: "https://portal.example/rest/",
                method: method,
                settings: RESTSettings(clientID: "", clientSecret: ""),
                of: CallName(portal: portal, method: method)
            )
        }
    }

    @Test func `looking up a name ends when it is cancelled`() async throws {
        let task = Task { try await HostAddress.resolve("localhost") }
        task.cancel()
        // Either was first; what counts is that it ends.
        switch await task.result {
        case .success(let addresses): #expect(!addresses.isEmpty)
        case .failure(let error): #expect(error is CancellationError)
        }
        #expect(try await HostAddress.resolve("localhost").allSatisfy { !$0.isPublic })
        await #expect(throws: ResolutionError.self) { try await HostAddress.resolve("no-such-host.invalid") }
    }

    private func error(
        calling base: String,
        _ change: (inout RESTSettings) -> Void = { _ in }
    ) async -> RESTError? {
        var settings = RESTSettings(clientID: clientID, clientSecret: clientSecret)
        settings.clock = TestClock().clock
        settings.retry.passingAttempts = 0
        change(&settings)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings.httpConfiguration)
        let portals = TestPortals()
        portals.state.withLock { state in
            state.tokens[portal] = .first
            state.places[portal] = PortalPlace(
                memberID: portal,
                domain: "portal.example",
                clientEndpoint: base,
                authorizationServer: .world
            )
        }
        let client = RESTClient(http: http, settings: settings, access: portals)
        let error = await #expect(throws: RESTError.self) { try await client.serverTime(of: portal) }
        try? await http.shutdown()
        return error
    }
}
