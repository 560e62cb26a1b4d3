import Testing

@testable import Simulation

@Suite struct CallStyleTests {
    @Test func `a token is taken from a form, JSON, the query and a bearer's header`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            let path = "/portal/\(standIn.memberIDs[0])/rest/profile"
            #expect(try await client.post(path, ["auth": .text(token)]).status == 200)
            #expect(try await client.post(path, json: ["auth": .text(token)]).status == 200)
            #expect(try await client.post(path + ".json", json: ["access_token": .text(token)]).status == 200)
            #expect(try await client.get(path + "?auth=\(token)").status == 200)
            #expect(try await client.get(path, bearer: token).status == 200)
            for answer in [try await client.get(path), try await client.get(path + "?auth=0")] {
                #expect((answer.status, answer.error) == (401, "NO_AUTH_FOUND"))
            }
            #expect(try await client.get("/portal/0123/rest/profile").status == 404)
            #expect(try await client.call("crm.deal.get", token: token).error == "ERROR_METHOD_NOT_FOUND")
        }
    }

    @Test func `an incoming webhook is known by its address, and may not bind`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, url, _ in
            let webhook = try #require(standIn.webhookAddress(of: "1"))
            #expect(try await client.post(webhook + "profile.json").result?["ID"] == "1")
            let bind: PHPValue = ["event": "ONCRMDEALADD", "handler": .text(url)]
            for method in ["event.bind", "event.unbind", "event.get", "events", "event.test"] {
                let answer = try await client.post(webhook + method, bind)
                #expect((answer.status, answer.error) == (403, "WRONG_AUTH_TYPE"))
            }
            let info = try await client.post(webhook + "app.info")
            #expect((info.status, info.error) == (403, "ACCESS_DENIED"))
            let wrong = webhook.dropLast() + "0/profile"
            #expect(try await client.post(String(wrong)).error == "INVALID_CREDENTIALS")
        }
    }

    @Test(
        arguments: [
            (["handler": "https://a.example/"], "ERROR_ARGUMENT"),
            (["event": "ONCRMDEALADD"], "ERROR_ARGUMENT"),
            (["event": "ONCRMDEALADD", "handler": "ftp://a.example/"], "ERROR_UNSUPPORTED_PROTOCOL"),
            (["event": "ONCRMDEALADD", "handler": "https://localhost/"], "ERROR_WRONG_HANDLER_URL"),
            (["event": "ONCRMDEALADD", "handler": "https://bridge/"], "ERROR_WRONG_HANDLER_URL"),
            (["event": "ONNOSUCHTHING", "handler": "https://a.example/"], "ERROR_EVENT_NOT_FOUND"),
            (["event": "ONBOOKINGADD", "handler": "https://a.example/"], "ERROR_EVENT_NOT_FOUND"),
            (["event": "ONCRMDEALADD", "event_type": "later", "handler": "https://a.example/"], "ERROR_ARGUMENT"),
            (["event": "ONOFFLINEEVENT", "event_type": "offline"], "ERROR_ARGUMENT"),
            (["event": "ONCRMDEALADD", "event_type": "offline", "auth_connector": "b24bridge"], "WRONG_LICENSE"),
        ] as [(PHPValue, String)]
    )
    func `what cannot be bound is refused`(parameters: PHPValue, code: String) async throws {
        var settings = StandInSettings()
        settings.hasProfessionalPlan = false
        try await BindingTests.withInstalledPortal(settings) { standIn, client, _, _, token in
            let answer = try await client.call("event.bind", parameters, token: token)
            #expect((answer.status, answer.error) == (code == "WRONG_LICENSE" ? 403 : 400, code))
        }
    }

    @Test func `an offline binding has no handler`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            let bind: PHPValue = ["event": "ONCRMDEALADD", "event_type": "offline", "auth_connector": "b24bridge"]
            #expect(try await client.call("event.bind", bind, token: token).result == true)
            let get = try await client.call("event.get", token: token)
            #expect(get.text.contains(#"{"event":"ONCRMDEALADD","connector_id":"b24bridge","offline":1}"#))
            #expect(await standIn.emit("ONCRMDEALADD", portal: "1").isEmpty)
            #expect(try await client.call("event.unbind", bind, token: token).result == ["count": 1])
        }
    }

    @Test func `somebody who is no administrator binds for himself`() async throws {
        try await StandIn.withRunning { standIn in
            try await EventSink.withRunning { sink, url in
                _ = await standIn.install("1", at: url, user: 7)
                let client = try await PortalClient(standIn)
                let token = try #require(sink.posted.first?.auth("access_token"))
                #expect(try await client.call("profile", token: token).result?["ADMIN"] == false)
                let bind: PHPValue = ["event": "ONCRMDEALADD", "handler": .text(url)]
                #expect(try await client.call("event.bind", bind, token: token).result == true)
                #expect(standIn.portal("1")?.bindings.last?.user == 7)
                let offline: PHPValue = ["event": "ONCRMDEALADD", "event_type": "offline"]
                #expect(try await client.call("event.bind", offline, token: token).error == "ACCESS_DENIED")
            }
        }
    }

    @Test func `the events that can be bound are those of the scopes`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            let events = try await client.call("events", token: token).result
            guard case .list(let codes) = events else {
                Issue.record("a list")
                return
            }
            #expect(codes.contains("ONAPPTEST") && codes.contains("ONCRMDEALADD"))
            #expect(!codes.contains("ONBOOKINGADD"))
            let booking = try await client.call("events", ["SCOPE": "booking"], token: token).result
            #expect(booking?.members.count == 12)
            #expect(try await client.call("feature.get", token: token).error == "CODE_EMPTY")
            let feature: PHPValue = ["CODE": "rest_offline_extended"]
            #expect(try await client.call("feature.get", feature, token: token).result == ["value": "Y"])
            #expect(
                try await client.call("method.get", ["name": "event.bind"], token: token).result?["isExisting"] == true
            )
            #expect(try await client.call("scope", token: token).result?.members.count == 7)
            let time = try #require(try await client.call("server.time", token: token).result?.text)
            #expect(time.hasSuffix("+00:00") && time.count == 25)
        }
    }
}
