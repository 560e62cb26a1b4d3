import Testing

@testable import Simulation

@Suite struct BindingTests {
    /// A stand-in with its first portal installed, a sink for its events, and an access token.
    static func withInstalledPortal(
        _ settings: StandInSettings = StandInSettings(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (StandIn, PortalClient, EventSink, String, String) async throws -> Void
    ) async throws {
        try await StandIn.withRunning(settings) { standIn in
            try await EventSink.withRunning { sink, url in
                _ = await standIn.install("1", at: url)
                let token = try #require(sink.posted.first?.auth("access_token"))
                try await body(standIn, try await PortalClient(standIn), sink, url, token)
            }
        }
    }

    @Test func `an event goes where it is bound, once, and nowhere else`() async throws {
        try await Self.withInstalledPortal { standIn, client, sink, url, token in
            #expect(await standIn.emit("ONCRMDEALUPDATE", portal: "1").isEmpty)
            for _ in 0..<2 {
                let bound = try await client.call(
                    "event.bind.json",
                    ["EVENT": "onCrmDealUpdate", "HANDLER": .text(url + "a?src=hook7")],
                    token: token
                )
                if bound.status == 200 {
                    #expect(bound.result == true)
                    #expect(bound.json?["time"]?["operating_reset_at"] != nil)
                } else {
                    #expect((bound.status, bound.error) == (400, "ERROR_CORE"))
                    #expect(bound.json?["error_description"]?.text?.contains("already binded") == true)
                }
            }
            sink.answer(503)
            let deliveries = await standIn.emit("ONCRMDEALUPDATE", id: "7405", portal: "1")
            #expect(deliveries.map(\.status) == [503])
            #expect(deliveries.first?.handler == url + "a?[redacted]")
            let post = try #require(sink.posted("ONCRMDEALUPDATE").first)
            #expect(post.form["data"] == ["FIELDS": ["ID": "7405"]])
            #expect(post.auth("refresh_token") == nil)
            #expect(post.auth("user_id") == "1")
            _ = await standIn.emit("ONCRMDEALUPDATE", portal: "1", user: nil)
            #expect(sink.posted("ONCRMDEALUPDATE").last?.auth("access_token") == nil)
            #expect(sink.posted("ONCRMDEALUPDATE").count == 2)

            let get = try await client.call("event.get", token: token)
            #expect(get.text.contains(#""event":"ONCRMDEALUPDATE","handler":"http:\/\/"#))
            #expect(get.result?.members.count == 2, "ONAPPINSTALL is bound by the installation")
            let gone = try await client.call(
                "event.unbind",
                ["event": "ONCRMDEALUPDATE", "handler": .text(url + "a?src=hook7")],
                token: token
            )
            #expect(gone.result == ["count": 1])
            #expect(await standIn.emit("ONCRMDEALUPDATE", portal: "1").isEmpty)
        }
    }

    @Test func `one batch binds, tells each failure, and has empty maps as lists`() async throws {
        try await Self.withInstalledPortal { standIn, client, sink, url, token in
            let answer = try await client.post(
                "/portal/\(standIn.memberIDs[0])/rest/batch",
                json: [
                    "auth": .text(token), "halt": 0,
                    "cmd": [
                        "b1": .text("event.bind?event=ONAPPTEST&handler=\(url)"),
                        "b2": .text("event.bind?event=ONBOOKINGADD&handler=\(url)"),
                        "b3": "batch?cmd[a]=profile", "b4": "profile", "b5": "user.get?ID=$result[b4][ID]",
                    ],
                ]
            )
            #expect(answer.status == 200)
            let result = try #require(answer.result)
            #expect(result["result"]?["b1"] == true)
            #expect(result["result"]?["b4"]?["ID"] == "1")
            #expect(result["result_error"]?["b2"]?["error"] == "ERROR_EVENT_NOT_FOUND", "out of scope")
            #expect(result["result_error"]?["b3"]?["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED")
            #expect(result["result_error"]?["b5"]?["error"] == "ERROR_METHOD_NOT_FOUND")
            #expect(answer.text.contains(#""result_total":[]"#))

            let many = PHPValue.list(Array(repeating: "profile", count: 52))
            let long = try await client.call("batch", ["cmd": many], token: token).result
            #expect(long?["result"]?.members.count == 50)
            #expect(long?["result_error"]?["51"]?["error"] == "ERROR_BATCH_LENGTH_EXCEEDED")
            let text = try await client.call("batch", ["cmd": #"{"a":"profile.json"}"#], token: token).result
            #expect(text?["result"]?["a"]?["ID"] == "1", "a map as JSON text")

            let test = try await client.call("event.test", ["any": "data", "n": ["a": "1"]], token: token)
            #expect(test.result == 1)
            try await wait(for: "ONAPPTEST") { !sink.posted("ONAPPTEST").isEmpty }
            let post = try #require(sink.posted("ONAPPTEST").first)
            #expect(post.form["data"]?["QUERY"] == ["any": "data", "n": ["a": "1"]])
            #expect(post.auth("refresh_token") != nil)
            #expect(post.auth("application_token") == standIn.applicationToken(of: "1"))
        }
    }
}

/// Waits for a condition; fails with words when it does not come about.
func wait(
    for what: @autoclosure () -> String,
    isolation: isolated (any Actor)? = #isolation,
    sourceLocation: SourceLocation = #_sourceLocation,
    until condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(15)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, "\(what())", sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(5))
    }
}
