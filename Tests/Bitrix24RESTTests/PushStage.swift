import Locks
import Synchronization

@testable import Bitrix24REST

/// Somebody who follows the channel of `portal`, at a server that is both the portal and its Push & Pull server.
struct PushStage: Sendable {
    private final class Signals: Sendable {
        private let state = Guarded(0)
        var count: Int { state.withLock { $0 } }
        func add() { state.withLock { $0 += 1 } }
    }

    static let configMethod = "pull.application.config.get"
    static let silence: [(name: String, value: String)] = [
        ("Expires", "Thu, 01 Jan 1973 11:11:01 GMT"), ("Last-Message-Id", "m7"),
    ]
    static let held = FakeBitrix24.Reply.held(200, [])

    static func news(_ messages: JSONValue...) -> FakeBitrix24.Reply { .json(200, .array(messages)) }

    let client: RESTClient
    let server: FakeBitrix24
    private let signalled: Signals
    /// What it ended with.
    let following: Task<RESTError?, Never>

    /// How often was signalled, the first poll included: what came before it may have been missed.
    var signals: Int { signalled.count }
    var polls: [FakeBitrix24.Call] { server.calls("sub") }
    var configurations: [FakeBitrix24.Call] { server.calls(Self.configMethod) }

    /// Follows until `body` ends.
    static func with(
        _ clock: TestClock = TestClock(),
        configuration: @escaping @Sendable (_ address: String, _ earlier: Int) -> FakeBitrix24.Reply = { address, _ in
            .result(pushConfiguration(at: address) { $0["exp"] = 2_000_000_000 })
        },
        polls: @escaping @Sendable (FakeBitrix24.Call, Int) -> FakeBitrix24.Reply,
        others: FakeBitrix24.Reply = .result([:]),
        change: (inout RESTSettings) -> Void = { _ in },
        _ body: (PushStage) async throws -> Void
    ) async throws {
        let address = Guarded("")
        try await withPortal(clock) { call, earlier in
            switch call.method {
            case configMethod: configuration(address.withLock { $0 }, earlier)
            case "sub": polls(call, earlier)
            default: others
            }
        } change: { settings in
            address.withLock { $0 = settings.standIn }
            change(&settings)
        } _: { client, server, _ in
            let signalled = Signals()
            let following = Task { () -> RESTError? in
                do throws(RESTError) {
                    try await PushChannel(client: client, memberID: portal).follow { signalled.add() }
                    return nil
                } catch {
                    return error
                }
            }
            let stage = PushStage(client: client, server: server, signalled: signalled, following: following)
            do {
                try await body(stage)
            } catch {
                following.cancel()
                server.release()
                throw error
            }
            following.cancel()
            _ = await following.value
            server.release()
        }
    }
}
