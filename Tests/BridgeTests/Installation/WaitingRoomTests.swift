import Bitrix24
import Foundation
import Journal
import Logging
import NIOPosix
import Simulation
import Telemetry
import Testing

@testable import Bridge

/// Events of portals whose application token is not known yet.
@Suite struct WaitingRoomTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    private static func deals(_ ids: some Sequence<Int>, of portal: String, token: String? = secret) -> [String] {
        ids.map { event(id: "\($0)", member: portal, token: token) }
    }

    /// The portal of a stand-in, installed through its frame, which told no application token.
    private static func install(_ standIn: StandIn, _ bridge: RunningBridge) async throws -> String {
        standIn.holdOwner()
        let portal = standIn.first
        let frame = try #require(standIn.openFrame(portal))
        let body = String(decoding: frame.body, as: UTF8.self)
        let reply = try await bridge.post(body, path: "/b24/install?\(frame.query)")
        #expect(reply.status == 200)
        try await bridge.waitForStanding(.awaitingToken, of: portal)
        standIn.finishInstallation(of: portal)
        return portal
    }

    @Test
    func `events wait until ONAPPTEST brings the token, and go on in order, those that came meanwhile behind them`()
        async throws
    {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            let token = try #require(standIn.applicationToken(of: portal))
            try await bridge.take(Self.deals(1...40, of: portal, token: token))
            // Somebody else guesses meanwhile.
            try await bridge.take(Self.deals(900...901, of: portal, token: "00000000000000000000000000000000"))
            #expect(bridge.delivered(to: "crm.deal").isEmpty)
            let status = try await bridge.status()
            #expect(status.installations?.awaitingTokenRecords == 42)
            let address = try await standIn.address
            let test = try standIn.body("ONAPPTEST", of: portal, address: address, data: "&data[QUERY][nonce]=n1")
            try await bridge.take([test])
            try await bridge.take(Self.deals(41...120, of: portal, token: token))
            try await bridge.waitForDelivery(of: 120, to: "crm.deal")
            let delivered = bridge.delivered(to: "crm.deal").sorted { $0.position ?? 0 < $1.position ?? 0 }
            #expect(delivered.map(\.entityID) == (1...120).map { "\($0)" })
            #expect(delivered.allSatisfy { $0.attribute("b24origin") == "online" })
            try await bridge.waitForDelivery(of: 1, to: "app")
            #expect(bridge.delivered(to: "app")[0].attribute("b24event") == "ONAPPTEST")
            try await bridge.waitForDelivery(of: 2, to: "dead-letter")
            #expect(bridge.deadLetters.allSatisfy { $0.headers["b24_reason"] == "bad-token" })
            #expect(bridge.metric("events_awaiting_token_total") >= 43)
            #expect(bridge.metric("events_admitted_total", [("origin", "online")]) == 121)
            try await bridge.expectSums()
            try await wait(for: "them among what the portal did") {
                _ = try await bridge.get("/metrics")
                return bridge.metric("portal_events_total", [("portal", portal)]) == 121
            }
            // From now on they go straight on.
            try await wait(for: "an empty waiting room") {
                try await bridge.status().installations?.awaitingTokenRecords == 0
            }
            let before = bridge.metric("events_awaiting_token_total")
            try await bridge.take(Self.deals([121], of: portal, token: token))
            #expect(bridge.metric("events_awaiting_token_total") == before)
        }
    }

    @Test func `a forged ONAPPTEST teaches no token`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            let address = try await standIn.address
            let forged = try standIn.body(
                "ONAPPTEST",
                of: portal,
                address: address,
                access: "made-up",
                applicationToken: Self.secret
            )
            try await bridge.take([forged])
            try await wait(for: "the refusal") { bridge.refusals(.invalidToken) == 1 }
            try await bridge.take(Self.deals([1], of: portal))
            #expect(bridge.registered(portal)?.awaitsToken == true)
            // Without any token there is nothing to wait for.
            let reply = try await bridge.post(Self.deals([2], of: portal, token: nil)[0])
            #expect(reply.status == 403)
        }
    }

    @Test func `they outlive the bridge, and a token that another replica learned lets them go on`() async throws {
        try await StandIn.withRunning { standIn in
            let address = try await standIn.address
            let directory = try TemporaryDirectory()
            let prefix = "i\(UUID().uuidString.prefix(8).lowercased())"
            let portal = try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) {
                bridge in
                let portal = try await Self.install(standIn, bridge)
                try await bridge.take(Self.deals(1...5, of: portal))
                return portal
            }
            try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) { bridge in
                try await bridge.waitForStanding(.awaitingToken, of: portal)
                try await bridge.take(Self.deals(6...8, of: portal))
                #expect(bridge.metric("awaiting_token_records") == 0 || bridge.delivered(to: "crm.deal").isEmpty)
                let digest = String(decoding: TokenDigest(token: Array(Self.secret.utf8)).hexadecimal, as: UTF8.self)
                try await #require(bridge.bridge.registry).change(portal, until: .here) {
                    $0.applicationTokens = .init(digests: [digest], nonce: nil)
                }
                try await bridge.waitForDelivery(of: 8, to: "crm.deal")
                let delivered = bridge.delivered(to: "crm.deal").sorted { $0.position ?? 0 < $1.position ?? 0 }
                #expect(delivered.map(\.entityID) == (1...8).map { "\($0)" })
                try await wait(for: "no file") {
                    try FileManager.default.contentsOfDirectory(atPath: directory.path + "/journal/waiting").isEmpty
                }
            }
        }
    }

    @Test func `when the application is gone before its token came, they become dead letters`() async throws {
        try await InstallationScene.with { standIn, bridge in
            let portal = try await Self.install(standIn, bridge)
            try await bridge.take(Self.deals(1...3, of: portal))
            try await #require(bridge.bridge.registry).change(portal, until: .here) {
                $0.end(because: "NOT_INSTALLED", at: WallClock.now().milliseconds + 1)
            }
            try await bridge.waitForDelivery(of: 3, to: "dead-letter")
            #expect(bridge.deadLetters.allSatisfy { $0.headers["b24_reason"] == "gone-portal" })
        }
    }

    // MARK: The room alone

    private static func room(_ directory: String, maxBytes: Int = 1 << 20) throws -> (WaitingRoom, NIOThreadPool) {
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        let outcomes = InstallOutcomes(
            metrics: BridgeMetrics(factory: MetricsRegistry()),
            logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() }
        )
        return (
            WaitingRoom(
                directory,
                maxBytes: maxBytes,
                fileSystem: POSIXFileSystem(),
                threads: threads,
                outcomes: outcomes
            ), threads
        )
    }

    private static func park(_ room: WaitingRoom, _ payload: [UInt8], of portal: String) async -> WaitingRoom.Refusal? {
        await withCheckedContinuation { continuation in
            room.park(payload, of: portal) { continuation.resume(returning: $0) }
        }
    }

    @Test func `beyond the quota nothing is parked`() async throws {
        let directory = try TemporaryDirectory()
        let (room, threads) = try Self.room(directory.path + "/waiting", maxBytes: 8192)
        #expect(await Self.park(room, [UInt8](repeating: 1, count: 3000), of: "a") == nil)
        #expect(await Self.park(room, [UInt8](repeating: 2, count: 9000), of: "a") == .full)
        #expect(await Self.park(room, [UInt8](repeating: 3, count: 3000), of: "b") == nil)
        #expect(await Self.park(room, [4], of: "b") == .full)
        #expect(await Self.park(room, [4], of: "../b") == .full)
        #expect(room.memberIDs == ["a", "b"])
        let file = try #require(room.first(of: "a"))
        try await room.remove(file, of: "a")
        #expect(!room.holds("a") && room.isOccupied)
        try await threads.shutdownGracefully()
        #expect(await Self.park(room, [5], of: "b") == .shutdown)
    }

    @Test func `a damaged file is set aside and stops nothing`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/waiting"
        let (room, threads) = try Self.room(path)
        for byte in UInt8(1)...3 { #expect(await Self.park(room, [byte], of: "a") == nil) }
        try await threads.shutdownGracefully()
        let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        try Data([9, 9, 9]).write(to: URL(filePath: "\(path)/\(names[1])"))
        let (again, moreThreads) = try Self.room(path)
        #expect(again.records == 3)
        var found: [[UInt8]] = []
        while let file = again.first(of: "a") {
            found += try await again.payloads(of: file)
            try await again.remove(file, of: "a")
        }
        #expect(found == [[1], [3]])
        #expect(!again.isOccupied && again.bytes == 0 && again.records == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(path)/set-aside") == [names[1]])
        try await moreThreads.shutdownGracefully()
    }
}
