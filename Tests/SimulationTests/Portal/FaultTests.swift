import Testing

@testable import Simulation

@Suite struct FaultTests {
    @Test(
        arguments: [
            (Fault.queryLimit, 503, "QUERY_LIMIT_EXCEEDED"), (.overload, 503, "OVERLOAD_LIMIT"),
            (.wrongLicense, 403, "WRONG_LICENSE"), (.internalError, 500, "INTERNAL_SERVER_ERROR"),
            (.alreadyBound, 400, "ERROR_CORE"), (.expiredToken, 401, "expired_token"),
            (.error("insufficient_scope"), 200, "insufficient_scope"),
        ] as [(Fault, Int, String)]
    )
    func `an injected error hits so many calls of the method`(fault: Fault, status: Int, code: String) async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            standIn.inject(fault, portal: standIn.memberIDs[0], method: "Profile", times: 2)
            #expect(try await client.call("server.time", token: token).error == nil)
            for _ in 0..<2 {
                let hit = try await client.call("profile", token: token)
                #expect((hit.status, hit.error) == (status, code))
            }
            #expect(try await client.call("profile", token: token).error == nil)
            #expect(standIn.calls(of: "profile").map(\.fault) == [fault.name, fault.name, nil])
        }
    }

    @Test func `one call of a batch can be hit`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            standIn.inject(.wrongLicense, method: "profile")
            standIn.inject(.refused, method: "server.time")
            let batch: PHPValue = ["cmd": ["a": "profile", "b": "server.time", "c": "profile"]]
            let result = try await client.call("batch", batch, token: token).result
            #expect(result?["result_error"]?["a"]?["error"] == "WRONG_LICENSE")
            #expect(result?["result"]?["b"] == false)
            #expect(result?["result"]?["c"]?["ID"] == "1")
            standIn.inject(.error("ACCESS_DENIED", status: 403), method: "scope")
            let halted: PHPValue = ["halt": 1, "cmd": ["a": "scope", "b": "profile"]]
            let stopped = try await client.call("batch", halted, token: token)
            #expect(stopped.status == 200)
            #expect(stopped.result?["result_error"]?["a"]?["error"] == "ACCESS_DENIED")
            #expect(stopped.result?["result"] == [])
        }
    }

    @Test func `pages come instead of JSON`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            standIn.inject(.html)
            standIn.inject(.badGateway)
            for status in [200, 502] {
                let answer = try await client.call("profile", token: token)
                #expect(answer.status == status)
                #expect(answer.header("Content-Type")?.hasPrefix("text/html") == true)
                #expect(answer.json == nil)
            }
        }
    }

    @Test func `a refresh whose answer is lost has rotated the token all the same`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, sink, _, _ in
            let old = try #require(sink.posted.first?.auth("refresh_token"))
            standIn.inject(.dropped, portal: "1", method: "oauth/token")
            await #expect(throws: (any Error).self) { try await client.refresh(old) }
            standIn.inject(.answerLost, portal: "1", method: "oauth/token")
            await #expect(throws: (any Error).self) { try await client.refresh(old) }
            #expect(try await client.refresh(old).error == "invalid_grant")
            #expect(standIn.calls(of: "oauth/token").map(\.status) == [0, 0, 400])
        }
    }

    @Test func `an answer can be slow, and others overtake it`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            standIn.inject(.slow(.milliseconds(600)), method: "profile")
            let start = ContinuousClock.now
            async let slow = client.call("profile", token: token)
            try await wait(for: "the slow call") { !standIn.calls(of: "profile").isEmpty }
            #expect(try await client.call("server.time", token: token).status == 200)
            let overtaken = ContinuousClock.now - start
            #expect(try await slow.status == 200)
            let all = ContinuousClock.now - start
            #expect(all >= .milliseconds(600))
            #expect(overtaken < all)
        }
    }

    @Test func `a method whose operating time is used up is refused until the reset that its answers told`()
        async throws
    {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            standIn.exhaustOperatingTime(of: "profile", portal: "1", resetIn: 2, after: 1)
            let last = try await client.call("profile", token: token)
            let reset = try #require(last.json?["time"]?["operating_reset_at"]?.text.flatMap { Int($0) })
            #expect(last.json?["time"]?["operating"]?.text == "480.0")
            let refused = try await client.call("profile", token: token)
            #expect((refused.status, refused.error) == (429, "OPERATION_TIME_LIMIT"))
            #expect(try await client.call("server.time", token: token).status == 200, "another method")
            try await wait(for: "the reset") { try await client.call("profile", token: token).status == 200 }
            #expect(standIn.host.look { $0.now } >= reset)
        }
    }

    @Test func `a portal's bucket overflows, and a batch is one call`() async throws {
        var settings = StandInSettings(portals: 2)
        settings.intensity = .init(perSecond: 0.001, threshold: 3)
        try await BindingTests.withInstalledPortal(settings) { standIn, client, _, _, token in
            for status in [200, 200, 200, 503] {
                let batch: PHPValue = ["cmd": ["profile", "profile", "profile"]]
                #expect(try await client.call("batch", batch, token: token).status == status)
            }
            let other = try await client.call("profile", token: token, portal: standIn.memberIDs[1])
            #expect(other.error == "invalid_token", "a bucket of its own")
        }
    }
}
