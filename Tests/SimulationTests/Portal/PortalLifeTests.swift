import Testing

@testable import Simulation

@Suite struct PortalLifeTests {
    @Test func `after a change of domain the old address redirects, and app info names the new one`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, sink, url, token in
            _ = try await client.call("event.bind", ["event": "ONCRMDEALADD", "handler": .text(url)], token: token)
            standIn.rename("1", to: "acme.example")
            let moved = try await client.call("profile", token: token)
            #expect(moved.status == 302)
            #expect(moved.json == nil)
            #expect(moved.header("Location") == "https://acme.example/rest/profile")
            let info = try await client.post("/rest/app.info", ["auth": .text(token)]).result?["install"]
            #expect(info?["domain"] == "acme.example")
            #expect(info?["member_id"]?.text == standIn.memberIDs[0])
            let endpoint = try #require(info?["client_endpoint"]?.text)
            #expect(endpoint != "\(client.base)/portal/\(standIn.memberIDs[0])/rest/")
            #expect(try await client.post(endpoint + "profile", ["auth": .text(token)]).result?["ID"] == "1")
            _ = await standIn.emit("ONCRMDEALADD", portal: "1")
            let post = try #require(sink.posted("ONCRMDEALADD").first)
            #expect(post.auth("domain") == "acme.example")
            #expect(post.auth("client_endpoint") == endpoint)
        }
    }

    @Test func `after uninstalling, tokens are dead, and a new installation gives others`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, sink, url, token in
            let refresh = try #require(sink.posted.first?.auth("refresh_token"))
            let parameters: PHPValue = ["event": "ONAPPUNINSTALL", "handler": .text(url)]
            #expect(try await client.call("event.bind", parameters, token: token).result == true)
            let deliveries = await standIn.uninstall("1", isClean: true)
            #expect(deliveries.map(\.event) == ["ONAPPUNINSTALL"])
            let post = try #require(sink.posted("ONAPPUNINSTALL").first)
            #expect(post.form["data"]?["CLEAN"] == "1")
            #expect(post.auth("access_token") == nil)
            #expect(post.auth("application_token") == standIn.applicationToken(of: "1"))

            let call = try await client.call("profile", token: token)
            #expect((call.status, call.error) == (401, "APPLICATION_NOT_FOUND"))
            let refused = try await client.refresh(refresh)
            #expect((refused.status, refused.error) == (401, "NOT_INSTALLED"))
            let info = try await client.post("/rest/app.info", ["auth": .text(token)])
            #expect((info.status, info.error) == (401, "NOT_INSTALLED"))
            #expect(standIn.portal("1")?.application == "uninstalled")
            #expect(await standIn.emit("ONCRMDEALADD", portal: "1").isEmpty)

            _ = await standIn.install("1", at: url)
            #expect(try await client.refresh(refresh).error == "invalid_grant")
            let fresh = try #require(sink.posted.last?.auth("access_token"))
            #expect(try await client.call("profile", token: fresh).status == 200)
        }
    }

    @Test func `an application with a user interface gets no event before installFinish`() async throws {
        try await StandIn.withRunning { standIn in
            try await EventSink.withRunning { sink, url in
                let client = try await PortalClient(standIn)
                let frame = try #require(standIn.openFrame("1", language: "ru"))
                let query = try PHPValue(form: frame.query.utf8)
                #expect(query["LANG"] == "ru")
                #expect(query["DOMAIN"]?.text == standIn.portals[0].domain)
                let form = try PHPValue(form: frame.body)
                #expect(form["APPLICATION_TOKEN"] == nil)
                #expect(form["member_id"]?.text == standIn.memberIDs[0])
                let token = try #require(form["AUTH_ID"]?.text)
                for event in ["ONAPPTEST", "ONCRMDEALADD"] {
                    let bound = try await client.call(
                        "event.bind",
                        ["event": .text(event), "handler": .text(url)],
                        token: token
                    )
                    #expect(bound.result == true)
                }
                #expect(try await client.call("app.info", token: token).result?["INSTALLED"] == false)
                #expect(try await client.call("event.test", token: token).result == 1)
                #expect(await standIn.emit("ONCRMDEALADD", portal: "1").isEmpty)

                let finish = "/portal/\(standIn.memberIDs[0])/frame/installFinish?sid="
                #expect(try await client.post(finish + "other").status == 403)
                #expect(try await client.post(finish + frame.session).status == 200)
                #expect(try await client.call("app.info", token: token).result?["INSTALLED"] == true)
                #expect(await standIn.emit("ONCRMDEALADD", portal: "1").count == 1)
                #expect(try await client.call("event.test", token: token).result == 1)
                try await wait(for: "ONAPPTEST") { !sink.posted("ONAPPTEST").isEmpty }
                #expect(sink.posted.map(\.event) == ["ONCRMDEALADD", "ONAPPTEST"])
                #expect(try await client.refresh(try #require(form["REFRESH_ID"]?.text)).status == 200)
            }
        }
    }

    @Test func `tokens expire, and so does what is paid`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, sink, url, token in
            standIn.expireAccessTokens(of: "1")
            let expired = try await client.call("profile", token: token)
            #expect((expired.status, expired.error) == (401, "expired_token"))
            let refresh = try #require(sink.posted.first?.auth("refresh_token"))
            let fresh = try #require(try await client.refresh(refresh).json?["access_token"]?.text)
            #expect(try await client.call("profile", token: fresh).status == 200)

            let bind: PHPValue = ["event": "ONAPPPAYMENT", "handler": .text(url)]
            #expect(try await client.call("event.bind", bind, token: fresh).result == true)
            _ = await standIn.setPayment("1", isExpired: true)
            #expect(sink.posted("ONAPPPAYMENT").first?.form["data"]?["PAYMENT_EXPIRED"] == "Y")
            #expect(sink.posted("ONAPPPAYMENT").first?.auth("application_token") == nil)
            #expect(try await client.call("profile", token: fresh).error == "PAYMENT_REQUIRED")
            _ = await standIn.setPayment("1", isExpired: false)
            #expect(try await client.call("profile", token: fresh).status == 200)

            let last = try #require(standIn.makeTokens(of: "1"))
            standIn.expireRefreshTokens(of: "1")
            #expect(try await client.refresh(last.refresh).error == "invalid_grant")
        }
    }

    @Test func `a new version has no bindings but that of its installation`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, sink, url, token in
            let bind: PHPValue = ["event": "ONCRMDEALADD", "handler": .text(url)]
            let bound = try await client.call("event.bind", bind, token: token)
            #expect(bound.result == true)
            _ = await standIn.update("1", at: url)
            #expect(standIn.portal("1")?.bindings.map(\.event) == ["ONAPPINSTALL"])
            #expect(sink.posted("ONAPPINSTALL").map { $0.form["data"]?["VERSION"]?.text } == ["1", "2"])
        }
    }

    @Test func `an authorization code gives tokens once`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, _ in
            let code = try #require(standIn.makeAuthorizationCode(of: "1"))
            func exchange() async throws -> PortalClient.Answer {
                try await client.get(
                    "/oauth/token/?grant_type=authorization_code&code=\(code)"
                        + "&client_id=\(standIn.settings.clientID)&client_secret=\(standIn.settings.clientSecret)"
                )
            }
            let access = try #require(try await exchange().json?["access_token"]?.text)
            #expect(try await client.call("profile", token: access).status == 200)
            #expect(try await exchange().error == "invalid_grant")
        }
    }
}
