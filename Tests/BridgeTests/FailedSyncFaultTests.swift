import Foundation
import Journal
import Testing

@testable import Bridge

/// After a failed fdatasync nothing is answered with 200 that a power loss could take away.
@Suite struct FailedSyncFaultTests {
    @Test func nothingIsAcknowledgedThatAPowerLossCouldTake() async throws {
        let directory = try TemporaryDirectory()
        let prefix = "sync\(UUID().uuidString.prefix(8).lowercased())"
        let fileSystem = FailingFileSystem()
        let journal = directory.path + "/journal"
        var acknowledged: [Int] = []
        var refused = 0
        // Nobody listens there: all stays in the journal.
        try await RunningBridge.with(
            servers: "127.0.0.1:1",
            directory: directory,
            prefix: prefix,
            fileSystem: fileSystem,
            adjust: { $0.shutdownTimeout = .milliseconds(100) }
        ) { bridge in
            func post(_ ids: Range<Int>) async throws -> [Int] {
                let statuses = try await bridge.post(all: deals(ids))
                acknowledged += zip(ids, statuses).filter { $1 == 200 }.map(\.0)
                refused += statuses.filter { $0 == 503 }.count
                return statuses
            }
            #expect(try await post(1..<6).allSatisfy { $0 == 200 })

            // Written again elsewhere, and only then answered.
            for round in 0..<3 {
                let before = fileSystem.operations.count
                fileSystem.failSyncs(1)
                #expect(try await post(100 * round + 100..<100 * round + 103).allSatisfy { $0 == 200 })
                let operations = Array(fileSystem.operations[before...])
                let failed = try #require(
                    operations.firstIndex { if case .failedSync = $0 { true } else { false } }
                )
                guard case .failedSync(let old) = operations[failed] else { return }
                let after = operations[(failed + 1)...]
                #expect(!after.contains(.write(old)) && !after.contains(.sync(old)), "\(old) is written no more")
                let created = try #require(
                    after.compactMap { operation -> String? in
                        if case .create(let path) = operation, path.hasSuffix(".segment") { path } else { nil }
                    }.first
                )
                let made = try #require(after.firstIndex(of: .sync(created)))
                let named = try #require(after[made...].firstIndex(of: .syncDirectory(journal)))
                #expect(after[named...].contains(.sync(created)), "the records are synced after the file and its name")
            }
            let rewritten = acknowledged.count

            // Not elsewhere either: 503, and not ready.
            fileSystem.failSyncs(.max)
            #expect(try await post(500..<505).allSatisfy { $0 == 503 })
            #expect(try await bridge.get("/readyz").status == 503)
            #expect(acknowledged.count == rewritten)
            #expect(bridge.metric("events_lost_total", [("reason", "disk-failure")]) == 5)
            fileSystem.failSyncs(0)
            try await waitUntilReady(bridge)
            #expect(try await post(600..<605).allSatisfy { $0 == 200 })
            try fileSystem.losePower(of: journal, to: directory.path + "/after")
        }

        let all = Set(acknowledged.map(String.init))
        try await RunningBridge.with(
            directory: directory,
            prefix: prefix,
            adjust: { $0.journal.directory = directory.path + "/after" }
        ) { bridge in
            try await bridge.waitForDelivery(of: all.count, to: "crm.deal")
            let delivered = bridge.delivered(to: "crm.deal").map(\.entityID)
            #expect(all.isSubset(of: delivered))
            #expect(Set(delivered).count == delivered.count, "the abandoned segments are not sent again")
            print(
                "fault: failing fdatasync behind the listener: \(all.count) acknowledged, \(refused) refused with 503,",
                "\(all.subtracting(delivered).count) missing after a power loss"
            )
        }
    }

    private func waitUntilReady(_ bridge: RunningBridge) async throws {
        for _ in 0..<1000 {
            if try await bridge.get("/readyz").status == 200 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("not ready within 10 s")
    }
}
