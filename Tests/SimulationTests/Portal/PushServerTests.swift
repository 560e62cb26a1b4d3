import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import Simulation

/// The Push & Pull server over HTTP.
@Suite struct PushServerTests {
    /// What a client goes by.
    private struct Listener {
        let client: PortalClient
        let endpoint: String
        let clientID: String
        let channels: String

        init(_ client: PortalClient, token: String) async throws {
            let answer = try await client.call("pull.application.config.get", token: token)
            let result = try #require(answer.result, "\(answer.text)")
            self.client = client
            endpoint = try #require(result["server"]?["long_pooling_secure"]?.text)
            clientID = try #require(result["clientId"]?.text)
            let own = try #require(result["channels"]?["private"]?["id"]?.text)
            let shared = try #require(result["channels"]?["shared"]?["id"]?.text)
            channels = "\(own)/\(shared)"
        }

        func poll(
            after mid: String = "",
            json: Bool = true,
            channels: String? = nil
        ) async throws -> PortalClient.Answer {
            try await client.get(address(after: mid, json: json, channels: channels))
        }

        func address(after mid: String = "", json: Bool = true, channels: String? = nil) -> String {
            var query: PHPValue = ["CHANNEL_ID": .text(channels ?? self.channels), "clientId": .text(clientID)]
            if !mid.isEmpty { query.set("mid", .text(mid)) }
            if json { query.set("format", "json") }
            return "\(endpoint)?\(String(decoding: query.form, as: UTF8.self))"
        }
    }

    private static func withListener(
        _ settings: StandInSettings = StandInSettings(),
        isolation: isolated (any Actor)? = #isolation,
        _ body: (StandIn, Listener, String) async throws -> Void
    ) async throws {
        try await OfflineQueueTests.withQueue(settings, connectors: ["", "ERP"]) { standIn, client, _, _, token in
            try await body(standIn, try await Listener(client, token: token), token)
        }
    }

    /// Polls while `action` happens, once the poll is held.
    private static func heard(
        _ standIn: StandIn,
        _ listener: Listener,
        after mid: String = "",
        json: Bool = true,
        isolation: isolated (any Actor)? = #isolation,
        _ action: () async throws -> Void
    ) async throws -> PortalClient.Answer {
        async let answer = listener.poll(after: mid, json: json)
        try await wait(for: "the poll to be held") { standIn.heldPolls(of: "1") == 1 }
        try await action()
        return try await answer
    }

    @Test func `the configuration is as documented`() async throws {
        try await BindingTests.withInstalledPortal { standIn, client, _, _, token in
            let answer = try await client.call("pull.application.config.get", token: token)
            let result = try #require(answer.result)
            #expect(result["server"]?["version"] == 4)
            #expect(result["server"]?["mode"] == "shared")
            #expect(result["server"]?["long_polling"]?.text == client.base + "/pull/sub/")
            #expect(result["server"]?["websocket_enabled"] == false)
            #expect(result["clientId"]?.text?.count == 32)
            let own = try #require(result["channels"]?["private"])
            #expect(own["id"]?.text?.wholeMatch(of: /[0-9a-f]{32}:[0-9a-f]{32}\.[0-9a-f]{40}/) != nil)
            let shared = try #require(result["channels"]?["shared"])
            #expect(shared["id"]?.text?.wholeMatch(of: /[0-9a-f]{32}\.[0-9a-f]{40}/) != nil)
            #expect(shared["end"]?.text?.hasSuffix("+02:00") == true)
            #expect(shared["type"] == "shared")
            #expect(Double(result["exp"]?.text ?? "").map { $0 > Date().timeIntervalSince1970 } == true)
            #expect(answer.text.contains(#""publicChannels":[]"#))
            let again = try await client.call("pull.application.config.get", token: token)
            #expect(again.result?["channels"] == result["channels"], "they are the same as long as they live")
            let webhook = try #require(standIn.webhookAddress(of: "1"))
            let refused = try await client.post(webhook + "pull.application.config.get")
            #expect((refused.status, refused.error) == (403, "WRONG_AUTH_TYPE"))
        }
    }

    @Test func `a portal may have no server, and an application no scope`() async throws {
        var settings = StandInSettings()
        settings.hasPushServer = false
        try await BindingTests.withInstalledPortal(settings) { _, client, _, _, token in
            let answer = try await client.call("pull.application.config.get", token: token)
            #expect((answer.status, answer.error) == (500, "SERVER_ERROR"))
        }
        settings.scope = ["crm"]
        try await BindingTests.withInstalledPortal(settings) { _, client, _, _, token in
            let answer = try await client.call("pull.application.config.get", token: token)
            #expect((answer.status, answer.error) == (403, "insufficient_scope"))
        }
    }

    @Test func `a poll hears of rows, and goes on after what it has heard`() async throws {
        try await Self.withListener { standIn, listener, _ in
            let answer = try await Self.heard(standIn, listener) {
                await standIn.emit("ONCRMDEALADD", id: "1", portal: "1")
            }
            let message = try #require(answer.json?["0"], "\(answer.text)")
            #expect(message["text"]?["module_id"] == "rest")
            #expect(message["text"]?["command"] == "event_offline")
            let told: PHPValue = [["connector_id": "", "count": 1], ["connector_id": "ERP", "count": 1]]
            #expect(message["text"]?["params"] == told)
            let mid = try #require(message["mid"]?.text)
            #expect(mid.count == 26 && mid.allSatisfy(\.isNumber))
            let date = try #require(message["time"]?.text)
            #expect(date.wholeMatch(of: /(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT/) != nil)

            // Within a second, so they are one message and come when it is over. It is made to last for as long as the changes
            // take on any machine.
            standIn.host.change { $0.pushes[0]?.toldAt = PortalWorld.steadyNow + 4 }
            let next = try await Self.heard(standIn, listener, after: mid, json: false) {
                for id in 2...9 { await standIn.emit("ONCRMDEALADD", id: "\(id)", portal: "1", connector: "ERP") }
            }
            #expect(next.text.hasPrefix(#"#!NGINXNMS!#{"id":2,"#))
            #expect(next.text.hasSuffix("}#!NGINXNME!#"))
            #expect(next.text.contains(#""params":[{"connector_id":"","count":8}]"#))
            let missed = try await listener.poll(after: mid)
            #expect(missed.json?.members.count == 1, "what was sent meanwhile comes at once")
            #expect(missed.json?["0"]?["text"]?["params"]?["0"]?["count"] == 8)
        }
    }

    @Test func `a poll without messages ends with 304 and the last message's mid`() async throws {
        var settings = StandInSettings()
        settings.pollTimeout = .milliseconds(50)
        try await Self.withListener(settings) { standIn, listener, _ in
            let first = try await listener.poll()
            #expect(first.status == 304)
            #expect(first.header("Expires") == "Thu, 01 Jan 1973 11:11:01 GMT")
            #expect(first.header("Last-Message-Id") == "")
            #expect(standIn.push(.foreign, portal: "1"))
            let second = try await listener.poll()
            #expect(second.status == 304, "without mid the past is not read")
            let mid = try #require(second.header("Last-Message-Id"))
            #expect(mid.count == 26)
            #expect(try await listener.poll(after: mid).header("Last-Message-Id") == mid)
            #expect(standIn.heldPolls() == 0)
        }
    }

    @Test func `channels are replaced, and old ones are refused`() async throws {
        try await Self.withListener { standIn, listener, token in
            #expect(try await listener.poll(channels: "what").text == "4010: Wrong Channel Id.")
            let answer = try await Self.heard(standIn, listener) {
                #expect(standIn.push(.channelExpireReconnect, portal: "1"))
            }
            let text = try #require(answer.json?["0"]?["text"])
            #expect(text["command"] == "channel_expire")
            #expect(text["params"]?["action"] == "reconnect")
            #expect(text["params"]?["channel"]?["id"]?.text.map { listener.channels.hasSuffix($0) } == true)
            let next = try #require(text["params"]?["new_channel"]?["id"]?.text)
            let mid = try #require(answer.json?["0"]?["mid"]?.text)
            let old = try await listener.poll(after: mid)
            #expect((old.status, old.text) == (400, "4010: Wrong Channel Id."))
            standIn.push(.foreign, portal: "1")
            let foreign = try await listener.poll(after: mid, channels: next)
            #expect(foreign.json?["0"]?["text"]?["module_id"] == "application")

            let second = try await Listener(listener.client, token: token)
            #expect(second.channels.hasSuffix(next))
            let over = try await Self.heard(standIn, second) { standIn.push(.channelExpireConfig, portal: "1") }
            #expect(over.json?["0"]?["text"]?["params"]?["action"] == "get_config")
            #expect(try await second.poll().status == 400)
            let third = try await Listener(listener.client, token: token)
            #expect(Set(third.channels.split(separator: "/")).isDisjoint(with: second.channels.split(separator: "/")))
        }
    }

    @Test func `channels end by themselves`() async throws {
        var settings = StandInSettings()
        settings.pushChannelLife = 1
        settings.pollTimeout = .milliseconds(20)
        try await Self.withListener(settings) { _, listener, _ in
            try await wait(for: "the end of the channel") {
                let answer = try await listener.poll(channels: "\(listener.channels)x")
                #expect(answer.status == 400)
                return try await listener.poll(after: "00000000000000000000000001").status == 400
            }
        }
    }

    @Test(arguments: [PushKind.configExpire, .serverRestart])
    func `the server tells of itself`(kind: PushKind) async throws {
        try await Self.withListener { standIn, listener, _ in
            let answer = try await Self.heard(standIn, listener) { standIn.push(kind, portal: "1") }
            #expect(answer.json?["0"]?["text"]?["module_id"] == "pull")
            let command = kind.rawValue.replacingOccurrences(of: "-", with: "_")
            #expect(answer.json?["0"]?["text"]?["command"]?.text == command)
        }
    }

    @Test func `a message comes twice, polls are cut, and faults hit them`() async throws {
        try await Self.withListener { standIn, listener, _ in
            let first = try await Self.heard(standIn, listener) { standIn.push(.duplicate, portal: "1") }
            let mid = try #require(first.json?["0"]?["mid"]?.text)
            standIn.push(.duplicate, portal: "1")
            let second = try await listener.poll(after: mid)
            #expect(second.json?["0"]?["mid"]?.text == mid)
            await #expect(throws: (any Error).self) {
                try await Self.heard(standIn, listener, after: mid) { standIn.push(.drop, portal: "1") }
            }
            standIn.inject(.badGateway, portal: "1", method: "pull/sub")
            #expect(try await listener.poll(after: mid).status == 502)
            standIn.inject(.badGateway, portal: "1")
            let heard = try await Self.heard(standIn, listener, after: mid) {
                let sent = try await listener.client.post("/control/push?portal=1&kind=foreign")
                #expect(sent.status == 200)
            }
            #expect(heard.status == 200, "a fault without a method spares polls")
            #expect(try await listener.client.post("/control/push?portal=1&kind=what").status == 400)
            await #expect(throws: (any Error).self) {
                try await Self.heard(standIn, listener, after: heard.json?["0"]?["mid"]?.text ?? "") {
                    _ = await standIn.uninstall("1")
                }
            }
            #expect(try await listener.poll().text == "4036: Wrong Client Id.")
        }
    }

    @Test func `many polls are held, and a stop does not wait for them`() async throws {
        let count = 500
        var settings = StandInSettings()
        settings.pollTimeout = .seconds(300)
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = count
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let standIn = StandIn(settings)
        let logger = Logger(label: "stand-in") { _ in SwiftLogNoOpLogHandler() }
        let services = ServiceGroup(configuration: .init(services: [.init(service: standIn)], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            let client = try await PortalClient(standIn)
            _ = await standIn.install("1", at: "http://127.0.0.1:1/")
            let token = try #require(standIn.makeTokens(of: "1")?.access)
            let url = try await Listener(client, token: token).address()
            for _ in 0..<count {
                group.addTask { _ = try? await http.execute(HTTPClientRequest(url: url), timeout: .seconds(300)) }
            }
            try await wait(for: "the polls to be held") { standIn.heldPolls() == count }
            let start = ContinuousClock.now
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            #expect(ContinuousClock.now - start < .seconds(60))
        }
        try await http.shutdown()
    }
}
