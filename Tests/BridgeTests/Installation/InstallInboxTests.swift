import Bitrix24
import Bitrix24REST
import Foundation
import Journal
import NIOPosix
import Simulation
import Telemetry
import Testing

@testable import Bridge

@Suite struct InstallInboxTests {
    /// An inbox with its thread.
    private final class Opened: Sendable {
        let inbox: InstallInbox
        let threads = NIOThreadPool(numberOfThreads: 1)
        let logs = LogLines()
        let registry = MetricsRegistry()

        init(_ directory: String, _ limits: InstallInbox.Limits = .init(), keyring: Keyring = InstallationScene.keyring)
        {
            threads.start()
            inbox = InstallInbox(
                directory,
                limits: limits,
                keyring: keyring,
                fileSystem: POSIXFileSystem(),
                threads: threads,
                outcomes: InstallOutcomes(metrics: BridgeMetrics(factory: registry), logger: logs.logger)
            )
        }

        func put(_ call: UnverifiedCall) async -> InstallRefusal? {
            await withCheckedContinuation { continuation in inbox.put(call) { continuation.resume(returning: $0) } }
        }

        func refusals(_ reason: InstallRefusal) -> Int {
            Int(registry.value("b24bridge_installs_refused_total", [("reason", reason.rawValue)]) ?? 0)
        }

        /// What was submitted before is done then.
        func settle() async throws { try await threads.runIfActive {} }
    }

    private static let many: InstallInbox.Limits = {
        var limits = InstallInbox.Limits()
        limits.perSecond = 10_000
        return limits
    }()

    private static func call(
        _ memberID: String,
        kind: UnverifiedCall.Kind = .installation,
        bytes: Int = 100
    ) -> UnverifiedCall {
        var ids = EnvelopeIDGenerator()
        let now = WallClock.now()
        return UnverifiedCall(
            id: ids.next(at: now),
            kind: kind,
            receivedAt: now,
            memberID: memberID,
            body: Data(repeating: UInt8(ascii: "x"), count: bytes),
            query: "a=b",
            traceparent: "00-1"
        )
    }

    @Test func `what is taken is sealed on disk, and there again after a restart, oldest first`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/journal/installs"
        let first = Opened(path)
        var calls: [UnverifiedCall] = []
        for index in 0..<3 {
            let call = Self.call("m\(index)")
            #expect(await first.put(call) == nil)
            calls.append(call)
            try await Task.sleep(for: .milliseconds(2))
        }
        try await first.threads.shutdownGracefully()
        #expect(await first.put(Self.call("m3")) == .shutdown)
        #expect(try directory.allBytes().range(of: Data("xxxxxxxxxxxx".utf8)) == nil)
        let second = Opened(path)
        try await second.settle()
        let due = second.inbox.takeDue(10)
        #expect(due == calls.map(\.id))
        #expect(second.inbox.takeDue(10).isEmpty)
        let call = try #require(try await second.inbox.call(due[0]))
        #expect(
            call.body == calls[0].body && call.memberID == "m0" && call.query == "a=b" && call.traceparent == "00-1"
        )
        // Put off, it is due again later; finished, it is gone.
        second.inbox.postpone(due[0])
        #expect(second.inbox.takeDue(10).isEmpty)
        #expect(second.inbox.takeDue(10, at: .now + .seconds(2)) == [due[0]])
        for id in due { try await second.inbox.finish(id) }
        #expect(second.inbox.count == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
        try await second.threads.shutdownGracefully()
    }

    @Test func `no call pushes another out, and each portal has room for a few`() async throws {
        let directory = try TemporaryDirectory()
        let opened = Opened(directory.path + "/installs", Self.many)
        let genuine = Self.call("victim")
        #expect(await opened.put(genuine) == nil)
        var answers: [InstallRefusal?] = []
        for _ in 0..<20 { answers.append(await opened.put(Self.call("victim"))) }
        #expect(answers == [nil, nil, nil] + [InstallRefusal?](repeating: .portalFull, count: 17))
        #expect(await opened.put(Self.call("other")) == nil)
        #expect(try await opened.inbox.call(genuine.id)?.id == genuine.id)
        // Who proved to be the portal still gets in.
        #expect(await opened.put(Self.call("victim", kind: .farewell)) == nil)
        try await opened.threads.shutdownGracefully()
    }

    @Test func `entries and bytes are bounded, and a part of both is for those who proved who they are`() async throws {
        let directory = try TemporaryDirectory()
        var limits = Self.many
        limits.entries = 16
        let opened = Opened(directory.path + "/installs", limits)
        for index in 0..<14 { #expect(await opened.put(Self.call("m\(index)")) == nil) }
        #expect(await opened.put(Self.call("m14")) == .inboxFull)
        #expect(await opened.put(Self.call("m14", kind: .reinstallation)) == nil)
        #expect(await opened.put(Self.call("m15", kind: .farewell)) == nil)
        #expect(await opened.put(Self.call("m16", kind: .farewell)) == .inboxFull)
        #expect(await opened.put(Self.call("m", bytes: UnverifiedCall.maxBodyBytes + 1)) == .tooLarge)
        try await opened.threads.shutdownGracefully()
        limits.entries = 1000
        limits.bytes = 20_000
        let small = Opened(directory.path + "/other", limits)
        #expect(await small.put(Self.call("a", bytes: 5000)) == nil)
        #expect(await small.put(Self.call("b", bytes: 5000)) == .inboxFull)
        #expect(await small.put(Self.call("b", kind: .renewal, bytes: 4000)) == nil)
        try await small.threads.shutdownGracefully()
    }

    @Test func `ten in a second are taken, those that are proven beside them`() async throws {
        let directory = try TemporaryDirectory()
        let opened = Opened(directory.path + "/installs")
        var taken = 0
        let started = ContinuousClock.now
        for index in 0..<30 where await opened.put(Self.call("m\(index)")) == nil { taken += 1 }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        #expect(taken >= 10 && Double(taken) <= 11 + 10 * seconds)
        for index in 0..<30 { #expect(await opened.put(Self.call("m\(index)", kind: .farewell)) == nil) }
        try await opened.threads.shutdownGracefully()
    }

    @Test func `a bucket fills up with time and no further than its burst`() {
        let start = ContinuousClock.now
        var bucket = TokenBucket(perSecond: 10, at: start)
        #expect((0..<20).count { _ in bucket.take(at: start) } == 10)
        #expect((0..<20).count { _ in bucket.take(at: start + .milliseconds(510)) } == 5)
        #expect((0..<20).count { _ in bucket.take(at: start + .seconds(100)) } == 10)
        // A clock that goes back gives nothing.
        let isTaken = bucket.take(at: start)
        #expect(!isTaken)
    }

    @Test func `damaged, foreign and half-written files are set aside or removed, and those of a lost key wait for it`()
        async throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/installs"
        let first = Opened(path, Self.many)
        let calls = (0..<4).map { Self.call("m\($0)") }
        for call in calls { #expect(await first.put(call) == nil) }
        try await first.threads.shutdownGracefully()
        let files = FileManager.default
        var bytes = try Data(contentsOf: URL(filePath: "\(path)/\(calls[0].id)"))
        bytes[bytes.count - 3] ^= 1
        try bytes.write(to: URL(filePath: "\(path)/\(calls[0].id)"))
        // Whole, but in the place of another.
        try files.removeItem(atPath: "\(path)/\(calls[1].id)")
        try files.copyItem(atPath: "\(path)/\(calls[2].id)", toPath: "\(path)/\(calls[1].id)")
        _ = try directory.write("half", to: "installs/\(calls[3].id).new")
        let second = Opened(path)
        try await second.settle()
        #expect(second.inbox.count == 2)
        #expect(second.refusals(.damaged) == 2)
        #expect(Set(try files.contentsOfDirectory(atPath: "\(path)/set-aside")) == Set(calls[..<2].map(\.id)))
        #expect(!files.fileExists(atPath: "\(path)/\(calls[3].id).new"))
        try await second.threads.shutdownGracefully()
        let third = Opened(path, keyring: Keyring(InstallationScene.secrets(9, id: "2")))
        try await third.settle()
        #expect(third.inbox.count == 0)
        #expect(third.logs.lines.count { $0.contains("secrets.previousKeys") } == 1)
        try await third.threads.shutdownGracefully()
        var both = InstallationScene.secrets(9, id: "2")
        both.previous = [try #require(InstallationScene.secrets().current)]
        let fourth = Opened(path, keyring: Keyring(both))
        try await fourth.settle()
        #expect(fourth.inbox.count == 2)
        try await fourth.threads.shutdownGracefully()
    }

    @Test func `a crash after everything was done repeats the event under its id, and takes nothing back`() async throws
    {
        try await StandIn.withRunning { standIn in
            let address = try await standIn.address
            let directory = try TemporaryDirectory()
            let prefix = "i\(UUID().uuidString.prefix(8).lowercased())"
            let portal = standIn.first
            let inbox = directory.path + "/journal/installs"
            standIn.inject(.badGateway, method: "oauth/app.info", times: 1000)
            try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) { bridge in
                #expect(await standIn.install(portal, at: bridge.installURL)?.status == 200)
            }
            try FileManager.default.copyItem(atPath: inbox, toPath: directory.path + "/copy")
            standIn.clearFaults()
            let renewed = SealedText(text: "1.1.cmVuZXdlZA==")
            let id = try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) {
                bridge in
                try await bridge.waitForDelivery(of: 1, to: "app")
                try await wait(for: "the end") { try await bridge.status().installations?.callsToVerify == 0 }
                try await #require(bridge.bridge.registry).change(portal, until: .here) {
                    $0.authorization?.sealed = renewed
                }
                return bridge.delivered(to: "app")[0].id
            }
            try FileManager.default.removeItem(atPath: inbox)
            try FileManager.default.moveItem(atPath: directory.path + "/copy", toPath: inbox)
            try await InstallationScene.with(standIn, address, directory: directory, prefix: prefix) { bridge in
                try await bridge.waitForDelivery(of: 1, to: "app")
                #expect(bridge.delivered(to: "app")[0].id == id)
                #expect(bridge.registered(portal)?.authorization?.sealed == renewed)
                #expect(bridge.state(of: portal) == .installed)
            }
        }
    }
}
