import Foundation
import KafkaClient
import Testing

@testable import Bridge

/// What the admin port answers about the status.
@Suite struct StatusAnswerTests {
    private static func ask(_ stage: StatusStage, _ path: String, _ method: String = "GET") async throws -> Reply {
        try await blocking { [port = stage.port] in try HTTPClient(port: port).request(method, path) }
    }

    private static func portals(_ stage: StatusStage, _ query: String) async throws -> PortalPage {
        let reply = try await ask(stage, "/status/portals\(query)")
        #expect(reply.status == 200 && reply.headers["content-type"] == "application/json")
        return try JSONDecoder().decode(PortalPage.self, from: Data(reply.body.utf8))
    }

    @Test func `the page may load its own files only, and nothing keeps, frames or guesses at it`() async throws {
        try await StatusStage.with { stage in
            let reply = try await Self.ask(stage, "/")
            #expect(reply.status == 200 && reply.headers["content-type"] == "text/html; charset=utf-8")
            let policy = try #require(reply.headers["content-security-policy"]).components(separatedBy: "; ")
            #expect(policy.first == "default-src 'none'")
            #expect(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"))
            #expect(policy.allSatisfy { $0.hasSuffix(" 'none'") || $0.hasSuffix(" 'self'") }, "\(policy)")
            for path in [
                "/", "/status", "/status/portals", "/status.css", "/status.js", "/ready.svg", "/not-ready.svg",
            ] {
                let reply = try await Self.ask(stage, path)
                #expect(reply.status == 200 && !reply.body.isEmpty, "\(path)")
                #expect(reply.headers["cache-control"] == "no-store", "\(path)")
                #expect(reply.headers["x-content-type-options"] == "nosniff", "\(path)")
                #expect(reply.headers["referrer-policy"] == "no-referrer", "\(path)")
                let head = try await Self.ask(stage, path, "HEAD")
                #expect(head.status == 200 && head.headers["content-length"] == reply.headers["content-length"])
                for method in ["POST", "DELETE"] {
                    let refused = try await Self.ask(stage, path, method)
                    #expect(refused.status == 405 && refused.headers["allow"] == "GET, HEAD", "\(path)")
                }
            }
            for path in ["/status/", "/status.html", "/portals", "//", "/status/portals/x", "/../status.js"] {
                #expect(try await Self.ask(stage, path).status == 404, "\(path)")
            }
        }
    }

    @Test func `portals are found by the server, within bounds`() async throws {
        try await StatusStage.with(.idle, PortalStatus.samples(3000)) { stage in
            #expect(try await Self.portals(stage, "").portals.count == 100)
            let found = try await Self.portals(stage, "?find=portal-2999.&limit=7")
            #expect(found.found == 1 && found.portals.map(\.domain) == ["portal-2999.bitrix24.com"])
            for (limit, count) in [("5", 5), ("0", 0), ("-3", 0), ("99999", 1000), ("", 100), ("x", 100), ("1e9", 100)]
            {
                let page = try await Self.portals(stage, "?limit=\(limit)")
                #expect(page.portals.count == count && page.found == 3000, "\(limit)")
            }
        }
    }

    @Test(arguments: [
        ("find=a%26b+c%20d", "a&b c d"), ("find=%D0%BF%D0%BE%D1%80%D1%82", "порт"), ("find=++acme%20", "acme"),
        ("find=" + String(repeating: "%3C", count: 900), String(repeating: "<", count: 100)), ("find=%zz%", nil),
        ("find[]=acme", ""), ("find=%ff%00%fe", nil), ("limit=3", ""), ("&&==&%", ""), ("find=a&find=b", "b"),
        ("find=" + String(repeating: "a%CC%81", count: 500), nil),
    ])
    func `whatever is looked for comes back as text`(query: String, text: String?) async throws {
        try await StatusStage.with { stage in
            let reply = try await Self.ask(stage, "/?\(query)")
            #expect(reply.status == 200)
            let field = try #require(reply.body.firstMatch(of: /type="search" value="([^"]*)"/)).output.1
            #expect(field.unicodeScalars.count <= 100 * "&quot;".count)
            if let text {
                let escaped: Markup = "\(text)"
                #expect(field == escaped.text)
            }
            #expect(try await Self.ask(stage, "/status/portals?\(query)").status == 200)
        }
    }

    @Test func `a real bridge tells of its portals`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(servers: cluster.bootstrapServers) { bridge in
                let reply = try await bridge.get("/status/portals?find=SOME-domain")
                let page = try JSONDecoder().decode(PortalPage.self, from: Data(reply.body.utf8))
                #expect(page.found == 1 && page.portals.first?.domain == "some-domain.bitrix24.com")
                let html = try await bridge.get("/")
                #expect(html.body.contains("some-domain.bitrix24.com") && html.body.contains("<h1>Ready</h1>"))
                #expect(!html.body.contains(token) && !html.body.contains(webhookToken))
            }
        }
    }
}
