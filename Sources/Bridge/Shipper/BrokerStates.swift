internal import Foundation

/// The brokers as librdkafka's statistics tell of them
/// (https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md).
package struct BrokerStates: Sendable {
    private var brokers: [Broker]
    private let toldAt: ContinuousClock.Instant

    /// Milliseconds. With 300 topics of 12 partitions librdkafka's main thread takes 8 ms to write the 2.8 MB, the shipper's 3 ms
    /// to read what it needs of them.
    static let interval = 10_000
    /// The property that says otherwise. 0: librdkafka tells nothing.
    static let property = "statistics.interval.ms"

    /// For so long a broker that was tried in vain passes for one that is still wanted: it rests for up to
    /// `reconnect.backoff.max.ms` before it is tried again, 10 s by default, and is told of every 10 s.
    private static let patience: Duration = .seconds(30)

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
        /// Attempts to connect, also those that failed.
        let connects: Int?
        /// When the last attempt was told of that came to nothing. `nil`: there was none since it was up.
        var triedInVainAt: ContinuousClock.Instant?

        private enum CodingKeys: CodingKey {
            case nodeid, nodename, source, state, stateage, outbuf_cnt, waitresp_cnt, rtt, connects
        }

        var isUp: Bool { state == "UP" || state == "UPDATE" }

        /// librdkafka connects to a broker when something is to be asked of it, and not before
        /// (`enable.sparse.connections`). So one that fails rests in `INIT` between two attempts, as does one of which nothing
        /// is wanted; the attempts tell them apart.
        func standing(allDown: Bool, at now: ContinuousClock.Instant) -> StatusReport.BrokerPart.Standing {
            if isUp { return .up }
            let wasTried = triedInVainAt.map { now - $0 <= BrokerStates.patience } ?? false
            return allDown || wasTried || state != "INIT" ? .down : .idle
        }
    }

    /// - Parameter last: What was told before.
    /// - Returns: `nil` if it cannot be read, as another librdkafka may write it otherwise.
    init?(statistics: String, after last: BrokerStates? = nil, now: ContinuousClock.Instant = .now) {
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
        let before = Dictionary((last?.brokers ?? []).map { ($0.nodename, $0) }) { first, _ in first }
        for index in brokers.indices {
            let (broker, before) = (brokers[index], before[brokers[index].nodename])
            guard !broker.isUp else { continue }
            // A producer made anew counts from 0.
            let wasTried = (broker.connects ?? 0) > 0 && broker.connects != before?.connects
            brokers[index].triedInVainAt = wasTried ? now : before?.triedInVainAt
        }
    }

    /// - Parameter allDown: librdkafka says that no broker can be reached.
    func parts(allDown: Bool, now: ContinuousClock.Instant = .now) -> [StatusReport.BrokerPart] {
        let age = max(0, (now - toldAt).components.seconds)
        return brokers.map { broker in
            StatusReport.BrokerPart(
                name: String(broker.nodename.prefix(Self.longestName)),
                id: broker.nodeid,
                standing: broker.standing(allDown: allDown, at: toldAt),
                state: String(broker.state.prefix(32)),
                seconds: Int(max(0, broker.stateage) / 1_000_000 + age),
                roundTripMilliseconds: broker.rtt.cnt > 0 ? broker.rtt.avg / 1000 : nil,
                requestsUnderWay: broker.outbuf_cnt + broker.waitresp_cnt
            )
        }
    }
}
