import Foundation
import Locks
import Synchronization
import Testing

@testable import Simulation

@Suite struct ControlTests {
    @Test func `the whole play goes by hand`() async throws {
        try await EventSink.withRunning { sink, url in
            var settings = StandInSettings(portals: 3)
            settings.installURL = url + "install"
            try await StandIn.withRunning(settings) { standIn in
                let client = try await PortalClient(standIn)
                #expect(try await client.post("/control/install?portal=all").status == 200)
                try await wait(for: "three installations") { sink.posted("ONAPPINSTALL").count == 3 }
                let member = standIn.memberIDs[1]
                let post = try #require(sink.posted.first { $0.auth("member_id") == member })
                let token = try #require(post.auth("access_token"))
                let bind: PHPValue = ["event": "ONCRMDEALUPDATE", "handler": .text(url)]
                _ = try await client.call("event.bind", bind, token: token, portal: member)
                let emitted = try await client.post("/control/event?portal=2&code=ONCRMDEALUPDATE&id=9")
                #expect(emitted.json?["posted"] == 1)
                try await wait(for: "the event") { sink.posted("ONCRMDEALUPDATE").count == 1 }
                #expect(sink.posted.last?.form["data"]?["FIELDS"]?["ID"] == "9")

                _ = try await client.post("/control/fault?kind=query-limit&portal=\(member)&method=profile&times=1")
                #expect(try await client.call("profile", token: token, portal: member).status == 503)
                _ = try await client.post("/control/fault", ["kind": "error", "code": "X", "status": "200"])
                #expect(try await client.call("profile", token: token, portal: member).error == "X")
                _ = try await client.post("/control/rename?portal=2")
                #expect(try await client.call("profile", token: token, portal: member).status == 302)
                #expect(try await client.post("/control/credentials?portal=2").json?["code"] != nil)
                _ = try await client.post("/control/uninstall?portal=2")
                let portals = try await client.get("/control/portals").json
                #expect(portals?["1"]?["application"] == "uninstalled")
                #expect(portals?["0"]?["application"] == "installed")
                #expect(try await client.get("/control/calls").json?.members.isEmpty == false)
                #expect(try await client.get("/control/deliveries").json?.members.count == 4)
                #expect(try await client.get("/control/").text.contains("rename"))
            }
        }
    }

    @Test func `each control that is named works as it stands there`() async throws {
        try await EventSink.withRunning { sink, url in
            var settings = StandInSettings()
            settings.installURL = url
            try await StandIn.withRunning(settings) { standIn in
                let client = try await PortalClient(standIn)
                _ = await standIn.install("1")
                let token = try #require(standIn.makeTokens(of: "1")?.access)
                let bind: PHPValue = ["event": "ONCRMDEALUPDATE", "event_type": "offline"]
                #expect(try await client.call("event.bind", bind, token: token).result == true)
                #expect(try await client.call("pull.application.config.get", token: token).status == 200)
                for control in StandIn.controls {
                    let answer = try await client.post("/control/" + control.path)
                    #expect(answer.status == 200, "\(control.path): \(answer.text)")
                }
            }
        }
    }

    @Test(
        arguments: [
            ("/control/install", 404), ("/control/install?portal=9", 404), ("/control/install?portal=1", 400),
            ("/control/event?portal=1", 400), ("/control/fault?portal=1&kind=what", 400),
            ("/control/fault?portal=1&kind=error&code=X&status=99", 400), ("/control/nothing?portal=1", 400),
        ]
    )
    func `what cannot be done is explained`(path: String, status: Int) async throws {
        try await StandIn.withRunning { standIn in
            let answer = try await PortalClient(standIn).post(path)
            #expect(answer.status == status)
            #expect(answer.error?.hasSuffix(".") == true)
        }
    }

    @Test func `only this host controls`() {
        var world = PortalWorld(StandInSettings())
        let request = StandInRequest(method: "POST", path: "/control/clear")
        #expect(world.control(request)?.status == 403)
        #expect(
            world.control(StandInRequest(method: "POST", path: "/control/clear", isFromLoopback: true))?.status == 200
        )
    }

    /// Every token that the stand-in ever made is looked for in what it tells of itself.
    @Test func `no token is told`() async throws {
        let notes = Guarded<[StandInNote]>([])
        try await EventSink.withRunning { sink, url in
            var settings = StandInSettings()
            settings.observe = { note in notes.withLock { $0.append(note) } }
            try await StandIn.withRunning(settings) { standIn in
                _ = await standIn.install("1", at: url + "?key=geheim")
                let client = try await PortalClient(standIn)
                let token = try #require(sink.posted.first?.auth("access_token"))
                let refresh = try #require(sink.posted.first?.auth("refresh_token"))
                _ = try await client.get("/portal/\(standIn.memberIDs[0])/rest/profile?auth=\(token)")
                _ = try await client.refresh(refresh)
                let webhook = try #require(standIn.webhookAddress(of: "1"))
                _ = try await client.post(webhook + "profile")
                let world = standIn.host.look { $0 }
                var told = try notes.withLock { $0 }.map { note in
                    switch note {
                    case .call(let call): String(decoding: try JSONEncoder().encode(call), as: UTF8.self)
                    case .delivery(let delivery): String(decoding: try JSONEncoder().encode(delivery), as: UTF8.self)
                    }
                }
                for path in ["portals", "calls", "deliveries"] {
                    told.append(try await client.get("/control/\(path)").text)
                }
                #expect(told.count == 7)
                let secrets =
                    Array(world.accessTokens.keys) + Array(world.refreshTokens.keys) + [
                        refresh, "geheim", world.portals[0].applicationToken, world.portals[0].webhookSecret,
                        world.settings.clientSecret,
                    ]
                for secret in secrets { #expect(!told.joined().contains(secret)) }
            }
        }
    }
}
