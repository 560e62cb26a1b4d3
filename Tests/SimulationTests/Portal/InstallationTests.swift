import Testing

@testable import Simulation

@Suite struct InstallationTests {
    @Test func `an installation brings tokens that the authorization server knows`() async throws {
        try await StandIn.withRunning(StandInSettings(portals: 2)) { standIn in
            try await EventSink.withRunning { sink, url in
                let member = standIn.memberIDs[1]
                let delivery = try #require(await standIn.install(member, at: url + "install"))
                #expect(delivery.status == 200)
                let post = try #require(sink.posted.first)
                #expect(post.path == "/install")
                #expect(post.event == "ONAPPINSTALL")
                #expect(post.form["data"]?["INSTALLED"]?.text == "Y")
                #expect(post.auth("member_id") == member)
                #expect(post.auth("application_token") == standIn.applicationToken(of: member))
                #expect(post.auth("server_endpoint") == "https://oauth.bitrix.info/rest/")

                let client = try await PortalClient(standIn)
                #expect(post.auth("client_endpoint") == "\(client.base)/portal/\(member)/rest/")
                let token = try #require(post.auth("access_token"))
                let answer = try await client.post("/rest/app.info", ["auth": .text(token)])
                #expect(answer.status == 200)
                let result = try #require(answer.result)
                #expect(result["client_id"]?.text == standIn.settings.clientID)
                #expect(result["install"]?["member_id"]?.text == member)
                #expect(result["install"]?["domain"]?.text == post.auth("domain"))
                #expect(result["install"]?["client_endpoint"]?.text == post.auth("client_endpoint"))

                let unknown = try await client.post("/rest/app.info", ["auth": "0123"])
                #expect((unknown.status, unknown.error) == (401, "NO_AUTH_FOUND"))
            }
        }
    }

    @Test func `a refresh rotates the token, and the old one is worth nothing`() async throws {
        try await StandIn.withRunning { standIn in
            try await EventSink.withRunning { sink, url in
                _ = await standIn.install("1", at: url)
                let client = try await PortalClient(standIn)
                let old = try #require(sink.posted.first?.auth("refresh_token"))
                let wrong = try await client.refresh(old, secret: "other")
                #expect((wrong.status, wrong.error) == (401, "invalid_client"))

                let answer = try await client.refresh(old)
                #expect(answer.status == 200)
                let json = try #require(answer.json)
                #expect(json["member_id"]?.text == standIn.memberIDs[0])
                #expect(json["domain"]?.text == "oauth.bitrix.info")
                #expect(json["expires_in"]?.text == "3600")
                let access = try #require(json["access_token"]?.text)
                #expect(try await client.call("profile", token: access).result?["ADMIN"] == true)

                let again = try await client.refresh(old)
                #expect((again.status, again.error) == (400, "invalid_grant"))
                let new = try #require(json["refresh_token"]?.text)
                #expect(try await client.refresh(new).status == 200)
            }
        }
    }
}
