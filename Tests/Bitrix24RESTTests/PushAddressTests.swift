import Testing

@testable import Bitrix24REST

@Suite struct PushAddressTests {
    @Test(arguments: [
        "http://rtc.example/sub/", "https://127.0.0.1/sub/", "https://user@rtc.example/sub/", "https://[::1]/sub/?a=1",
        "https://rtc.example/sub/?a b", "https://rtc.example/sub/?a#b", "ftp://rtc.example/", "",
    ])
    func `a poll goes to public addresses only`(endpoint: String) async throws {
        var settings = RESTSettings(clientID: clientID, clientSecret: clientSecret)
        settings.resolve = { HostAddress($0).map { [$0] } ?? [] }
        let call = CallName(portal: portal, method: "long poll")
        let error = await #expect(throws: RESTError.self) {
            let address = try CallAddress(
                endpoint: endpoint,
                query: "CHANNEL_ID=secret0123456789abc",
                settings: settings,
                of: call
            )
            try await address.check(settings, of: call)
        }
        #expect(error?.code == .forbiddenAddress)
        #expect(error?.description.contains("secret") == false)
    }

    @Test func `a poll's query is added to what the address has`() throws {
        let settings = RESTSettings(clientID: clientID, clientSecret: clientSecret)
        let call = CallName(portal: portal, method: "long poll")
        for (endpoint, url) in [
            ("https://h.example/sub/", "https://h.example/sub/?q=1"),
            ("https://h.example/sub", "https://h.example/sub?q=1"),
            ("https://h.example/sub/?", "https://h.example/sub/?q=1"),
            ("https://h.example/sub/?a=b", "https://h.example/sub/?a=b&q=1"),
        ] {
            #expect(try CallAddress(endpoint: endpoint, query: "q=1", settings: settings, of: call).url == url)
        }
    }
}
