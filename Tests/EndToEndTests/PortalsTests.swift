import Foundation
import Glibc
import Testing

/// The registry's portals, looked at and changed by commands beside a bridge that runs, and without one.
@Suite struct PortalsTests {
    private static let portal = "bac1cd5c8940947a75e0d71b1a84e348"
    private static let token = "webhook-token-of-acme-0123456789"
    private static let oldKey = Data(repeating: 1, count: 32).base64EncodedString()
    private static let newKey = Data(repeating: 2, count: 32).base64EncodedString()

    /// With a registry of its own.
    private func setup(key: [String: Any] = [:]) throws -> Setup {
        var setup = try Setup()
        setup.settings = ["portals": ["registry": true], "secrets": key]
        setup.settings["kafka"] = ["registryTopic": setup.prefix + "registry"]
        try setup.write()
        return setup
    }

    private func command(_ words: [String], _ setup: Setup, input: String? = nil) async throws -> CommandResult {
        let file = setup.folder.file("b24bridge.yaml")
        return try await runBridge(["portals"] + words + ["--config", file], input: input.map { Array($0.utf8) })
    }

    private func rows(_ setup: Setup) async throws -> [String: [String: Any]] {
        let result = try await command(["list", "--json"], setup)
        #expect(result.end == .exit(0), "\(result.errors)")
        let rows = try result.outputLines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        return Dictionary(uniqueKeysWithValues: rows.map { ($0["memberID"] as? String ?? "", $0) })
    }

    @Test func aPortalOfWebhooksIsAddedTakenShownMovedAndRemoved() async throws {
        let setup = try setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let body = SampleEvent.form(id: "1", number: "1", token: Self.token, portal: Self.portal)
        #expect(try await post(body, port: port).status == 403)
        let added = try await command(
            ["add", "--member-id", Self.portal, "--domain", "acme.bitrix24.com", "--webhook-token", "-"],
            setup,
            input: "\n \(Self.token) \n"
        )
        #expect(added.end == .exit(0) && added.errors.contains("1 token of outgoing webhooks"), "\(added.errors)")
        try await eventually("the bridge knows it") { try await post(body, port: port).status == 200 }

        let rows = try await rows(setup)
        #expect(rows[Self.portal]?["state"] as? String == "connected")
        #expect(rows[Self.portal]?["source"] as? String == "registry")
        #expect(rows[Self.portal]?["domain"] as? String == "acme.bitrix24.com")
        #expect(rows.values.contains { $0["source"] as? String == "file" && $0["state"] as? String == "static" })
        let table = try await command(["list"], setup)
        #expect(table.output.contains("acme.bitrix24.com") && table.outputLines[0].hasPrefix("portal"))
        let shown = try await command(["show", Self.portal], setup)
        #expect(shown.end == .exit(0) && shown.output.contains("webhook tokens"), "\(shown.output)")
        for result in [added, table, shown] { #expect(!(result.output + result.errors).contains(Self.token)) }
        #expect(try await command(["show", "nobody"], setup).end == .exit(1))

        let exported = try await command(["export"], setup)
        #expect(exported.end == .exit(0) && exported.outputLines.count == 1)
        let other = try self.setup()
        let imported = try await command(["import"], other, input: exported.output)
        #expect(imported.end == .exit(0) && imported.errors.contains("1 taken in"), "\(imported.errors)")
        let again = try await command(["import"], other, input: exported.output)
        #expect(again.errors.contains("0 taken in, 1 of 1 known already"), "\(again.errors)")
        #expect(try await self.rows(other)[Self.portal]?["webhookTokens"] as? Int == 1)

        #expect(try await command(["remove", Self.portal], setup).end == .exit(2), "nobody can be asked")
        let removed = try await command(["remove", Self.portal, "--yes"], setup)
        #expect(removed.end == .exit(0), "\(removed.errors)")
        try await eventually("the bridge forgets it") { try await post(body, port: port).status == 403 }
        #expect(try await command(["remove", Self.portal, "--yes"], setup).end == .exit(1))
        try await bridge.stop()
    }

    @Test func aPortalAuthorisedByACodeIsVerifiedStoredSealedAndResealed() async throws {
        var setup = try setup(key: ["key": Self.oldKey, "keyId": "old"])
        let portals = try RunningProgram(
            BuiltProducts.bridge,
            ["simulate", "portal", "--port", "0", "--json", "--install-url", "http://127.0.0.1:1/b24/install"]
                + ["--client-id", "app.1", "--client-secret", "geheim"]
        )
        let said = try await eventually("it says where it is; \(portals.standardError)") {
            let first = portals.standardOutput.split(separator: "\n").first.map { Data($0.utf8) }
            return try first.flatMap { try JSONSerialization.jsonObject(with: $0) as? [String: Any] }
        }
        let address = try #require(said["address"] as? String)
        let described = try #require((said["portals"] as? [[String: Any]])?.first)
        let port = try #require(URLComponents(string: address)?.port)
        #expect(try await httpRequest("POST", "/control/install?portal=1", port: port).status == 200)
        let told = try await httpRequest("POST", "/control/credentials?portal=1", port: port).body
        let credentials = try #require(try JSONSerialization.jsonObject(with: Data(told.utf8)) as? [String: String])
        let (memberID, access, refresh) = (
            try #require(described["memberID"] as? String), try #require(credentials["access_token"]),
            try #require(credentials["refresh_token"])
        )
        func answer(_ access: String) -> String {
            #"{"member_id":"\#(memberID)","access_token":"\#(access)","refresh_token":"\#(refresh)","expires_in":3600}"#
        }
        setup.settings["application"] = [
            "clientId": "app.1", "clientSecret": "geheim", "publicURL": "http://127.0.0.1:1", "standIn": address,
        ]
        try setup.write()
        let forged = try await command(["add", "--token-answer", "-"], setup, input: answer("made-up-access-token"))
        #expect(forged.end == .exit(1), "\(forged.errors)")
        let added = try await command(["add", "--token-answer", "-"], setup, input: answer(access))
        #expect(added.end == .exit(0) && added.errors.contains(memberID), "\(added.errors)")
        let row = try #require(try await rows(setup)[memberID])
        #expect(row["state"] as? String == "awaiting-token" && row["tokenAgeSeconds"] as? Int ?? 999 < 100)
        let exported = try await command(["export"], setup)
        #expect(exported.errors.contains("sealed with key old"))

        let current: [String: Any] = ["key": Self.newKey, "keyId": "new"]
        setup.settings["secrets"] = current
        try setup.write()
        let missing = try await command(["rekey"], setup)
        #expect(missing.end == .exit(1) && missing.errors.contains("\"old\""), "\(missing.errors)")
        let imported = try await command(["import"], setup, input: exported.output)
        #expect(imported.end == .exit(0) && imported.errors.contains("not configured here: old"), "\(imported.errors)")
        setup.settings["secrets"] = current.merging(["previousKeys": [["keyId": "old", "key": Self.oldKey]]]) { $1 }
        try setup.write()
        let rekeyed = try await command(["rekey"], setup)
        #expect(rekeyed.end == .exit(0) && rekeyed.errors.contains("1 sealed under key new"), "\(rekeyed.errors)")
        setup.settings["secrets"] = current
        try setup.write()
        let again = try await command(["rekey"], setup)
        #expect(
            again.end == .exit(0) && again.errors.contains("0 sealed under key new, 1 had nothing"),
            "\(again.errors)"
        )
        let shown = try await command(["show", memberID, "--json"], setup)
        #expect(shown.output.contains("\"new\""))
        for result in [forged, added, exported, rekeyed, shown] {
            for secret in [access, refresh, "geheim", Self.oldKey, "made-up-access-token"] {
                #expect(!(result.output + result.errors).contains(secret))
            }
        }
        portals.send(SIGINT)
        #expect(try await portals.waitForEnd() == .exit(0))
    }

    @Test(
        arguments: [
            (["add"], "--member-id"), (["add", "--member-id", "a b", "--webhook-token", "-"], "member_id"),
            (["add", "--token-answer", "-", "--member-id", "a"], "--token-answer"),
            (["list", "--state", "x"], "--state"),
            (["list", "--timeout", "0"], "--timeout"),
        ] as [([String], String)]
    )
    func badUsage(arguments: [String], word: String) async throws {
        let result = try await command(arguments, try setup())
        #expect(result.end == .exit(2) && result.errors.contains(word), "\(result.errors)")
    }

    @Test func theRegistrysTopicIsChecked() async throws {
        let setup = try setup()
        // The in-process cluster makes what it is asked for, with four partitions.
        let checked = try await runBridge(["check", "--config", setup.folder.file("b24bridge.yaml")])
        #expect(checked.end == .exit(1))
        #expect(checked.output.contains("FAILED   registry \(setup.prefix)registry: "), "\(checked.output)")
        #expect(checked.output.contains("has 4 partitions and must have one"), "\(checked.output)")
    }

    @Test func whatIsNoPortalIsNotImportedAndTokensAreRefusedWithoutAKey() async throws {
        let setup = try setup()
        let imported = try await command(["import"], setup, input: "{}\n")
        #expect(imported.end == .exit(1) && imported.errors.contains("line 1"), "\(imported.errors)")
        #expect(try await command(["rekey"], setup).errors.contains("secrets.key"))
    }
}
