import Locks
import Synchronization

@testable import Bitrix24REST

/// Somebody who follows the channel of `portal`, at a server that is both the portal and its Push & Pull server.
struct PushStage: Sendable {
    /// What was signalled; "*" is for any queue.
    final class Signals: Sendable {
        private let state = Guarded([String]())
        var all: [String] { state.withLock { $0 } }
        var named: [String] { all.filter { $0 != "*" } }
        func add(_ connector: String?) { state.withLock { $0.append(connector ?? "*") } }
    }

    static let configMethod = "pull.application.config.get"
    static let silence: [(name: String, value: String)] = [
        ("Expires", "Thu, 01 Jan 1973 11:11:01 GMT"), ("Last-Message-Id", "m7"),
    ]
    static let held = FakeBitrix24.Reply.held(200, [])

    static func news(_ messages: JSONValue...) -> FakeBitrix24.Reply { .json(200, .array(messages)) }

    let client: RESTClient
    let server: FakeBitrix24
    let signals: Signals
    /// What it ended with.
    let following: Task<RESTError?, Never>

    var polls: [FakeBitrix24.Call] { server.calls("sub") }
    var configurations: [FakeBitrix24.Call] { server.calls(Self.configMethod) }

    /// Follows until `body` ends.
    static func with(
        _ clock: TestClock = TestClock(),
        configuration: @escaping @Sendable (_ address: String, _ earlier: Int) -> FakeBitrix24.Reply = { address, _ in
            .result(pushConfiguration(at: address) { $0["exp"] = 2_000_000_000 })
        },
        polls: @escaping @Sendable (FakeBitrix24.Call, Int) -> FakeBitrix24.Reply,
        change: (inout RESTSettings) -> Void = { _ in },
        _ body: (PushStage) async throws -> Void
    ) async throws {
        let address = Guarded("")
        try await withPortal(clock) { call, earlier in
            switch call.method {
            case configMethod: configuration(address.withLock { $0 }, earlier)
            case "sub": polls(call, earlier)
            default: .result([:])
            }
        } change: { settings in
            address.withLock { $0 = settings.standIn }
            change(&settings)
        } _: { client, server, _ in
            let signals = Signals()
            let following = Task { () -> RESTError? in
                do throws(RESTError) {
                    try await PushChannel(client: client, memberID: portal).follow { signals.add($0) }
                    return nil
                } catch {
                    return error
                }
            }
            let stage = PushStage(client: client, server: server, signals: signals, following: following)
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
