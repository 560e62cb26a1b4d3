import Ingress
import Locks
import Synchronization
import Testing

@testable import Bridge

@Suite struct SenderListTests {
    private static let world = SenderList.world.rawValue
    private static let russia = SenderList.russia.rawValue

    private static func ranges(_ entries: String...) throws -> AddressRanges { try AddressRanges(entries) }

    private static func contains(_ networks: SenderNetworks, _ address: String) throws -> Bool? {
        networks.allowed?.contains(try #require(IPAddress(address)))
    }

    // MARK: What is allowed

    @Test func `nobody is refused while no network is named`() throws {
        let networks = try SenderNetworks([])
        #expect(networks.allowed == nil && networks.lists.isEmpty && networks.version == 1)
    }

    @Test func `everybody may send until every list that is named was fetched`() throws {
        let networks = try SenderNetworks(["10.0.0.0/8", Self.russia, Self.world, Self.world])
        #expect(networks.lists == [.world, .russia] && networks.allowed == nil)
        #expect(networks.take(try Self.ranges("192.0.2.1"), of: .world, at: .now) == (.first, false))
        #expect(networks.allowed == nil && networks.missing == [.russia])
        #expect(networks.fail("no answer", of: .russia) && networks.allowed == nil)
        #expect(networks.take(try Self.ranges("192.0.2.2"), of: .russia, at: .now) == (.first, true))
        for address in ["192.0.2.1", "192.0.2.2", "10.1.2.3"] {
            #expect(try Self.contains(networks, address) == true)
        }
        #expect(try Self.contains(networks, "192.0.2.3") == false)
    }

    @Test func `an address that is taken off the list may send until the next fetch`() throws {
        let networks = try SenderNetworks([Self.world])
        var version = networks.version
        func take(_ entries: String...) throws -> SenderNetworks.Change {
            networks.take(try AddressRanges(entries), of: .world, at: .now).change
        }
        func isNew() -> Bool {
            defer { version = networks.version }
            return networks.version != version
        }
        #expect(try take("192.0.2.1", "192.0.2.2") == .first && isNew())
        #expect(try take("192.0.2.2", "192.0.2.1") == .none && isNew())
        #expect(try take("192.0.2.1", "192.0.2.2") == .none && !isNew(), "nothing for the event loops to copy")
        #expect(try take("192.0.2.2", "192.0.2.3") == .entries && isNew())
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            #expect(try Self.contains(networks, address) == true)
        }
        _ = networks.fail("no answer", of: .world)
        #expect(try Self.contains(networks, "192.0.2.1") == true, "a failure changes nothing")
        #expect(try take("192.0.2.2", "192.0.2.3") == .none && isNew())
        #expect(try Self.contains(networks, "192.0.2.1") == false)
    }

    // MARK: What is a list

    @Test func `a list is read to the letter, and a bad one is none`() throws {
        let good = try SenderList.networks(
            in: Array(#"{"nodes":["3.217.33.54","52.29.163.104","2001:db8::/48"]}"#.utf8)
        )
        let address = try #require(IPAddress("52.29.163.104"))
        #expect(good.count == 3 && good.contains(address))
        for (text, words) in [
            ("", "form"), ("{}", "form"), (#"{"nodes":{}}"#, "form"), (#"{"nodes":[1]}"#, "form"), ("<html>", "form"),
            (#"["3.217.33.54"]"#, "form"), (#"{"nodes":[]}"#, "empty"), (#"{"nodes":["3.217.33.54","x"]}"#, "\"x\""),
            (#"{"nodes":["3.217.33.54",""]}"#, "\"\""), (#"{"nodes":["3.217.33.54"]"#, "form"),
        ] {
            let fault = #expect(throws: SenderListFault.self, "\(text)") {
                try SenderList.networks(in: Array(text.utf8))
            }
            #expect(fault?.description.contains(words) == true, "\(fault.debugDescription)")
        }
    }

    // MARK: The fetching

    /// Lets the watch go on one interval at a time, and keeps how long it meant to wait.
    private final class Pacer: Sendable {
        let asked = Guarded<[Duration]>([])
        private let steps = AsyncStream<Void>.makeStream()

        @Sendable func sleep(_ duration: Duration) async throws {
            asked.withLock { $0.append(duration) }
            for await _ in steps.stream { return }
            throw CancellationError()
        }

        func step() { steps.continuation.yield() }
    }

    @Test func `a failed fetch is tried again after a minute, a good one after ten, and each state is told once`()
        async throws
    {
        try await LoopbackServer.with({ _ in .json(#"{"nodes":[]}"#) }) { server in
            let networks = try SenderNetworks([Self.world])
            let logs = LogLines()
            let pacer = Pacer()
            let watch = SenderListWatch(
                networks: networks,
                address: { _ in server.url("/list.json") },
                failures: [:],
                logger: logs.logger,
                sleep: pacer.sleep
            )
            func rounds() -> Int { pacer.asked.withLock { $0.count } }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await watch.run() }
                func next(_ answer: Response?) async throws {
                    server.answer { _ in answer }
                    let before = rounds()
                    pacer.step()
                    try await wait(for: "a fetch") { rounds() > before }
                }
                try await wait(for: "the first fetch") { rounds() == 1 }
                #expect(networks.allowed == nil && logs.lines.count == 1)
                #expect(
                    logs.contains(
                        "warning",
                        "cannot be fetched",
                        "it is empty",
                        "everybody may send until it is fetched"
                    )
                )
                try await next(.json(#"{"nodes":[]}"#))
                #expect(logs.lines.count == 1, "told once")
                try await next(Response(status: 503, text: "later"))
                #expect(logs.lines.count == 2 && logs.contains("it answers HTTP 503"))
                try await next(.json(#"{"nodes":["192.0.2.1"]}"#))
                #expect(
                    logs.lines.count == 3 && logs.contains("notice", "was fetched", "entries=1", "may send from now on")
                )
                let redirect = Response(status: 302, headers: [("Location", server.url("/elsewhere"))])
                try await next(redirect)
                #expect(logs.contains("warning", "redirect", "the last good list stays in force"))
                #expect(try Self.contains(networks, "192.0.2.1") == true)
                try await next(.json(#"{"nodes":["192.0.2.1"]}"#))
                #expect(logs.contains("notice", "can be fetched again"))
                try await next(.json(#"{"nodes":["192.0.2.7"]}"#))
                #expect(logs.contains("info", "has changed"))
                try await next(
                    .json("{\"nodes\":[\"192.0.2.8\"], \"x\": \"" + String(repeating: "x", count: 1 << 20) + "\"}")
                )
                #expect(logs.contains("warning", "more than 1048576 bytes"))
                group.cancelAll()
            }
            let asked = pacer.asked.withLock { $0 }
            let isLong = asked.map { $0 >= .seconds(540) && $0 <= .seconds(600) }
            #expect(isLong == [false, false, false, true, false, true, true, false])
            #expect(asked.allSatisfy { $0 >= .seconds(60) })
            #expect(server.calls.allSatisfy { $0.path == "/list.json" && $0.method == "GET" })
        }
    }

    @Test func `a bridge takes everybody's events until the list is there, and then those of its networks`()
        async throws
    {
        let isThere = Atomic<Bool>(false)
        try await LoopbackServer.with({ _ in
            isThere.load(ordering: .relaxed) ? .json(#"{"nodes":["192.0.2.7"]}"#) : nil
        }) { server in
            let adjust: (inout BridgeSettings) -> Void = {
                $0.http.allowedNetworks = [Self.world]
                $0.http.trustedProxies = ["127.0.0.0/8"]
            }
            let list: (inout BridgeServices.Surroundings) -> Void = {
                $0.senderListAddress = { _ in server.url("/list.json") }
            }
            try await RunningBridge.with(adjust: adjust, surround: list) { bridge in
                #expect(try await bridge.post(event(id: "1")).status == 200)
                let senders = try await bridge.status().senders
                #expect(senders.allowedNetworks == nil && senders.lists.map(\.name) == [Self.world])
                _ = try await bridge.get("/metrics")
                #expect(bridge.metric("sender_lists_missing") == 1)
                #expect(try await bridge.get("/").body.contains("everybody; bitrix24-world: 0 networks, never fetched"))
            }
            isThere.store(true, ordering: .relaxed)
            try await RunningBridge.with(adjust: adjust, surround: list) { bridge in
                try await wait(for: "the list") { try await bridge.status().senders.allowedNetworks == 1 }
                #expect(try await bridge.post(event(id: "2")).status == 403)
                #expect(try await bridge.post(event(id: "3"), headers: ["X-Forwarded-For": "192.0.2.7"]).status == 200)
                #expect(bridge.metric("requests_refused_total", [("reason", "address")]) == 1)
                _ = try await bridge.get("/metrics")
                #expect(bridge.metric("sender_lists_missing") == 0)
                #expect(bridge.metric("sender_list_entries", [("list", Self.world)]) == 1)
                try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                try await bridge.expectSums()
            }
        }
    }
}
