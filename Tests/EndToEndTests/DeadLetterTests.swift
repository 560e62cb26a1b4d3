import Foundation
import KafkaClient
import Testing

/// Refused calls are looked at and admitted later, by commands beside a bridge that runs.
@Suite struct DeadLetterTests {
    private static let portal = "bac1cd5c8940947a75e0d71b1a84e348"
    private static let token = "late-application-token-0123456789"
    private static let wrong = "wrong-application-token-987654321"

    private func command(_ words: [String], _ setup: Setup) async throws -> CommandResult {
        try await runBridge(["dead-letters"] + words + ["--config", setup.folder.file("b24bridge.yaml")])
    }

    /// All that is in the topics, by key.
    private func records(_ topics: [String], _ count: Int, _ setup: Setup) async throws -> [ConsumedRecord] {
        let servers = setup.servers
        return try await onThread {
            let consumer = try KafkaConsumer(
                ConsumerConfiguration(bootstrapServers: servers, groupID: "letters-\(UUID())")
            )
            defer { consumer.close() }
            try consumer.assign(topics: topics, timeout: .seconds(10))
            var records: [ConsumedRecord] = []
            let deadline = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < deadline, records.count < count || !consumer.isAtEnd {
                if let record = try consumer.poll(upTo: .milliseconds(100)) { records.append(record) }
            }
            return records
        }
    }

    @Test func refusedEventsAreListedAndPublishedOnceTheirPortalIsKnown() async throws {
        let setup = try Setup()
        let bridge = try setup.start()
        let port = try await bridge.port()
        let began = Date()
        for id in 1...5 {
            let body = SampleEvent.form(id: "\(id)", number: "\(id)", token: Self.token, portal: Self.portal)
            #expect(try await post(body + "&data[leak]=\(Self.token)", port: port).status == 403)
        }
        for id in 6...7 {
            let body = SampleEvent.form(id: "\(id)", token: Self.wrong, portal: Self.portal)
            #expect(try await post(body, port: port).status == 403)
        }
        var listed = CommandResult(end: .exit(0), output: "", errors: "")
        let deadline = ContinuousClock.now + .seconds(20)
        while listed.outputLines.count < 7, ContinuousClock.now < deadline {
            listed = try await command(["list", "--json"], setup)
            #expect(listed.end == .exit(0), "\(listed.errors)")
        }
        let letters = try listed.outputLines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        try #require(letters.count == 7)
        let times = letters.compactMap { $0["time"] as? String }
        #expect(times.count == 7 && times == times.sorted())
        for (index, letter) in letters.enumerated() {
            #expect(letter["reason"] as? String == "unknown-portal" && letter["portal"] as? String == Self.portal)
            let pairs = try #require(letter["pairs"] as? [[String]])
            #expect(pairs.contains(["data[FIELDS][ID]", "\(index + 1)"]))
            #expect(pairs.contains(["auth[application_token]", "[redacted]"]))
        }
        let digest = try #require(letters[0]["tokenSHA256"] as? String)

        let table = try await command(["list", "--token-sha256", String(digest.prefix(12)), "--limit", "2"], setup)
        #expect(table.outputLines.count == 3 && table.outputLines[0].contains("token"), "\(table.output)")
        #expect(table.outputLines.dropFirst().allSatisfy { $0.contains(digest.prefix(12)) && $0.contains(Self.portal) })
        #expect(table.errors == "dead letters: 5 (5 unknown-portal), the newest 2 are shown\n", "\(table.errors)")

        // Nothing is known of that portal yet.
        let early = try await command(["requeue"], setup)
        #expect(early.end == .exit(0) && early.errors.contains("0 sent, 7 left (7 portal-unknown)"), "\(early.errors)")

        let portals =
            SampleEvent.portals() + "  - memberId: \(Self.portal)\n    applicationTokens: [\(Self.token)]\n"
        try setup.folder.write(portals, to: "portals.yaml")
        let dry = try await command(["requeue", "--dry-run"], setup)
        #expect(dry.end == .exit(0) && dry.errors == "dead letters: 5 of 7 would be sent\n", "\(dry.errors)")
        #expect(dry.outputLines.count { $0.contains("to \(setup.dealTopic), key \(Self.portal)/crm.deal/") } == 5)
        #expect(dry.outputLines.count { $0.contains("left: no token of its portal") } == 2, "\(dry.output)")

        let rowTimes = dry.outputLines.dropFirst().map { $0.prefix(20) }
        #expect(rowTimes == rowTimes.sorted(), "\(dry.output)")
        let plan = try await command(["requeue", "--dry-run", "--json"], setup).outputLines.map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(plan.compactMap { $0["time"] as? String } == times)
        #expect(plan.compactMap { $0["id"] as? String } == letters.compactMap { $0["id"] as? String })
        #expect(plan.count { $0["topic"] as? String == setup.dealTopic } == 5)
        #expect(plan.count { $0["left"] as? String == "token-unknown" } == 2, "\(plan)")

        var runs: [Set<String>] = []
        for run in 1...2 {
            let sent = try await command(["requeue", "--json"], setup)
            let result = try #require(try JSONSerialization.jsonObject(with: Data(sent.output.utf8)) as? [String: Any])
            #expect(result["sent"] as? Int == 5 && (result["failed"] as? [Any])?.isEmpty == true)
            #expect(result["left"] as? [String: Int] == ["token-unknown": 2])
            #expect(sent.end == .exit(0), "\(sent.errors)")
            #expect(sent.errors == "dead letters: 5 sent, 2 left (2 token-unknown)\n", "\(sent.errors)")
            let all = try await records([setup.dealTopic], 5 * run, setup)
            #expect(all.count == 5 * run, "the dry run and the wrong token sent nothing")
            runs.append(Set(all.map { String(decoding: $0.header("ce_id") ?? [], as: UTF8.self) }))
            for record in all {
                let envelope = try #require(
                    try JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any]
                )
                let id = try #require(envelope["b24entityid"] as? String)
                #expect(record.key == Array("\(Self.portal)/crm.deal/\(id)".utf8))
                #expect(envelope["b24origin"] as? String == "online" && envelope["sequence"] == nil)
                let recorded = try #require(envelope["recordedtime"] as? String)
                #expect(times.contains(recorded), "received when it was refused")
                #expect(
                    try Date(recorded, strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true))
                        .timeIntervalSince(began) > -1
                )
                #expect((envelope["data"] as? [String: Any])?["leak"] as? String == "[redacted]")
            }
        }
        #expect(runs[0].count == 5 && runs[0] == runs[1], "the same ids each time")
        #expect(runs[0].isSubset(of: Set(letters.compactMap { $0["id"] as? String })), "given at receipt")

        // The bridge beside them goes on.
        #expect(try await post(SampleEvent.form(), port: port).status == 200)
        try await bridge.stop()
        let outputs = [listed, table, early, dry].map { $0.output + $0.errors } + [bridge.program.standardError]
        for secret in [Self.token, Self.wrong, SampleEvent.token] {
            #expect(outputs.allSatisfy { !$0.contains(secret) })
        }
    }

    @Test(arguments: [
        ([], ["list", "requeue", "b24bridge dead-letters requeue --config"]),
        (["list"], ["--reason", "--portal", "--token-sha256", "--since", "--limit", "--json", "Exit status"]),
        (
            ["requeue"],
            ["--dry-run", "--since", "same ids", "Exit status", "requeue --config b24bridge.yaml --dry-run"]
        ),
    ])
    func helpTeaches(command: [String], words: [String]) async throws {
        let result = try await runBridge(["dead-letters"] + command + ["--help"])
        #expect(result.end == .exit(0) && result.errors.isEmpty)
        for word in words { #expect(result.output.contains(word), "\(word) in \(result.output)") }
    }

    @Test func whatCannotBeReadIsAFailureAndWhatCannotBeMeantIsBadUsage() async throws {
        let setup = try Setup(servers: Cluster.nowhere)
        try setup.write()
        for words in [["list", "--timeout", "1"], ["requeue", "--timeout", "1"]] {
            let result = try await command(words, setup)
            #expect(result.end == .exit(1) && result.errors.contains("kafka.bootstrapServers"), "\(result.errors)")
        }
        for words in [
            ["list", "--since", "tomorrow"], ["list", "--reason", "bad"], ["list", "--token-sha256", "xyz"],
            ["list", "--limit", "0"], ["requeue", "--timeout", "0"],
        ] {
            let result = try await command(words, setup)
            #expect(result.end == .exit(2) && result.errors.contains(words[1]), "\(result.errors)")
        }
    }
}
