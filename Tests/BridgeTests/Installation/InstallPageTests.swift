import Bitrix24
import Foundation
import Simulation
import Testing

@testable import Bridge

@Suite struct InstallPageTests {
    private static func state(_ bridge: RunningBridge, _ ticket: String) async throws -> (Int, InstallProgress?) {
        let reply = try await blocking { [port = bridge.port] in
            try HTTPClient(port: port).request("GET", "/b24/install/state?ticket=\(ticket)")
        }
        return (reply.status, try? JSONDecoder().decode(InstallProgress.self, from: Data(reply.body.utf8)))
    }

    private static func ticket(_ page: String) throws -> String {
        let start = try #require(page.range(of: "data-ticket=\""))
        return String(page[start.upperBound...].prefix { $0 != "\"" })
    }

    /// What the owner of the REST work does.
    private static func bind(_ portal: String, _ bridge: RunningBridge, error: String? = nil) async throws {
        try await #require(bridge.bridge.registry).change(portal, until: .here) {
            $0.bindings = .init(
                installedAt: $0.installation?.installedAt ?? 0,
                fingerprint: "f",
                reconciledAt: 1,
                bound: 2,
                drift: 0,
                error: error
            )
        }
    }

    @Test func `the page may be framed by its portal only, and runs nothing but its own and Bitrix24's script`()
        async throws
    {
        try await InstallationScene.with { standIn, bridge in
            let portal = standIn.first
            let frame = try #require(standIn.openFrame(portal, language: "ru"))
            let body = String(decoding: frame.body, as: UTF8.self)
            let reply = try await bridge.post(body, path: "/b24/install?\(frame.query)")
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(reply.headers["content-security-policy"])
            let domain = try #require(standIn.portal(portal)?.domain)
            let nonce = try #require(policy.firstMatch(of: /'nonce-([a-z0-9]+)'/)).output.1
            #expect(
                policy.contains("default-src 'none'; script-src 'nonce-\(nonce)' \(try await standIn.address)/api/v1/;")
            )
            #expect(policy.contains("frame-ancestors https://\(domain) "))
            #expect(reply.headers["cache-control"] == "no-store" && reply.headers["referrer-policy"] == "no-referrer")
            #expect(reply.body.contains("<html lang=\"ru\">") && reply.body.contains("nonce=\"\(nonce)\""))
            #expect(!reply.body.contains("{{"))
            // Nothing from elsewhere, and nothing of the form.
            #expect(!reply.body.contains("https://"))
            for (name, value) in frame.fields.members.map({ ($0.name, $0.value.text ?? "") })
            where name.hasSuffix("_ID") {
                #expect(!reply.body.contains(value))
            }
            let again = try await bridge.post(body, path: "/b24/install?\(frame.query)")
            #expect(!again.body.contains("nonce=\"\(nonce)\""))
        }
        #expect(InstallPage(standIn: "").apiScript == "https://api.bitrix24.com/api/v1/")
    }

    @Test(arguments: [
        ("DOMAIN=P.Bitrix24.de:8443&PROTOCOL=0&LANG=RU", "p.bitrix24.de:8443", true, "ru"),
        ("DOMAIN=evil%20example;script-src&PROTOCOL=1", nil, false, ""),
        ("DOMAIN=a'b", nil, false, ""), ("DOMAIN[]=a", nil, false, ""), ("", nil, false, ""),
    ])
    func `of the query only what can be a host is believed`(
        query: String,
        domain: String?,
        isPlain: Bool,
        language: String
    ) {
        let read = PageQuery(query)
        #expect(read.domain == domain && read.isPlain == isPlain && read.language == language)
    }

    @Test func `any replica tells how far it is, by the ticket`() async throws {
        try await InstallationScene.with { standIn, bridge in
            standIn.holdOwner()
            let portal = standIn.first
            let frame = try #require(standIn.openFrame(portal))
            let body = String(decoding: frame.body, as: UTF8.self)
            let ticket = try Self.ticket(try await bridge.post(body, path: "/b24/install?\(frame.query)").body)
            #expect(ticket.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") })
            try await bridge.waitForStanding(.awaitingToken, of: portal)
            let pending = try await Self.state(bridge, ticket)
            #expect(pending.1 == InstallProgress(state: .pending))
            try await Self.bind(portal, bridge, error: "ACCESS_DENIED")
            let failed = try await Self.state(bridge, ticket)
            #expect(failed.1 == InstallProgress(state: .failed, reason: "bindings", detail: "ACCESS_DENIED"))
            try await Self.bind(portal, bridge)
            let connected = try await Self.state(bridge, ticket)
            #expect(connected.1 == InstallProgress(state: .connected, finish: true))
            for wrong in ["", "x", "1.1.AAAA", String(ticket.dropLast(3)), ticket + "x"] {
                let answer = try await Self.state(bridge, wrong)
                #expect(answer.0 == 400, "\(wrong)")
            }
            // Somebody opens the page again: it is connected, and there is nothing to finish.
            standIn.finishInstallation(of: portal)
            let second = try #require(standIn.openFrame(portal))
            let later = try Self.ticket(
                try await bridge.post(
                    String(decoding: second.body, as: UTF8.self),
                    path: "/b24/install?\(second.query)"
                ).body
            )
            try await wait(for: "it to be verified") { bridge.verified(.page) == 2 }
            let seen = try await Self.state(bridge, later)
            #expect(seen.1 == InstallProgress(state: .connected, finish: false))
        }
    }

    @Test func `a ticket is good for a quarter of an hour`() throws {
        var ids = EnvelopeIDGenerator()
        let now = Timestamp(milliseconds: 1_700_000_000_000)
        let call = UnverifiedCall(id: ids.next(at: now), kind: .page, receivedAt: now, memberID: "m", body: Data())
        let keyring = InstallationScene.keyring
        let text = try InstallTicket(call).sealed(with: keyring)
        #expect(InstallTicket(text, keyring: keyring, now: now)?.id == call.id)
        #expect(InstallTicket(text, keyring: keyring, now: Timestamp(milliseconds: now.milliseconds + 899_000)) != nil)
        #expect(InstallTicket(text, keyring: keyring, now: Timestamp(milliseconds: now.milliseconds + 901_000)) == nil)
        #expect(InstallTicket(text, keyring: Keyring(InstallationScene.secrets(8)), now: now) == nil)
    }

    @Test func `a page that brings no tokens, or comes too fast, still speaks to its reader`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let bare = try await bridge.post("AUTH_ID=x&member_id=m", path: "/b24/install?DOMAIN=p.example&LANG=ru")
            #expect(bare.status == 400 && bare.body.contains("data-refusal=\"incomplete\""))
            let frame = try #require(standIn.openFrame(standIn.first))
            let body = String(decoding: frame.body, as: UTF8.self)
            var replies: [Reply] = []
            for _ in 0..<30 { replies.append(try await bridge.post(body, path: "/b24/install?\(frame.query)")) }
            let refused = try #require(replies.first { $0.status == 503 })
            #expect(refused.headers["retry-after"] == "60" && refused.body.contains("data-ticket=\"\""))
        }
    }

    @Test func `pages come from browsers, so that they may come from anywhere, and events may not`() async throws {
        try await InstallationScene.with(adjust: { $0.http.allowedNetworks = ["192.0.2.0/24"] }) { standIn, bridge in
            let portal = standIn.first
            let frame = try #require(standIn.openFrame(portal))
            let page = try await bridge.post(
                String(decoding: frame.body, as: UTF8.self),
                path: "/b24/install?\(frame.query)"
            )
            #expect(page.status == 200)
            let address = try await standIn.address
            let event = try await bridge.post(
                try standIn.body("ONAPPINSTALL", of: portal, address: address),
                path: "/b24/install"
            )
            #expect(event.status == 403)
        }
    }

    // MARK: In a browser

    private static func open(
        _ language: String,
        virtualSeconds: Int? = nil,
        away: Bool = false,
        clientID: String? = nil,
        _ body: (PortalStage, RunningBridge, String) async throws -> Void
    ) async throws {
        try await PortalStage.with { stage in
            try await InstallationScene.with(
                adjust: { if let clientID { $0.application.clientID = clientID } }
            ) { standIn, bridge in
                standIn.holdOwner()
                let portal = standIn.first
                standIn.rename(portal, to: stage.domain)
                if away { standIn.inject(.badGateway, method: "oauth/app.info", times: 10_000) }
                stage.show(try #require(standIn.openFrame(portal, language: language)), at: bridge.installURL)
                try await Chromium.withPage("http://\(stage.domain)/", virtualSeconds: virtualSeconds) {
                    try await body(stage, bridge, portal)
                }
            }
        }
    }

    @Test(
        .enabled(if: Chromium.path != nil, Chromium.isMissing),
        arguments: [("en", "Connecting…", "Connected"), ("ru", "Подключаем…", "Подключено")]
    )
    func `the page says that the portal is connected, and tells Bitrix24 only when the bindings exist`(
        language: String,
        pending: String,
        connected: String
    ) async throws {
        try await Self.open(language) { stage, bridge, portal in
            let first = try await stage.waitForSight(of: pending)
            #expect(first.state == "pending" && first.lang == language && first.role == "status")
            try await bridge.waitForStanding(.awaitingToken, of: portal)
            #expect(stage.sights.allSatisfy { $0.finished == 0 })
            try await Self.bind(portal, bridge)
            let last = try await stage.waitForSight(of: connected)
            #expect(last.state == "connected" && last.text.contains(stage.domain))
            try await wait(for: "installFinish; \(stage.sights); \(stage.faults)") { stage.sights.last?.finished == 1 }
            #expect(stage.faults.isEmpty)
        }
    }

    @Test(
        .enabled(if: Chromium.path != nil, Chromium.isMissing),
        arguments: [("fr", "belongs to another application"), ("ru", "настроен для другого приложения")]
    )
    func `the page says what went wrong and what to do`(language: String, words: String) async throws {
        try await Self.open(language, clientID: "local.other") { stage, _, _ in
            let sight = try await stage.waitForSight(of: words)
            #expect(sight.state == "refused" && sight.finished == 0)
            #expect(sight.text.contains("application.clientId") && sight.text.contains("wrong-application"))
            #expect(sight.lang == (language == "ru" ? "ru" : "en"))
        }
    }

    @Test(
        .enabled(if: Chromium.path != nil, Chromium.isMissing),
        arguments: [("en", "takes longer than it should"), ("ru", "длится дольше обычного")]
    )
    func `the page says when it takes too long, and goes on asking`(language: String, words: String) async throws {
        try await Self.open(language, virtualSeconds: 90, away: true) { stage, bridge, _ in
            let sight = try await stage.waitForSight(of: words)
            #expect(sight.state == "pending" && sight.finished == 0)
            #expect(bridge.verified(.page) == 0)
        }
    }
}
