import Foundation
import KafkaClient
import Testing

@testable import Bridge

@Suite struct BrokerStatesTests {
    private static func broker(
        _ name: String,
        _ id: Int,
        _ state: String,
        source: String = "learned",
        rtt: String = #"{"avg":0,"cnt":0}"#
    ) -> String {
        #""\#(name)/\#(id)":{"name":"\#(name)/\#(id)","nodeid":\#(id),"nodename":"\#(name)","source":"\#(source)","#
            + #""state":"\#(state)","stateage":5000000,"outbuf_cnt":1,"waitresp_cnt":2,"rtt":\#(rtt),"#
            + #""toppars":{"t-0":{"topic":"t","partition":0}}}"#
    }

    private static func states(_ brokers: String...) -> BrokerStates? {
        let topics = #"{"t":{"topic":"t","partitions":{"0":{"broker":1}}}}"#
        return BrokerStates(
            statistics:
                #"{ "name": "x", "brokers":{ \#(brokers.joined(separator: ", ")) }, "topics":\#(topics) , "tx":5}"#
        )
    }

    @Test func `each broker is there once, by its number, without roles and without addresses that lead to it`() throws
    {
        let now = ContinuousClock.now
        let states = try #require(
            Self.states(
                Self.broker("b2:9092", 2, "TRY_CONNECT"),
                Self.broker("boot:9092", -1, "INIT", source: "configured"),
                Self.broker("b1:9092", 1, "UP", source: "configured", rtt: #"{"avg":2500,"cnt":4}"#),
                Self.broker("GroupCoordinator", -1, "UP", source: "logical"),
                Self.broker(":0", -1, "INIT", source: "internal"),
                Self.broker("b3:9092", 3, "INIT")
            )
        )
        let parts = states.parts(now: now + .seconds(4))
        #expect(parts.map(\.name) == ["b1:9092", "b2:9092", "b3:9092"] && parts.map(\.id) == [1, 2, 3])
        #expect(parts.map(\.state) == ["UP", "TRY_CONNECT", "INIT"])
        #expect(parts.map(\.roundTripMilliseconds) == [2.5, nil, nil])
        #expect(parts[0].requestsUnderWay == 3 && (8...9).contains(parts[0].seconds))
        #expect(states.counts == (up: 1, down: 1))
    }

    @Test func `as long as no broker is known the addresses of the configuration stand for them`() throws {
        let states = try #require(Self.states(Self.broker("boot:9092", -1, "DOWN", source: "configured")))
        #expect(states.parts().map(\.name) == ["boot:9092"] && states.counts == (up: 0, down: 1))
    }

    @Test func `what is not of this shape says nothing`() {
        #expect(BrokerStates(statistics: "") == nil)
        #expect(BrokerStates(statistics: #"{"brokers":{"a":{}}}"#) == nil)
        #expect(BrokerStates(statistics: #"{"brokers":{}}"#)?.parts().isEmpty == true)
    }

    @Test func `a cluster's brokers are up, and one that is taken away is down`() async throws {
        let cluster = try await blocking { try MockCluster(brokers: 3) }
        do {
            try cluster.createTopic("b.crm.deal", partitions: 12)
            try await RunningBridge.with(
                servers: cluster.bootstrapServers,
                prefix: "b",
                adjust: { $0.kafka.properties["statistics.interval.ms"] = "100" }
            ) { bridge in
                try await bridge.take(deals(1...30))
                try await bridge.waitForDelivery(of: 30, to: "crm.deal")
                try await wait(for: "three brokers that are up") {
                    try await bridge.status().kafka.brokers.map(\.state) == ["UP", "UP", "UP"]
                }
                let brokers = try await bridge.status().kafka.brokers
                #expect(brokers.map(\.id) == [1, 2, 3])
                #expect(
                    Set(brokers.map(\.name)) == Set(cluster.bootstrapServers.split(separator: ",").map(String.init))
                )
                #expect(brokers.contains { $0.roundTripMilliseconds != nil } || brokers.allSatisfy { $0.seconds < 60 })
                _ = try await bridge.get("/metrics")
                #expect(bridge.metric("kafka_brokers", [("state", "up")]) == 3)
                #expect(bridge.metric("kafka_brokers", [("state", "down")]) == 0)
                try cluster.setBroker(2, up: false)
                try await bridge.take(deals(31...60))
                try await wait(for: "a broker that is down") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("kafka_brokers", [("state", "down")]) == 1
                }
                let second = try #require(try await bridge.status().kafka.brokers.first { $0.id == 2 })
                #expect(second.state != "UP")
                try cluster.setBroker(2, up: true)
                try await wait(for: "three brokers that are up again") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("kafka_brokers", [("state", "up")]) == 3
                }
                try await bridge.waitForDelivery(of: 60, to: "crm.deal")
            }
            try await blocking { cluster.close() }
        } catch {
            try await blocking { cluster.close() }
            throw error
        }
    }

    @Test func `the user's interval wins over the bridge's own`() throws {
        let directory = try TemporaryDirectory()
        var settings = try RunningBridge.settings(servers: "b:1", directory: directory, prefix: "b")
        let property = "statistics.interval.ms"
        #expect(settings.shipperProducerConfiguration.properties[property] == "10000")
        // Other producers tell nothing.
        #expect(settings.producerConfiguration.properties[property] == nil)
        settings.kafka.properties[property] = "0"
        #expect(settings.shipperProducerConfiguration.properties[property] == "0")
    }
}
