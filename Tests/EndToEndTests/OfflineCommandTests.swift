import Foundation
import Testing

/// The commands for queues of offline events.
@Suite struct OfflineCommandTests {
    private static let portal = "bac1cd5c8940947a75e0d71b1a84e348"

    @Test(arguments: [
        ([], ["status", "drain", "recover", "a bridge must be running"]),
        (["status"], ["--portal", "--json", "erroneous", "Exit status"]),
        (["drain"], ["--once", "Ctrl-C", "Exit status"]),
        (["recover"], ["--since", "online only", "30 days", "Exit status"]),
    ])
    func helpTeaches(command: [String], words: [String]) async throws {
        let result = try await runBridge(["offline"] + command + ["--help"], environment: ["COLUMNS": "1000"])
        #expect(result.end == .exit(0) && result.errors.isEmpty)
        for word in words { #expect(result.output.contains(word), "\(word) in \(result.output)") }
    }

    @Test(arguments: [
        (["recover"], "--since"), (["recover", "--since", "yesterday"], "3h"),
        (["recover", "--since", "2999-01-01T00:00:00Z"], "past"), (["status", "--timeout", "0"], "--timeout"),
        (["drain", "--nonsense"], "--nonsense"),
    ])
    func badUsage(arguments: [String], word: String) async throws {
        let result = try await runBridge(["offline"] + arguments)
        #expect(result.end == .exit(2) && result.output.isEmpty && result.errors.contains(word), "\(result.errors)")
    }

    @Test func withoutARegistryNobodyCanBeAsked() async throws {
        let setup = try Setup()
        try setup.write()
        let file = setup.folder.file("b24bridge.yaml")
        let result = try await runBridge(["offline", "status", "--config", file])
        #expect(result.end == .exit(2) && result.errors.contains("portals.registry"), "\(result.errors)")
    }

    /// The portal as another bridge left it in the registry.
    @Test func aPortalThatRefusesItsQueueIsToldWithTheReason() async throws {
        var setup = try Setup()
        setup.settings = ["portals": ["registry": true, "file": ""]]
        setup.settings["kafka"] = ["registryTopic": setup.prefix + "registry"]
        try setup.write()
        let file = setup.folder.file("b24bridge.yaml")
        func part(_ value: [String: Any]) -> [String: Any] { ["at": 1000, "by": "a", "value": value] }
        let words = "its plan is too small"
        let line: [String: Any] = [
            "memberID": Self.portal, "version": 1,
            "installation": part([
                "state": "installed", "domain": "acme.bitrix24.com",
                "clientEndpoint": "https://acme.bitrix24.com/rest/",
                "authorizationServer": "oauth.bitrix.info", "status": "P", "scope": ["crm"], "installedAt": 5,
            ]),
            "applicationTokens": part(["digests": [String(repeating: "0", count: 64)]]),
            "bindings": part(["installedAt": 5, "fingerprint": "", "reconciledAt": 6, "bound": 1, "drift": 0]),
            "offline": part(["deniedSince": 1_700_000_000_000, "code": "wrong_license", "words": words]),
        ]
        let json = try JSONSerialization.data(withJSONObject: line) + Data("\n".utf8)
        let imported = try await runBridge(["portals", "import", "--config", file], input: Array(json))
        #expect(imported.end == .exit(0), "\(imported.errors)")
        let listed = try await runBridge(
            ["portals", "list", "--state", "offline-denied", "--json", "--config", file]
        )
        let row = try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [String: Any]
        #expect(row?["state"] as? String == "offline-denied" && row?["error"] as? String == words, "\(listed)")
        let table = try await runBridge(["portals", "list", "--config", file])
        #expect(table.output.contains("offline denied") && table.output.contains(words), "\(table.output)")
        let shown = try await runBridge(["portals", "show", Self.portal, "--config", file])
        for word in [words, "wrong_license", "2023-11-14T22:13:20"] {
            #expect(shown.output.contains(word), "\(word) in \(shown.output)")
        }
    }

    @Test func theStatusShowsEachPortalWithAQueueAndCountsTheOthers() async throws {
        var subscriptions: [String: Any] = ["online": ["ONTASKADD"], "offline": ["crm.deal"]]
        try await PortalScene.with(portals: 2, replicas: 1, subscriptions: subscriptions) { scene in
            let (with, without) = (scene.portals.portals[0], scene.portals.portals[1])
            subscriptions["portals"] = [["memberId": without, "offline": [String]()]]
            scene.replicas[0].setup.settings["subscriptions"] = subscriptions
            try scene.replicas[0].setup.write()
            try await scene.replicas[0].startAndListen()
            // The bridge would fetch them at once.
            try await scene.portals.inject("dropped", with, method: "event.offline.get", times: 1_000_000)
            for portal in [with, without] { try await scene.install(portal, at: scene.replicas[0].port) }
            try await scene.waitForStates(["connected": 2])
            try await scene.portals.addRows(7, with)
            let file = scene.replicas[0].configuration
            let table = try await runBridge(["offline", "status", "--config", file])
            #expect(table.end == .exit(0), "\(table.output) \(table.errors)")
            #expect(table.outputLines.count == 2 && table.outputLines.last?.hasPrefix(with) == true, "\(table.output)")
            #expect(table.errors.contains("Without offline events: 1 portal."), "\(table.errors)")
            #expect(table.errors.contains("offline: 7 rows waiting on 1 of 1 portals"), "\(table.errors)")

            struct Row: Decodable {
                struct Source: Decodable { let connector: String }

                let memberId: String
                let waiting: Int
                let callsLeft: Int
                let sources: [Source]
                let onlineOnly: [String]
            }
            let json = try await runBridge(["offline", "status", "--json", "--portal", with, "--config", file])
            let row = try JSONDecoder().decode(Row.self, from: Data(json.output.utf8))
            #expect(row.memberId == with && row.waiting == 7 && row.callsLeft > 0)
            #expect(row.sources.map(\.connector) == [""] && row.onlineOnly == ["ONTASKADD"])
            try await scene.replicas[0].stop()
        }
    }

    @Test func whatNoQueueHasIsSaidToBeLostAndWhatToDoInstead() async throws {
        let subscriptions: [String: Any] = ["online": ["ONCRMDEALUPDATE", "ONTASKADD"]]
        try await PortalScene.with(portals: 1, replicas: 1, subscriptions: subscriptions) { scene in
            let portal = scene.portals.portals[0]
            let file = scene.replicas[0].configuration
            try await scene.replicas[0].startAndListen()
            try await scene.install(portal, at: scene.replicas[0].port)
            try await scene.waitForStates(["connected": 1])
            // Nobody has a queue.
            let all = try await runBridge(["offline", "status", "--config", file])
            #expect(all.end == .exit(0) && all.output.isEmpty, "\(all.errors)")
            #expect(all.errors.contains("Without offline events: 1 portal."), "\(all.errors)")
            let result = try await runBridge(
                ["offline", "recover", "--portal", portal, "--since", "3h", "--config", file]
            )
            #expect(result.end == .exit(1) && result.output.contains("failed"), "\(result.output)")
            for word in [
                "subscriptions.offline", "ONCRMDEALUPDATE, ONTASKADD", "filter[>=DATE_MODIFY]", "0 of 1 queue empty",
            ] {
                #expect(result.errors.contains(word), "\(word) in \(result.errors)")
            }
            let json = try await runBridge(["offline", "drain", "--portal", portal, "--json", "--config", file])
            let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            #expect(json.end == .exit(1) && object?["memberId"] as? String == portal)
            #expect((object?["error"] as? [String: String])?["code"] == "no_queue", "\(json.output)")
            #expect(object?["onlineOnly"] as? [String] == ["ONCRMDEALUPDATE", "ONTASKADD"])
            try await scene.replicas[0].stop()
        }
    }
}
