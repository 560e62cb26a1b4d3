import Bitrix24
import Bitrix24REST
import Locks
import Synchronization
import Telemetry
import Testing

@testable import Bridge

@Suite(.timeLimit(.minutes(1))) struct PushWatchTests {
    /// Stands for the push server: what each portal's channel does is the test's affair.
    private final class Channels: Sendable {
        enum Word: Sendable {
            case something
            case failure(String, status: Int = 403)
        }

        private struct State {
            var open: [String: AsyncStream<Word>.Continuation] = [:]
            var begun: [(memberID: String, at: ContinuousClock.Instant)] = []
        }

        private let state = Guarded(State())

        var open: Set<String> { state.withLock { Set($0.open.keys) } }
        var begun: [(memberID: String, at: ContinuousClock.Instant)] { state.withLock { $0.begun } }

        func begun(_ memberID: String) -> Int { begun.count { $0.memberID == memberID } }

        func say(_ word: Word, at memberID: String) { state.withLock { $0.open[memberID] }?.yield(word) }

        func follow(_ memberID: String, _ signal: @Sendable () -> Void) async throws(RESTError) {
            let (words, speaker) = AsyncStream.makeStream(of: Word.self)
            state.withLock { state in
                state.open[memberID] = speaker
                state.begun.append((memberID, .now))
            }
            defer { state.withLock { _ = $0.open.removeValue(forKey: memberID) } }
            for await word in words {
                switch word {
                case .something: signal()
                case .failure(let code, let status):
                    throw RESTError(
                        portal: memberID,
                        method: "pull.application.config.get",
                        code: .init(code),
                        status: status,
                        message: "of a test"
                    )
                }
            }
        }
    }

    private struct Scene {
        let registry = PortalRegistry()
        let channels = Channels()
        let signals = OfflineSignals()
        let metrics = MetricsRegistry()
        let logs = LogLines()

        func install(_ memberID: String, sealed: String = "1.k.AAAA") async throws {
            try await registry.change(memberID) {
                $0.installation = .sample()
                $0.authorization = .init(sealed: SealedText(text: sealed), accessExpiresAt: 0, refreshedAt: 0)
                $0.bindings = .init(installedAt: 1, fingerprint: "f", reconciledAt: 1, bound: 1, drift: 0)
            }
        }

        func waitForOpen(_ open: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws {
            try await wait(for: "channels of \(open), not \(channels.open)", sourceLocation: sourceLocation) {
                channels.open == Set(open)
            }
        }

        var lines: [String] { logs.lines.filter { $0.contains("warning") } }
    }

    private static func watching(
        adjust: (inout PushWatch.Pace) -> Void = { _ in },
        before: (Scene) async throws -> Void = { _ in },
        _ body: (Scene) async throws -> Void
    ) async throws {
        let scene = Scene()
        var pace = PushWatch.Pace()
        pace.betweenStarts = .milliseconds(1)
        pace.scanEvery = .milliseconds(100)
        adjust(&pace)
        let watch = PushWatch(
            settings: try SubscriptionSettingsTests.settings(
                """
                subscriptions:
                  offline: [ONCRMDEALADD]
                  portals: [{memberId: online-only, offline: [], online: [ONCRMDEALADD]}]
                offline: {wakeBy: [push, timer]}
                """
            ),
            registry: scene.registry,
            signals: scene.signals,
            metrics: OfflineMetrics(factory: scene.metrics),
            pace: pace,
            logger: scene.logs.logger,
            follow: { memberID, signal throws(RESTError) in try await scene.channels.follow(memberID, signal) }
        )
        try await before(scene)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await watch.run() }
            defer { group.cancelAll() }
            try await body(scene)
        }
        #expect(scene.channels.open.isEmpty && scene.metrics.value("b24bridge_offline_push_channels", []) == 0)
    }

    @Test func `channels are followed as portals with a queue come and go`() async throws {
        try await Self.watching(before: { scene in
            for memberID in ["p1", "online-only"] { try await scene.install(memberID) }
        }) { scene in
            var heard = scene.signals.listen().makeAsyncIterator()
            try await scene.waitForOpen("p1")
            try await scene.install("p2")
            try await scene.waitForOpen("p1", "p2")
            #expect(scene.metrics.value("b24bridge_offline_push_channels", []) == 2)
            scene.channels.say(.something, at: "p2")
            #expect(await heard.next() == .portal("p2"))
            scene.channels.say(.something, at: "p1")
            #expect(await heard.next() == .portal("p1"))

            try await scene.registry.change("p1") { $0.installation?.state = .gone }
            try await scene.waitForOpen("p2")
            // Nothing is bound of this installation yet.
            try await scene.registry.change("p2") { $0.bindings?.installedAt = 0 }
            try await scene.waitForOpen()
            try await scene.install("p2")
            try await scene.waitForOpen("p2")
            try await scene.registry.change("p2") { $0.authorization?.needed = "expired" }
            try await scene.waitForOpen()
            try await scene.install("p2", sealed: "1.k.BBBB")
            try await scene.waitForOpen("p2")
            try await scene.registry.change("p2") { $0.offline = .init(deniedSince: 0, code: "c", words: "w") }
            try await scene.waitForOpen()
            try await scene.registry.change("p2") { $0.offline = nil }
            try await scene.waitForOpen("p2")
            try await scene.registry.remove("p2")
            try await scene.waitForOpen()
            #expect(scene.channels.begun("online-only") == 0 && scene.lines.isEmpty)
        }
    }

    @Test func `a change of what is no matter of the channel leaves it open`() async throws {
        try await Self.watching(before: { try await $0.install("p1") }) { scene in
            try await scene.waitForOpen("p1")
            try await scene.install("p1", sealed: "1.k.BBBB")
            try await scene.install("p2")
            try await scene.waitForOpen("p1", "p2")
            #expect(scene.channels.begun("p1") == 1)
        }
    }

    @Test func `a channel that does not work is told once and tried again later`() async throws {
        try await Self.watching(adjust: { $0.retryAfter = .milliseconds(200) }, before: { try await $0.install("p1") })
        {
            scene in
            for round in 1...3 {
                try await wait(for: "try \(round)") {
                    scene.channels.begun("p1") == round && !scene.channels.open.isEmpty
                }
                scene.channels.say(.failure(round == 1 ? "server_error" : "insufficient_scope"), at: "p1")
            }
            try await wait(for: "one more") { scene.channels.begun("p1") == 4 }
            let pauses = zip(scene.channels.begun, scene.channels.begun.dropFirst()).map { $1.at - $0.at }
            #expect(pauses.allSatisfy { $0 >= .milliseconds(150) }, "\(pauses)")
            #expect(scene.lines.count == 1 && scene.lines[0].contains("the timer goes on"))
            #expect(scene.lines[0].contains("portal=p1") && scene.lines[0].contains("server_error"))
        }
    }

    @Test func `a portal that needs authorisation is left alone until it has another`() async throws {
        try await Self.watching(adjust: { $0.retryAfter = .milliseconds(1) }, before: { try await $0.install("p1") }) {
            scene in
            try await scene.waitForOpen("p1")
            scene.channels.say(.failure("no_tokens"), at: "p1")
            try await scene.waitForOpen()
            // Another one is opened and looked at several times meanwhile.
            try await scene.install("p2")
            try await scene.waitForOpen("p2")
            try await scene.registry.change("p1") { $0.order = .init(id: "o", kind: .plan, at: 1) }
            try await scene.install("p3")
            try await scene.waitForOpen("p2", "p3")
            #expect(scene.channels.begun("p1") == 1)
            try await scene.install("p1", sealed: "1.k.BBBB")
            try await scene.waitForOpen("p1", "p2", "p3")
        }
    }

    @Test func `channels of many portals are opened one after the other, and no more than are bearable`() async throws {
        let between = Duration.milliseconds(20)
        let began = ContinuousClock.now
        try await Self.watching(
            adjust: {
                $0.betweenStarts = between
                $0.most = 10
            },
            before: { scene in for number in 0..<15 { try await scene.install("p\(number)") } }
        ) { scene in
            try await wait(for: "ten channels") { scene.channels.open.count == 10 }
            let starts = scene.channels.begun.map(\.at).sorted()
            for (place, start) in starts.enumerated() { #expect(start - began >= between * place) }
            let closed = try #require(scene.channels.open.first)
            try await scene.registry.change(closed) { $0.installation?.state = .gone }
            try await wait(for: "another in its place") {
                scene.channels.open.count == 10 && !scene.channels.open.contains(closed)
            }
            #expect(scene.lines.count == 1 && scene.lines[0].contains("channels=10"))
        }
    }
}
