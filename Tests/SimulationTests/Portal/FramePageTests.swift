import Foundation
import Testing

@testable import Simulation

@Suite struct FramePageTests {
    @Test func `the page of a portal posts the form into a frame, which calls back`() async throws {
        var settings = StandInSettings()
        settings.installURL = "http://127.0.0.1:8080/b24/install"
        try await StandIn.withRunning(settings) { standIn in
            standIn.rename("1", to: #"a"<b>.example"#)
            let client = try await PortalClient(standIn)
            let page = try await client.get("/portal/\(standIn.memberIDs[0])/frame?lang=ru")
            #expect(page.status == 200)
            #expect(page.text.contains(#"<html lang="ru">"#))
            #expect(page.text.contains("a&quot;&lt;b&gt;.example"))
            #expect(!page.text.contains("<b>.example"))
            #expect(page.text.contains("http://127.0.0.1:8080/b24/install?DOMAIN="))
            for name in ["AUTH_ID", "REFRESH_ID", "member_id", "PLACEMENT"] {
                #expect(page.text.contains(#"name="\#(name)""#))
            }
            #expect(standIn.portal("1")?.application == "in-setup")
            let session = try #require(page.text.firstMatch(of: /data-session="([0-9a-f]+)"/)?.1)
            let finish = "/portal/\(standIn.memberIDs[0])/frame/installFinish?sid=\(session)"
            #expect(try await client.get(finish).status == 404, "POST only")
            #expect(try await client.post(finish).status == 200)
            #expect(standIn.portal("1")?.application == "installed")
            let script = try await client.get("/api/v1/")
            #expect(script.header("Content-Type")?.hasPrefix("text/javascript") == true)
            for name in ["BX24", "init", "installFinish"] { #expect(script.text.contains(name)) }
        }
    }
}
