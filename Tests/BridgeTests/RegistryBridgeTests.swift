import Bitrix24
import Foundation
import KafkaClient
import Testing

@testable import Bridge

@Suite struct RegistryBridgeTests {
    @Test func `a portal that another replica registered has its events taken, and is in the status`() async throws {
        try await Kafka.withCluster { cluster in
            let topic = try RunningRegistry.newTopic(on: cluster)
            let other = try RunningRegistry("other", servers: cluster.bootstrapServers, topic: topic)
            try await RunningBridge.with(
                servers: cluster.bootstrapServers,
                portals: .empty,
                adjust: {
                    $0.keepsRegistry = true
                    $0.kafka.registryTopic = topic
                },
                { bridge in
                    try await wait(for: "readiness") { try await bridge.get("/readyz").status == 200 }
                    let body = event()
                    #expect(try await bridge.post(body).status == 403)
                    try await other.registry.change(memberID) { portal in
                        portal.installation = .sample()
                        let digest = TokenDigest(token: token.utf8).hexadecimal
                        portal.applicationTokens = .init(digests: [String(decoding: digest, as: UTF8.self)], nonce: nil)
                    }
                    try await wait(for: "the portal") { bridge.bridge.portals.directory.count == 1 }
                    try await bridge.take([body])
                    try await bridge.waitForDelivery(of: 1, to: "crm.deal")
                    try await other.registry.change(memberID) { $0.installation?.state = .gone }
                    try await wait(for: "its end") { try await bridge.post(body).status == 403 }
                    try await wait(for: "its dead letter") {
                        bridge.metric("dead_letters_total", [("reason", "gone-portal")]) > 0
                    }

                    let status = try #require(try await bridge.status().registry)
                    #expect(
                        status.read && status.states == ["gone": 1] && status.unconfirmed == 0 && status.topic == topic
                    )
                    #expect(try await bridge.get("/metrics").body.contains("b24bridge_registered_portals"))
                    #expect(bridge.metric("registered_portals", [("state", "gone")]) == 1)
                    #expect(bridge.metric("registry_read") == 1)
                    let page = try await bridge.get("/").body
                    #expect(page.contains(">1 gone</span>") && page.contains(", read, "))
                }
            )
            try await other.stop()
        }
    }

    @Test func `without a registry nothing of it is shown`() async throws {
        try await RunningBridge.with { bridge in
            let status = try await bridge.status()
            #expect(status.registry == nil && bridge.bridge.registry == nil)
            let metrics = try await bridge.get("/metrics").body
            #expect(metrics.contains("b24bridge_ready 1") && !metrics.contains("regist"))
        }
    }
}
