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

    /// The application's page loads the script, and calls `installFinish` from within the frame.
    @Test(.enabled(if: Chromium.isThere)) func `a browser goes the whole way of an installation`() async throws {
        try await EventSink.withRunning { sink, url in
            var settings = StandInSettings()
            settings.installURL = url + "install"
            try await StandIn.withRunning(settings) { standIn in
                sink.answer(
                    page: """
                        <!doctype html><script src="\(try await standIn.address)/api/v1/"></script>
                        <script>BX24.init(function () { BX24.installFinish(); });</script>
                        """
                )
                let portal = standIn.memberIDs[0]
                let page = try await Chromium.page("\(try await standIn.address)/portal/\(portal)/frame?lang=ru")
                #expect(standIn.portal(portal)?.application == "installed")
                #expect(page.contains(#"<b id="state">installed</b>"#), "\(page)")
                #expect(sink.posted.first?.form["member_id"]?.text == portal)
                #expect(standIn.calls.isEmpty)
            }
        }
    }
}

/// A browser without a window.
enum Chromium {
    private static let path = "/usr/bin/chromium"

    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: path) }

    /// What the page at the address has become after some seconds of its own time.
    static func page(_ address: String) async throws -> String {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chromium-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let output = folder.appending(path: "page.html")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = [
            "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(folder.path)",
            "--virtual-time-budget=5000", "--dump-dom", address,
        ]
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = FileHandle.nullDevice
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return String(decoding: try Data(contentsOf: output), as: UTF8.self)
    }
}
