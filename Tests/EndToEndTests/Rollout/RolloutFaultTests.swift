import Foundation
import Testing

/// Updates and crashes of a replica behind a real HAProxy and a real NGINX: Bitrix24 posts once, so each POST must be answered
/// with 200 the first time.
@Suite(.serialized) struct RolloutFaultTests {
    private static let proxies = EdgeProxy.Kind.allCases
    private static let remedy: Comment = "make setup-tests installs HAProxy and NGINX"

    /// The orderly way alone must be enough: nothing is sent a second time here.
    @Test(.enabled(if: proxies.allSatisfy(\.isInstalled), remedy), arguments: proxies)
    func `a rolling update refuses nothing, although the proxy sends nothing twice`(_ kind: EdgeProxy.Kind) async throws
    {
        let rounds = Campaign.pick(short: 1, full: 5)
        try await RolloutScene.with(.init(kind: kind, retries: false), shutdownDelay: 1000) { scene in
            let before = scene.homes()
            #expect(before.values.allSatisfy { $0.count == 1 }, "each portal has one replica: \(before)")
            for _ in 0..<rounds {
                for index in scene.replicas.indices {
                    try await scene.replicas[index].stop()
                    try await scene.moreAnswers()
                    try await scene.replicas[index].startAndListen()
                    try await scene.waitUntilUsed(index)
                }
            }
            try await scene.waitUntilAllAreHome(before)
            let outcome = try await scene.finish()
            #expect(outcome.lost == 0, "\(outcome.refused.prefix(5)) \(outcome.unanswered.prefix(5))")
            #expect(scene.receivedTwice == 0)
            #expect(scene.faults(kills: 0) == [])
            Campaign.report(
                "rolling update behind \(kind), no retry",
                "\(rounds * 2) restarts; \(outcome.figures), \(scene.receivedTwice) received twice"
            )
        }
    }

    @Test(.enabled(if: proxies.allSatisfy(\.isInstalled), remedy), arguments: proxies)
    func `a replica that is killed loses nothing, as the proxy sends to the other one`(_ kind: EdgeProxy.Kind)
        async throws
    {
        let rounds = Campaign.pick(short: 2, full: 10)
        try await RolloutScene.with(.init(kind: kind, retries: true), shutdownDelay: 1000) { scene in
            let before = scene.homes()
            #expect(before.values.allSatisfy { $0.count == 1 }, "each portal has one replica: \(before)")
            #expect(Set(before.values.flatMap(\.self)).count == 2, "and both have some: \(before)")
            for round in 0..<rounds {
                let index = round % 2
                let survivor = scene.replicas[1 - index].name
                try await scene.replicas[index].kill()
                let earlier = scene.load.outcome.sent
                try await scene.moreAnswers()
                for (portal, homes) in scene.homes(after: earlier) where before[portal] == [survivor] {
                    #expect(homes == [survivor], "\(portal) had no reason to move")
                }
                try await scene.replicas[index].startAndListen()
                try await scene.waitUntilUsed(index)
            }
            try await scene.waitUntilAllAreHome(before)
            let outcome = try await scene.finish()
            #expect(outcome.lost == 0, "\(outcome.refused.prefix(5)) \(outcome.unanswered.prefix(5))")
            #expect(scene.faults(kills: rounds) == [])
            Campaign.report(
                "kill -9 behind \(kind)",
                "\(rounds) kills; \(outcome.figures), \(scene.receivedTwice) received twice, under two ids"
            )
        }
    }

    // MARK: What the others are worth

    /// So that the tests above are known to look at something.
    @Test(.enabled(if: proxies.allSatisfy(\.isInstalled), remedy))
    func `without a delay, a proxy that notices late refuses calls`() async throws {
        let settings = EdgeProxy.Settings(kind: .haproxy, retries: false, checkEvery: .seconds(1))
        try await RolloutScene.with(settings, shutdownDelay: 0) { scene in
            try await scene.replicas[0].stop()
            try await scene.waitUntilSomethingIsLost()
        }
    }

    @Test(.enabled(if: proxies.allSatisfy(\.isInstalled), remedy), arguments: proxies)
    func `without a second try, a killed replica loses calls`(_ kind: EdgeProxy.Kind) async throws {
        try await RolloutScene.with(.init(kind: kind, retries: false), shutdownDelay: 1000) { scene in
            try await scene.replicas[0].kill()
            try await scene.waitUntilSomethingIsLost()
        }
    }
}

extension RolloutScene {
    fileprivate func waitUntilSomethingIsLost() async throws {
        try await eventually("something is lost") { !load.outcome.refused.isEmpty || !load.outcome.unanswered.isEmpty }
        load.stop()
        try await eventually("the clients end") { load.isFinished }
        #expect(load.outcome.lost > 0)
    }
}

extension Load.Outcome {
    fileprivate var figures: String {
        "\(sent.count) sent, \(acknowledged.count) answered 200, \(lost) lost,"
            + " p99 \(answerMilliseconds(0.99).formatted(.number.precision(.fractionLength(1)))) ms"
    }
}
