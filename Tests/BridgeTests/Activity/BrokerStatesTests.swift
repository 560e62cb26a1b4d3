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
        connects: Int = 0,
        rtt: String = #"{"avg":0,"cnt":0}"#
    ) -> String {
        #""\#(name)/\#(id)":{"name":"\#(name)/\#(id)","nodeid":\#(id),"nodename":"\#(name)","source":"\#(source)","#
            + #""state":"\#(state)","stateage":5000000,"outbuf_cnt":1,"waitresp_cnt":2,"#
            + #""connects":\#(connects),"disconnects":0,"rtt":\#(rtt),"#
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
        let parts = states.parts(allDown: false, now: now + .seconds(4))
        #expect(parts.map(\.name) == ["b1:9092", "b2:9092", "b3:9092"] && parts.map(\.id) == [1, 2, 3])
        #expect(parts.map(\.state) == ["UP", "TRY_CONNECT", "INIT"])
        #expect(parts.map(\.roundTripMilliseconds) == [2.5, nil, nil])
        #expect(parts[0].requestsUnderWay == 3 && (8...9).contains(parts[0].seconds))
        #expect(parts.map(\.standing) == [.up, .down, .idle])
        // Also one that nothing was asked of yet is down when all are.
        #expect(states.parts(allDown: true).map(\.standing) == [.up, .down, .down])
    }

    @Test(arguments: ["INIT", "DOWN", "TRY_CONNECT", "CONNECT", "AUTH_REQ", "SSL_HANDSHAKE"])
    func `a broker that is tried in vain is down, also while it rests`(state: String) throws {
        let first = ContinuousClock.now
        func told(_ state: String, _ connects: Int, after last: BrokerStates?, _ seconds: Int) throws -> BrokerStates {
            let told = #"{"brokers":{\#(Self.broker("b1:9092", 1, state, connects: connects))}}"#
            return try #require(BrokerStates(statistics: told, after: last, now: first + .seconds(seconds)))
        }
        func standing(_ states: BrokerStates) -> StatusReport.BrokerPart.Standing? {
            states.parts(allDown: false).first?.standing
        }
        let unasked = try told("INIT", 0, after: nil, 0)
        #expect(standing(unasked) == .idle)
        let failing = try told(state, 2, after: unasked, 10)
        #expect(standing(failing) == .down)
        let resting = try told("INIT", 2, after: failing, 20)
        #expect(standing(resting) == .down)
        let triedAgain = try told("INIT", 3, after: resting, 30)
        #expect(try standing(told("INIT", 3, after: triedAgain, 60)) == .down)
        // Nothing is wanted of it any more.
        #expect(try standing(told("INIT", 3, after: triedAgain, 61)) == .idle)
        // It is there, and the connection ends for want of anything to say.
        let back = try told("UP", 4, after: triedAgain, 31)
        #expect(standing(back) == .up)
        #expect(try standing(told("UPDATE", 4, after: back, 32)) == .up)
        #expect(try standing(told("INIT", 4, after: back, 41)) == .idle)
        // A producer made anew.
        #expect(try standing(told("INIT", 1, after: back, 41)) == .down)
    }

    @Test func `as long as no broker is known the addresses of the configuration stand for them`() throws {
        let states = try #require(Self.states(Self.broker("boot:9092", -1, "DOWN", source: "configured")))
        #expect(states.parts(allDown: false).map(\.name) == ["boot:9092"])
        #expect(states.parts(allDown: false).map(\.standing) == [.down])
    }

    @Test func `what is not of this shape says nothing`() {
        #expect(BrokerStates(statistics: "") == nil)
        #expect(BrokerStates(statistics: #"{"brokers":{"a":{}}}"#) == nil)
        #expect(BrokerStates(statistics: #"{"brokers":{}}"#)?.parts(allDown: true).isEmpty == true)
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
                #expect(brokers.map(\.id) == [1, 2, 3] && brokers.allSatisfy { $0.standing == .up })
                #expect(
                    Set(brokers.map(\.name)) == Set(cluster.bootstrapServers.split(separator: ",").map(String.init))
                )
                _ = try await bridge.get("/metrics")
                #expect(bridge.metric("kafka_brokers", [("state", "up")]) == 3)
                #expect(bridge.metric("kafka_brokers", [("state", "down")]) == 0)
                try cluster.setBroker(2, up: false)
                // What is to be sent there is told a figure of by the others.
                var next = 31
                try await wait(for: "a broker that is down, and a round trip") {
                    try await bridge.take(deals(next...(next + 9)))
                    next += 10
                    _ = try await bridge.get("/metrics")
                    let hasRoundTrip = try await bridge.status().kafka.brokers.contains {
                        $0.roundTripMilliseconds ?? 0 > 0
                    }
                    return bridge.metric("kafka_brokers", [("state", "down")]) == 1 && hasRoundTrip
                }
                // It stays so however often it rests between two attempts.
                for _ in 0..<20 {
                    let second = try #require(try await bridge.status().kafka.brokers.first { $0.id == 2 })
                    #expect(second.standing == .down && second.state != "UP")
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(try await bridge.get("/").body.contains("<b>Brokers down</b> · 1 of 3: "))
                #expect(bridge.metric("kafka_unreachable") == 0)
                try cluster.setBroker(2, up: true)
                try await wait(for: "three brokers that are up again") {
                    _ = try await bridge.get("/metrics")
                    return bridge.metric("kafka_brokers", [("state", "up")]) == 3
                }
                try await bridge.waitForDelivery(of: next - 1, to: "crm.deal")
            }
            try await blocking { cluster.close() }
        } catch {
            try await blocking { cluster.close() }
            throw error
        }
    }

    @Test func `where nobody answers each broker is down at every moment`() async throws {
        let nobody = try ReservedPort()
        try await RunningBridge.with(
            servers: "127.0.0.1:\(nobody.number)",
            adjust: { $0.kafka.properties["statistics.interval.ms"] = "100" }
        ) { bridge in
            #expect(bridge.metric("kafka_unreachable") == 0)
            try await bridge.take([event()])
            try await wait(for: "words of librdkafka") {
                let kafka = try await bridge.status().kafka
                return kafka.unreachable != nil && !kafka.brokers.isEmpty
            }
            for _ in 0..<20 {
                #expect(try await bridge.status().kafka.brokers.map(\.standing) == [.down])
                _ = try await bridge.get("/metrics")
                #expect(bridge.metric("kafka_brokers", [("state", "down")]) == 1)
                #expect(bridge.metric("kafka_unreachable") == 1)
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    @Test func `of brokers that librdkafka tells nothing of there is no figure`() async throws {
        try await Kafka.withCluster { cluster in
            try await RunningBridge.with(
                servers: cluster.bootstrapServers,
                adjust: { $0.kafka.properties["statistics.interval.ms"] = "0" }
            ) { bridge in
                try await bridge.take([event()])
                let metrics = try await bridge.get("/metrics").body
                #expect(
                    metrics.contains("b24bridge_kafka_unreachable 0") && !metrics.contains("b24bridge_kafka_brokers")
                )
                #expect(try await bridge.status().kafka.brokers.isEmpty)
            }
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
