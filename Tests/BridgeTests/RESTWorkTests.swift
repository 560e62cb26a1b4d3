import Bitrix24REST
import Simulation
import Telemetry
import Testing

@testable import Bridge

/// The owner's work at portals that answer as Bitrix24 does.
@Suite struct RESTWorkTests {
    private static let wanted = [
        "ONAPPTEST", "ONAPPUNINSTALL", "ONCRMDEALADD", "ONCRMLEADADD", "ONCRMLEADDELETE", "ONCRMLEADUPDATE",
    ]

    @Test func `an installation is bound in one batch`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning { try await stage.waitForConnection() }
            #expect(try stage.bound("1") == Self.wanted)
            let batches = stage.standIn.calls(of: "batch")
            #expect(batches.count == 1 && stage.standIn.calls(of: "event.bind").allSatisfy(\.isInBatch))
            let bindings = try #require(try stage.portal("1").bindings)
            #expect(bindings.bound == 6 && bindings.drift == 0 && bindings.error == nil)
            #expect(bindings.handlers == ["\(OwnerStage.publicURL)/b24/events/\(try stage.member("1"))"])
            #expect(stage.counted("reconciles", "outcome", "mended") == 1)
            #expect(stage.standIn.calls(of: "event.test").isEmpty, "its token is known")
        }
    }

    @Test func `while the token is awaited the portal is asked for an event at once, and again`() async throws {
        try await OwnerStage.with { stage in
            try await stage.install("1", token: false)
            try await stage.owning {
                try await stage.waitFor("event.test") { _ in !stage.standIn.calls(of: "event.test").isEmpty }
                let nonce = try #require(try stage.portal("1").applicationTokens?.nonce)
                #expect(try !nonce.isEmpty && stage.portal("1").state == .awaitingToken)
                stage.putForward(days: 1)
                try await stage.waitFor("another") { _ in stage.standIn.calls(of: "event.test").count == 2 }
                #expect(try stage.portal("1").applicationTokens?.nonce == nonce)
                try await stage.registry.change(try stage.member("1")) { $0.applicationTokens = .init(digests: ["11"]) }
                try await stage.waitForConnection()
                stage.putForward(days: 1)
                try await stage.waitFor("compared again") { $0.bindings?.reconciledAt ?? 0 >= stage.now - 1000 }
                #expect(stage.standIn.calls(of: "event.test").count == 2)
            }
        }
    }

    @Test func `a portal that is only drained is connected without a token, and asked for it a few times`() async throws
    {
        let declared = "{offline: [ONCRMDEALADD]}\noffline: {wakeBy: [push, timer]}"
        try await OwnerStage.with(subscriptions: declared) { stage in
            try await stage.install("1", token: false)
            try await stage.owning {
                try await stage.waitForConnection()
                #expect(try stage.bound("1") == ["ONAPPTEST", "ONAPPUNINSTALL"])
                #expect(try stage.portal("1").awaitsToken)
                for tests in 1...5 {
                    try await stage.waitFor("test \(tests)") { _ in stage.standIn.calls(of: "event.test").count == tests
                    }
                    stage.putForward(days: 1)
                }
                for _ in 0..<2 {
                    stage.putForward(days: 1)
                    try await stage.waitFor("compared again") { $0.bindings?.reconciledAt ?? 0 >= stage.now - 1000 }
                }
                #expect(stage.standIn.calls(of: "event.test").count == 5)
            }
        }
    }

    @Test func `a binding that somebody took away is back within a day`() async throws {
        try await OwnerStage.with { stage in
            let member = try stage.member("1")
            try await stage.owning { try await stage.waitForConnection() }
            let work = stage.makeWork()
            let lost = EventBinding(event: "ONCRMDEALADD", handler: "\(OwnerStage.publicURL)/b24/events/\(member)")
            #expect(try await work.client.unbind(lost, of: member) == 1)
            try await stage.owning {
                stage.putForward(days: 1)
                try await stage.waitFor("mended") { _ in try stage.bound("1") == Self.wanted }
            }
        }
    }

    @Test func `what others bound stays, also at the same portal and for the same event`() async throws {
        try await OwnerStage.with { stage in
            let member = try stage.member("1")
            let client = stage.makeWork().client
            let others = [
                EventBinding(event: "ONCRMDEALADD", handler: "https://other.example/hook"),
                EventBinding(event: "ONCRMCONTACTADD", handler: "https://other.example/hook"),
                EventBinding(offline: "ONCRMCONTACTADD"), EventBinding(offline: "ONCRMCONTACTADD", connector: "erp"),
            ]
            for other in others { try await client.bind(other, of: member) }
            let surplus = EventBinding(
                event: "ONCRMCONTACTADD",
                handler: "\(OwnerStage.publicURL)/b24/events/\(member)"
            )
            try await client.bind(surplus, of: member)
            try await stage.owning { try await stage.waitForConnection() }
            let present = Set(try await client.bindings(of: member))
            #expect(present.isSuperset(of: others) && !present.contains(surplus))
            #expect(try stage.bound("1") == Self.wanted)
            #expect(try stage.portal("1").bindings?.drift == 0)
        }
    }

    @Test func `another declared set, and another address of the bridge, replace the old one`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning { try await stage.waitForConnection() }
            try stage.declare("{online: [ONCRMDEALADD], authType: 1}")
            try await stage.owning {
                try await stage.waitFor("less") { _ in
                    try stage.bound("1") == ["ONAPPTEST", "ONAPPUNINSTALL", "ONCRMDEALADD"]
                }
            }
            #expect(
                try #require(stage.standIn.portal("1")).bindings.contains { $0.event == "ONCRMDEALADD" && $0.user == 1 }
            )
            stage.moveHandler(to: "https://elsewhere.example")
            try await stage.owning {
                try await stage.waitFor("moved") { _ in
                    try stage.bound("1", at: "https://elsewhere.example").count == 3 && stage.bound("1").isEmpty
                }
                try await stage.waitFor("noted") { $0.bindings?.handlers?.count == 1 }
            }
            #expect(try stage.portal("1").bindings?.drift == 0)
        }
    }

    @Test func `bindings that exist already are a success`() async throws {
        try await OwnerStage.with { stage in
            // It is done, and nobody learns of it.
            stage.standIn.inject(.answerLost, method: "batch")
            try await stage.owning { try await stage.waitForConnection() }
            #expect(stage.standIn.calls(of: "event.bind").filter { $0.error == "ERROR_CORE" }.count == 6)
            #expect(try stage.bound("1") == Self.wanted && stage.portal("1").bindings?.drift == 0)
        }
    }

    @Test func `an event that the portal does not know is drift, and is not tried for ever`() async throws {
        try await OwnerStage.with(subscriptions: "{online: [ONCRMDEALADD, ONSOMETHINGNEW]}") { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                // The owner looks at the portal before and after each order.
                for _ in 0..<3 { _ = try await stage.order(.plan) }
            }
            #expect(stage.standIn.calls(of: "batch").count == 1)
            #expect(try stage.portal("1").bindings?.drift == 1 && stage.portal("1").bindings?.bound == 3)
            #expect(stage.counted("rest_errors", "code", "error_event_not_found") == 1)
            #expect(stage.logs.contains("warning bindings differ", "missing=ONSOMETHINGNEW", "error_event_not_found"))
            RESTWorkMetrics(factory: stage.metrics).setGauges(stage.registry)
            #expect(stage.metrics.value("b24bridge_bindings_drift", []) == 1)
        }
    }

    @Test func `a user without an administrator's rights binds nothing, as it would come twice`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning { try await stage.waitForConnection() }
            // He would see none of these.
            try await stage.install("1", user: 2)
            try await stage.owning {
                try await stage.waitFor("the obstacle") { $0.bindings?.error?.contains("no administrator") == true }
                #expect(try await stage.order(.plan).error?.code == "not_administrator")
                #expect(try stage.portal("1").state == .installing)
                #expect(try stage.bound("1") == Self.wanted)
                try await stage.openPage("1")
                try await stage.waitForConnection()
            }
            #expect(try stage.bound("1") == Self.wanted)
        }
    }

    @Test func `what is refused is not tried sooner because a token was renewed on the way`() async throws {
        try await OwnerStage.with { stage in
            try await stage.install("1", user: 2)
            try await stage.owning {
                try await stage.waitFor("the obstacle") { $0.bindings?.error?.contains("no administrator") == true }
                stage.standIn.expireAccessTokens(of: "1")
                stage.putForward(days: 1)
                try await stage.waitFor("the next attempt") { _ in stage.counted("reconciles", "outcome", "failed") > 1
                }
                // The owner looks at the portal before and after each order.
                for _ in 0..<3 { _ = try await stage.order(.events) }
            }
            #expect(stage.standIn.calls(of: "oauth/token").count == 1)
            #expect(stage.counted("reconciles", "outcome", "failed") == 2)
        }
    }

    @Test func `an address that Bitrix24 refuses is an obstacle that is named, and not asked for at once again`()
        async throws
    {
        try await OwnerStage.with { stage in
            stage.moveHandler(to: "https://localhost")
            // The next attempt is due some seconds after a failed one.
            stage.stopClock()
            try await stage.owning {
                try await stage.waitFor("the obstacle") { $0.bindings?.error?.contains("not bound: ") == true }
                for _ in 0..<3 { _ = try await stage.order(.plan) }
            }
            #expect(stage.standIn.calls(of: "batch").count == 1)
            #expect(try stage.portal("1").state == .installing)
            #expect(stage.counted("reconciles", "outcome", "failed") == 1)
        }
    }

    @Test func `a spent refresh token means that the portal needs authorisation, until other tokens come`() async throws
    {
        try await OwnerStage.with { stage in
            stage.standIn.expireAccessTokens(of: "1")
            stage.standIn.expireRefreshTokens(of: "1")
            try await stage.owning {
                try await stage.waitFor("need") { $0.state == .needsAuthorization }
                #expect(try stage.portal("1").authorization?.sealed == nil)
                #expect(stage.counted("token_refreshes", "outcome", "refused") == 1)
                #expect(stage.logs.contains("warning portal needs authorisation", "invalid_grant"))
                let report = try await stage.order(.apply)
                #expect(report.error?.code == "no_tokens" && report.error?.message.contains("install it again") == true)
                let authorization = try stage.authorize("1")
                try await stage.registry.change(try stage.member("1")) { $0.authorization = authorization }
                try await stage.waitForConnection()
            }
            #expect(try stage.bound("1") == Self.wanted)
            #expect(!stage.logs.lines.contains { $0.contains("access_token") })
        }
    }

    @Test func `a refresh whose answer nobody saw is tried once more with the stored token, which is spent by then`()
        async throws
    {
        try await OwnerStage.with { stage in
            stage.standIn.expireAccessTokens(of: "1")
            stage.standIn.inject(.answerLost, method: "oauth/token")
            try await stage.owning {
                try await stage.waitFor("need") { $0.state == .needsAuthorization }
                #expect(stage.standIn.calls(of: "oauth/token").count == 2)
                #expect(try stage.portal("1").applicationTokens?.digests == ["00"], "its events are taken all the same")
                let authorization = try stage.authorize("1")
                try await stage.registry.change(try stage.member("1")) { $0.authorization = authorization }
                try await stage.waitForConnection()
            }
        }
    }

    @Test func `an expired access token is renewed on the way, and the new ones are kept`() async throws {
        try await OwnerStage.with { stage in
            stage.standIn.expireAccessTokens(of: "1")
            let before = try stage.portal("1").authorization?.sealed
            try await stage.owning { try await stage.waitForConnection() }
            #expect(stage.standIn.calls(of: "oauth/token").count == 1)
            #expect(try stage.portal("1").authorization?.sealed != before)
            #expect(stage.counted("token_refreshes", "outcome", "renewed") == 1)
        }
    }

    @Test func `a refresh token of 90 days is renewed once`() async throws {
        try await OwnerStage.with(subscriptions: "{reconcileEvery: 0s}") { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                stage.putForward(days: 89)
                for _ in 0..<3 { _ = try await stage.order(.plan) }
                #expect(stage.standIn.calls(of: "oauth/token").isEmpty)
                stage.putForward(days: 2)
                try await stage.waitFor("renewed") { _ in !stage.standIn.calls(of: "oauth/token").isEmpty }
                for _ in 0..<3 { _ = try await stage.order(.plan) }
            }
            #expect(stage.standIn.calls(of: "oauth/token").count == 1)
        }
    }

    @Test func `an application that was taken off is noticed, and its tokens are forgotten`() async throws {
        try await OwnerStage.with { stage in
            try await stage.owning {
                try await stage.waitForConnection()
                _ = await stage.standIn.uninstall("1")
                _ = try await stage.order(.check)
                try await stage.waitFor("what became of it") { $0.state == .gone || $0.state == .needsAuthorization }
            }
            #expect(try stage.portal("1").state == .gone, "\(stage.logs.lines.suffix(3))")
            let gone = try stage.portal("1")
            #expect(gone.authorization == nil && gone.bindings == nil && gone.installation?.goneReason != nil)
            #expect(gone.applicationTokens == nil, "those of the next installation may be others")
        }
    }

    @Test func `a portal that moved is found again`() async throws {
        try await OwnerStage.with { stage in
            stage.standIn.rename("1", to: "renamed.bitrix24.com")
            try await stage.owning {
                try await stage.waitForConnection()
                let report = try await stage.order(.check)
                #expect(report.application?.domain == "renamed.bitrix24.com" && report.application?.isInstalled == true)
            }
            #expect(try stage.portal("1").installation?.domain == "renamed.bitrix24.com")
        }
    }

    @Test func `an owner who is stopped in the middle of a batch leaves the rest to the next`() async throws {
        try await OwnerStage.with { stage in
            // The portal does it, and the owner does not live to see the answer.
            stage.standIn.inject(.slow(.seconds(30)), method: "batch")
            try await stage.owning {
                try await stage.waitFor("the batch") { _ in !stage.standIn.calls(of: "event.bind").isEmpty }
            }
            #expect(try stage.portal("1").bindings == nil)
            try await stage.owning { try await stage.waitForConnection() }
            #expect(try stage.bound("1") == Self.wanted)
        }
    }

    @Test func `a portal that is busy is tried again`() async throws {
        try await OwnerStage.with { stage in
            stage.standIn.inject(.badGateway, method: "event.get", times: 6)
            try await stage.owning {
                try await stage.waitFor("the failure") { _ in stage.logs.contains("warning REST work failed") }
                #expect(try stage.portal("1").bindings?.error?.contains("event.get") == true)
                #expect(try stage.portal("1").state == .installing)
                stage.putForward(days: 1)
                try await stage.waitForConnection()
            }
            #expect(try stage.bound("1") == Self.wanted && stage.portal("1").bindings?.error == nil)
        }
    }

    @Test func `many portals are served side by side, and none is forgotten`() async throws {
        try await OwnerStage.with(portals: 60) { stage in
            stage.standIn.inject(.slow(.milliseconds(50)), method: "event.get", times: 60)
            try await stage.owning {
                for number in 1...60 { try await stage.waitForConnection("\(number)") }
            }
            for number in 1...60 { #expect(try stage.bound("\(number)") == Self.wanted) }
        }
    }
}
