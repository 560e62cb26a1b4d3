internal import Foundation

/// The brokers as librdkafka's statistics tell of them
/// (https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md).
package struct BrokerStates: Sendable {
    private let brokers: [Broker]
    private let toldAt: ContinuousClock.Instant

    /// Milliseconds. With 300 topics of 12 partitions librdkafka's main thread takes 8 ms to write the 2.8 MB, the shipper's 3 ms
    /// to read what it needs of them.
    static let interval = 10_000
    /// The property that says otherwise. 0: librdkafka tells nothing.
    static let property = "statistics.interval.ms"

    private static let mostBrokers = 1000
    private static let longestName = 260

    private struct Statistics: Decodable {
        let brokers: [String: Broker]
    }

    private struct Broker: Decodable {
        struct Window: Decodable {
            /// Microseconds.
            let avg: Double
            let cnt: Int
        }

        let nodeid: Int
        let nodename: String
        /// `logical`: a role that a broker has beside, as coordinator of a group; it has no address of its own.
        let source: String
        let state: String
        /// Microseconds.
        let stateage: Int64
        let outbuf_cnt: Int
        let waitresp_cnt: Int
        let rtt: Window
    }

    /// - Returns: `nil` if it cannot be read, as another librdkafka may write it otherwise.
    init?(statistics: String, now: ContinuousClock.Instant = .now) {
        // What comes behind is of topics, and nearly all of it. The statistics are JSON on one line.
        var data = Data(statistics.utf8)
        if let topics = data.range(of: Data("\"topics\":{".utf8)) {
            data.removeSubrange(topics.lowerBound...)
            while let last = data.last, last == UInt8(ascii: " ") || last == UInt8(ascii: ",") { data.removeLast() }
            data.append(UInt8(ascii: "}"))
        }
        guard let all = try? JSONDecoder().decode(Statistics.self, from: data).brokers.values else { return nil }
        let addressed = all.filter { $0.source != "logical" && $0.source != "internal" }
        // Until the cluster has told who its brokers are, there are only the addresses of the configuration. Later these are left
        // out: each leads to a broker that is there by its number.
        let numbered = addressed.filter { $0.nodeid >= 0 }
        brokers = (numbered.isEmpty ? addressed : numbered)
            .sorted { ($0.nodeid, $0.nodename) < ($1.nodeid, $1.nodename) }
            .prefix(Self.mostBrokers)
            .map { $0 }
        toldAt = now
    }

    func parts(now: ContinuousClock.Instant = .now) -> [StatusReport.BrokerPart] {
        let age = max(0, (now - toldAt).components.seconds)
        return brokers.map { broker in
            StatusReport.BrokerPart(
                name: String(broker.nodename.prefix(Self.longestName)),
                id: broker.nodeid,
                state: String(broker.state.prefix(32)),
                seconds: Int(max(0, broker.stateage) / 1_000_000 + age),
                roundTripMilliseconds: broker.rtt.cnt > 0 ? broker.rtt.avg / 1000 : nil,
                requestsUnderWay: broker.outbuf_cnt + broker.waitresp_cnt
            )
        }
    }

    /// How many are connected, and how many are not although they should be. `INIT` is neither: nothing has asked for a
    /// connection.
    var counts: (up: Int, down: Int) {
        let up = brokers.count { $0.state == "UP" || $0.state == "UPDATE" }
        return (up, brokers.count { $0.state != "INIT" } - up)
    }
}
